//! The text of a changelog (<https://keepachangelog.com/en/1.1.0/>): its sections, what stands under `Unreleased`, its links.
//! All that is not about the release stays as it is, byte for byte. Pure.

use std::ops::Range;

/// A changelog, read.
#[derive(Debug)]
pub(super) struct Sections<'a> {
    text: &'a str,
    /// Its sections, from the top: the name in the heading, and where heading and body stand.
    found: Vec<(&'a str, Range<usize>, Range<usize>)>,
    /// Where the definitions of links at its end begin.
    links: usize,
}

impl<'a> Sections<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let links = links_start(text);
        let mut sections: Vec<(&str, Range<usize>, Range<usize>)> = Vec::new();
        let (mut at, mut fenced) = (0, false);
        for line in text[..links].split_inclusive('\n') {
            let next = at + line.len();
            fenced ^= line.trim_start().starts_with("```");
            if let Some(name) = heading(line).filter(|_| !fenced) {
                if let Some((_, _, body)) = sections.last_mut() {
                    body.end = at;
                }
                sections.push((name, at..next, next..links));
            }
            at = next;
        }
        Self { text, found: sections, links }
    }

    /// What stands under a version.
    pub(super) fn body(&self, version: &str) -> Option<&'a str> {
        let found = self.found.iter().find(|(name, ..)| *name == version);
        found.map(|(_, _, body)| self.text[body.clone()].trim())
    }

    /// What people wrote under `Unreleased`.
    pub(super) fn unreleased(&self) -> Option<&'a str> {
        let (_, _, body) = self.found.iter().find(|(name, ..)| is_unreleased(name))?;
        Some(self.text[body.clone()].trim()).filter(|body| !body.is_empty())
    }

    /// The text with a section for a release above older ones, in place of what stood under `Unreleased`, and with its links.
    pub(super) fn released(&self, section: &str, links: &[(String, String)]) -> String {
        let eol = if self.text.contains("\r\n") { "\r\n" } else { "\n" };
        let native = |text: &str| text.replace("\r\n", "\n").replace('\n', eol);
        let unreleased = self.found.iter().find(|(name, ..)| is_unreleased(name));
        let (keep, skip) = match unreleased {
            Some((_, heading, body)) => (heading.end, body.end),
            None => {
                let first = self.found.first().map_or(self.links, |(_, heading, _)| heading.start);
                (first, first)
            }
        };
        let mut new = self.text[..keep].to_owned();
        if !new.is_empty() {
            let missing =
                if new.ends_with(&eol.repeat(2)) { 0 } else { 1 + usize::from(!new.ends_with('\n')) };
            new.push_str(&eol.repeat(missing));
        }
        new.push_str(&native(section));
        let rest = &self.text[skip..self.links];
        if !rest.is_empty() {
            new.push_str(eol);
            new.push_str(rest);
        }
        new + &self.with_links(links, eol, rest.is_empty())
    }

    /// The definitions of links with new ones: in place of those of the same name, else above the first of a version.
    fn with_links(&self, links: &[(String, String)], eol: &str, gap: bool) -> String {
        let old = &self.text[self.links..];
        let mut lines: Vec<String> = old.split_inclusive('\n').map(str::to_owned).collect();
        if links.is_empty() {
            return if gap && !old.is_empty() { format!("{eol}{old}") } else { old.to_owned() };
        }
        if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
            last.push_str(eol);
        }
        let mut next = 0;
        for (name, address) in links {
            let line = format!("[{name}]: {address}{eol}");
            let same = lines
                .iter()
                .position(|line| definition(line).is_some_and(|there| there.eq_ignore_ascii_case(name)));
            match same {
                Some(at) => {
                    lines[at] = line;
                    next = at + 1;
                }
                None => {
                    lines.insert(next, line);
                    next += 1;
                }
            }
        }
        // A blank line above the first definition.
        let blank = gap || old.is_empty();
        format!("{}{}", if blank { eol } else { "" }, lines.concat())
    }
}

/// A group of entries: the title of its heading, empty before the first, and what stands below it.
pub(super) fn groups(body: &str) -> Vec<(String, String)> {
    let mut groups = vec![(String::new(), String::new())];
    let mut fenced = false;
    for line in body.lines() {
        fenced ^= line.trim_start().starts_with("```");
        match line.strip_prefix("### ").filter(|_| !fenced) {
            Some(title) => groups.push((title.trim().to_owned(), String::new())),
            None => {
                let (_, text) = groups.last_mut().expect("there is a first");
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    for (_, text) in &mut groups {
        *text = text.trim_matches('\n').to_owned();
    }
    groups.retain(|(_, text)| !text.trim().is_empty());
    groups
}

fn is_unreleased(name: &str) -> bool {
    name.eq_ignore_ascii_case("unreleased")
}

/// The name in a heading of a section: `## [1.0.0] - 2026-01-01`, `## v1.0.0`, `## Unreleased`.
fn heading(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("## ")?.trim_start();
    let name = match rest.strip_prefix('[') {
        Some(linked) => linked.split(']').next()?,
        None => rest.split_whitespace().next()?,
    };
    let bare = name.strip_prefix('v').filter(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    Some(bare.unwrap_or(name))
}

/// The name of a link's definition: `[0.2.0]: https://..`.
fn definition(line: &str) -> Option<&str> {
    let (name, rest) = line.strip_prefix('[')?.split_once("]:")?;
    (!rest.trim().is_empty() && !name.contains(']')).then_some(name)
}

/// Where the last lines that are nothing but definitions of links begin.
fn links_start(text: &str) -> usize {
    let mut start = text.len();
    let mut at = text.len();
    for line in text.split_inclusive('\n').rev() {
        at -= line.len();
        if definition(line).is_some() {
            start = at;
        } else if !line.trim().is_empty() {
            break;
        }
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "# Changes\n\n## [Unreleased]\n\n### Added\n\n- by hand\n\n## [0.1.0] - 2026-01-01\n\n- old, see [x][y]\n\n[y]: https://y\n[0.1.0]: https://h/tag\n";

    fn link(name: &str) -> (String, String) {
        (name.to_owned(), format!("https://h/{name}"))
    }

    #[test]
    fn what_was_unreleased_makes_room() {
        let old = Sections::of(OLD);
        assert_eq!(old.unreleased(), Some("### Added\n\n- by hand"));
        assert_eq!(old.body("0.1.0"), Some("- old, see [x][y]"));
        let new = old.released("## [0.2.0]\n\n- new\n", &[link("Unreleased"), link("0.2.0")]);
        assert_eq!(
            new,
            "# Changes\n\n## [Unreleased]\n\n## [0.2.0]\n\n- new\n\n## [0.1.0] - 2026-01-01\n\n- old, see [x][y]\n\n\
                         [Unreleased]: https://h/Unreleased\n[0.2.0]: https://h/0.2.0\n[y]: https://y\n[0.1.0]: https://h/tag\n"
        );
        let new = Sections::of(&new);
        assert_eq!((new.unreleased(), new.body("0.2.0")), (None, Some("- new")));
        let third = new.released("## [0.3.0]\n\n- third\n", &[link("Unreleased"), link("0.3.0")]);
        assert!(
            third.contains("\n\n[Unreleased]: https://h/Unreleased\n[0.3.0]: https://h/0.3.0\n[0.2.0]: "),
            "{third}"
        );
    }

    #[test]
    fn texts_of_all_shapes_take_a_section() {
        let section = "## [0.2.0]\n\n- new\n";
        for (old, new) in [
            ("", "## [0.2.0]\n\n- new\n"),
            ("# C", "# C\n\n## [0.2.0]\n\n- new\n"),
            ("# C\n\n## Unreleased\n", "# C\n\n## Unreleased\n\n## [0.2.0]\n\n- new\n"),
            (
                "# C\r\n\r\n## v0.1.0\r\n\r\n- x\r\n",
                "# C\r\n\r\n## [0.2.0]\r\n\r\n- new\r\n\r\n## v0.1.0\r\n\r\n- x\r\n",
            ),
            (
                "# C\n\n```\n## [Unreleased]\n```\n",
                "# C\n\n```\n## [Unreleased]\n```\n\n## [0.2.0]\n\n- new\n",
            ),
            ("# C\n\n[a]: b", "# C\n\n## [0.2.0]\n\n- new\n\n[a]: b"),
        ] {
            assert_eq!(Sections::of(old).released(section, &[]), new, "{old:?}");
        }
        let linked = Sections::of("# C\n\n## Unreleased\n\n[a]: b").released(section, &[link("0.2.0")]);
        assert_eq!(
            linked,
            "# C\n\n## Unreleased\n\n## [0.2.0]\n\n- new\n\n[0.2.0]: https://h/0.2.0\n[a]: b\n"
        );
    }

    #[test]
    fn groups_are_found() {
        let groups = groups("intro\n\n### Added\n\n- a\n```\n### no\n```\n\n### Fixed\n");
        assert_eq!(
            groups,
            [(String::new(), "intro".to_owned()), ("Added".into(), "- a\n```\n### no\n```".into())]
        );
    }
}
