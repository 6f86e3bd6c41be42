//! Changelogs of two branches as one: what the other side added goes to the section where it added it, and stands once.

use std::collections::BTreeMap;

/// An entry of a changelog: a list item, a paragraph, a link.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// The section and the group that it stands in: headings `## ..` and `### ..`, empty above the first.
    place: (String, String),
    text: String,
    /// The line after its last.
    end: usize,
}

/// A changelog, as far as it is understood.
#[derive(Debug, Default)]
struct Read {
    entries: Vec<Entry>,
    /// The line of each section's heading, in order.
    sections: Vec<(String, usize)>,
    /// The last line of each place that is not empty, the heading included.
    ends: BTreeMap<(String, String), usize>,
}

/// Where links stand, whatever section is above them.
const LINKS: &str = "links";

/// The entries of both, in our text. None where the other side did more than add, or its place is gone: that is for a person.
pub(super) fn changelog(base: &str, ours: &str, theirs: &str) -> Option<String> {
    let plain = |text: &str| text.replace("\r\n", "\n");
    let windows = ours.contains("\r\n");
    let (base, ours, theirs) = (plain(base), plain(ours), plain(theirs));
    let (before, own, other) = (read(&base), read(&ours), read(&theirs));
    let has = |all: &[Entry], entry: &Entry| {
        all.iter().any(|one| one.place == entry.place && one.text == entry.text)
    };
    let removed = before.entries.iter().any(|entry| !has(&other.entries, entry))
        || before.sections.iter().any(|(name, _)| !other.sections.iter().any(|(other, _)| other == name));
    if removed || own.sections.is_empty() || other.sections.is_empty() {
        return None;
    }
    let ours_added =
        |text: &str| own.entries.iter().any(|entry| entry.text == text && !has(&before.entries, entry));
    let mut new: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for entry in &other.entries {
        if !has(&before.entries, entry) && !ours_added(&entry.text) {
            new.entry(entry.place.clone()).or_default().push(&entry.text);
        }
    }
    let mut lines: Vec<String> = ours.lines().map(str::to_owned).collect();
    let mut inserts: Vec<(usize, Vec<String>)> = Vec::new();
    let mut sections: BTreeMap<&str, Vec<(&str, &[&str])>> = BTreeMap::new();
    for ((section, group), texts) in &new {
        match own.ends.get(&(section.clone(), group.clone())) {
            Some(end) => inserts.push((*end, block(&own, section, group, texts))),
            None => sections.entry(section).or_default().push((group, texts)),
        }
    }
    for (section, groups) in sections {
        inserts.push(with_heading(&before, &own, &other, lines.len(), section, &groups)?);
    }
    // From the end, so that the lines above stay where they are; at one place in the order in which they were found.
    inserts.sort_by_key(|(at, _)| *at);
    for (at, block) in inserts.into_iter().rev() {
        lines.splice(at..at, block);
    }
    let mut text = lines.join("\n");
    text.push('\n');
    Some(if windows { text.replace('\n', "\r\n") } else { text })
}

/// Entries for a group that is there.
fn block(own: &Read, section: &str, group: &str, texts: &[&str]) -> Vec<String> {
    let is_empty = !own.entries.iter().any(|entry| entry.place.0 == section && entry.place.1 == group);
    let lines = texts.iter().flat_map(|text| text.lines().map(str::to_owned));
    is_empty.then(String::new).into_iter().chain(lines).collect()
}

/// Entries for a group, or a whole section, that is not there: where they go, and how.
fn with_heading(
    before: &Read,
    own: &Read,
    other: &Read,
    end: usize,
    section: &str,
    groups: &[(&str, &[&str])],
) -> Option<(usize, Vec<String>)> {
    let mut block = Vec::new();
    for (group, texts) in groups {
        if !group.is_empty() {
            block.extend([String::new(), (*group).to_owned()]);
        }
        block.push(String::new());
        block.extend(texts.iter().flat_map(|text| text.lines().map(str::to_owned)));
    }
    let place_end = |name: &str| own.ends.iter().filter(|((of, _), _)| of == name).map(|(_, end)| *end).max();
    if let Some(end) = place_end(section) {
        return Some((end, block));
    }
    if section == LINKS {
        return Some((end, block));
    }
    // Ours renamed or removed it.
    if section.is_empty() || before.sections.iter().any(|(name, _)| name == section) {
        return None;
    }
    let at = other.sections.iter().position(|(name, _)| name == section)?;
    let mut below = other.sections[at + 1..].iter();
    let below = below.find_map(|(name, _)| own.sections.iter().find(|(own, _)| own == name));
    let heading = section.to_owned();
    Some(match below {
        Some((_, line)) => {
            let block = std::iter::once(heading).chain(block).chain([String::new()]);
            (*line, block.collect())
        }
        None => {
            let last = own.sections.iter().filter_map(|(name, _)| place_end(name)).max().unwrap_or(end);
            (last, [String::new(), heading].into_iter().chain(block).collect())
        }
    })
}

fn read(text: &str) -> Read {
    let mut read = Read::default();
    let mut place = (String::new(), String::new());
    let (mut fenced, mut open) = (false, false);
    for (at, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if !fenced && line.starts_with("## ") {
            place = (line.to_owned(), String::new());
            read.sections.push((line.to_owned(), at));
            read.ends.insert(place.clone(), at + 1);
            open = false;
            continue;
        }
        if !fenced && line.starts_with("### ") {
            line.clone_into(&mut place.1);
            read.ends.insert(place.clone(), at + 1);
            open = false;
            continue;
        }
        let fence = line.trim_start().starts_with("```");
        let inside = fenced;
        fenced ^= fence;
        let goes_on = inside || line.starts_with([' ', '\t']);
        if line.is_empty() && !inside {
            open = false;
            continue;
        }
        let is_link = !inside && line.starts_with('[') && line.contains("]: ");
        let own = if is_link { (LINKS.to_owned(), String::new()) } else { place.clone() };
        let starts = line.starts_with("- ") || line.starts_with("* ") || is_link;
        match read.entries.last_mut() {
            Some(last) if last.place == own && (goes_on || (open && !starts)) => {
                // Empty lines between belong to it.
                let missing = at - last.end;
                last.text.push_str(&"\n".repeat(missing + 1));
                last.text.push_str(line);
                last.end = at + 1;
            }
            _ => read.entries.push(Entry { place: own.clone(), text: line.to_owned(), end: at + 1 }),
        }
        open = true;
        read.ends.insert(own, at + 1);
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- one\n\n## [1.0.0] - 2026-01-01\n\n- first\n\n[1.0.0]: x\n";

    fn merged(ours: &str, theirs: &str) -> Option<String> {
        changelog(BASE, ours, theirs)
    }

    #[test]
    fn both_entries_are_kept_once() {
        let ours = BASE.replace("- one\n", "- one\n- ours\n- same\n");
        let theirs = BASE.replace("- one\n", "- one\n- same\n- theirs\n  goes on\n\n### Fixed\n\n- a hole\n");
        let both =
            BASE.replace("- one\n", "- one\n- ours\n- same\n- theirs\n  goes on\n\n### Fixed\n\n- a hole\n");
        assert_eq!(merged(&ours, &theirs), Some(both.clone()));
        assert_eq!(merged(&both, &theirs), Some(both.clone()));
        assert_eq!(merged(&ours.replace('\n', "\r\n"), &theirs), Some(both.replace('\n', "\r\n")));
    }

    #[test]
    fn an_entry_stays_unreleased_where_the_other_side_released() {
        let ours = BASE.replace("## [Unreleased]\n\n", "## [Unreleased]\n\n## [1.1.0] - 2026-02-02\n\n");
        let theirs = BASE.replace("- one\n", "- one\n- theirs\n");
        let both = ours.replace("## [Unreleased]\n\n", "## [Unreleased]\n\n### Added\n\n- theirs\n\n");
        assert_eq!(merged(&ours, &theirs), Some(both));
    }

    #[test]
    fn a_section_goes_where_it_was_added() {
        let ours = BASE.replace("- one\n", "- one\n- ours\n");
        let theirs = BASE.replace("## [1.0.0]", "## [1.0.1]\n\n### Fixed\n\n- a hole\n\n## [1.0.0]");
        let both = ours.replace("## [1.0.0]", "## [1.0.1]\n\n### Fixed\n\n- a hole\n\n## [1.0.0]");
        assert_eq!(merged(&ours, &theirs), Some(both));
        let theirs = format!("{BASE}[1.0.1]: y\n");
        assert_eq!(merged(&ours, &theirs), Some(format!("{ours}[1.0.1]: y\n")));
    }

    #[test]
    fn what_is_more_than_added_is_for_a_person() {
        let ours = BASE.replace("- one\n", "- one\n- ours\n");
        assert_eq!(merged(&ours, &BASE.replace("- one", "- one, better")), None);
        assert_eq!(merged(&ours, &BASE.replace("## [Unreleased]", "## [2.0.0]")), None);
        assert_eq!(merged(&BASE.replace("## [Unreleased]", "## [2.0.0]"), &ours), None);
        assert_eq!(merged("no sections\n", &ours), None);
    }
}
