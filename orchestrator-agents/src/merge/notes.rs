//! Renders changelogs (<https://keepachangelog.com/en/1.1.0/>) and release notes from commits. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::commits::Change;
use crate::said;

/// What a release is.
pub(super) struct Release<'a> {
    /// `0.2.0`.
    pub(super) version: &'a str,
    /// `2026-11-20`.
    pub(super) date: String,
    /// Tag of the release before.
    pub(super) previous: Option<String>,
    /// Its commits.
    pub(super) changes: &'a [Change],
}

const HEADER: &str = "# Changelog

All notable changes to this project are written down here. The format is based on
[Keep a Changelog](https://keepachangelog.com/en/1.1.0/), and versions follow
[Semantic Versioning](https://semver.org/).

## [Unreleased]
";

/// The headings of groups, in order, and the kinds of commits below each. The last one takes all others.
const GROUPS: [(&str, &[&str]); 5] = [
    ("Added", &["feat"]),
    ("Changed", &["perf", "refactor", "revert", "change", ""]),
    ("Fixed", &["fix"]),
    ("Security", &["security", "sec"]),
    ("Maintenance", &[]),
];

impl Release<'_> {
    /// The changelog with a section for this release above older ones; as it is where it has one.
    pub(super) fn changelog(&self, old: Option<&str>) -> String {
        let old = old.unwrap_or(HEADER);
        if old.lines().any(|line| heading(line).is_some_and(|name| name == self.version)) {
            return old.to_owned();
        }
        let mut section = format!("## [{}] - {}\n{}", self.version, self.date, self.groups());
        let at = insertion(old);
        let (before, after) = old.split_at(at);
        let gap = if before.is_empty() || before.ends_with("\n\n") || before.ends_with("\r\n\r\n") {
            ""
        } else if before.ends_with('\n') {
            "\n"
        } else {
            "\n\n"
        };
        section.insert_str(0, gap);
        if !after.is_empty() {
            section.push('\n');
        }
        if old.contains("\r\n") {
            section = section.replace('\n', "\r\n");
        }
        format!("{before}{section}{after}")
    }

    /// The release notes.
    pub(super) fn notes(&self) -> String {
        let commits = said::count(self.changes.len() as u64, "commit");
        let since = self.previous.as_ref().map_or_else(String::new, |tag| format!(" since {tag}"));
        let mut notes = format!("# v{}\n\n{}: {commits}{since}.\n", self.version, self.date);
        let breaking: Vec<&Change> = self.changes.iter().filter(|change| change.breaking.is_some()).collect();
        if !breaking.is_empty() {
            notes.push_str("\n## Upgrading\n\n");
            for change in breaking {
                let what = change.breaking.as_deref().unwrap_or_default();
                writeln!(notes, "- {}{what}", scope(change)).expect("a string takes everything");
            }
        }
        notes.push_str(&self.groups().replace("\n### ", "\n## "));
        let contributors: BTreeSet<&str> = self.changes.iter().map(|change| change.author.as_str()).collect();
        if !contributors.is_empty() {
            notes.push_str("\n## Contributors\n\n");
            for name in contributors {
                writeln!(notes, "- {name}").expect("a string takes everything");
            }
        }
        notes
    }

    fn groups(&self) -> String {
        let mut text = String::new();
        for (at, (title, _)) in GROUPS.iter().enumerate() {
            let of: Vec<&Change> = self.changes.iter().filter(|change| group(change) == at).collect();
            if !of.is_empty() {
                writeln!(text, "\n### {title}\n").expect("a string takes everything");
            }
            for change in of {
                let mark = if change.breaking.is_some() { "**Breaking:** " } else { "" };
                let id = change.id.get(..8).unwrap_or(&change.id);
                writeln!(text, "- {mark}{}{} ({id})", scope(change), change.description)
                    .expect("a string takes everything");
            }
        }
        text
    }
}

fn group(change: &Change) -> usize {
    GROUPS.iter().position(|(_, kinds)| kinds.contains(&&*change.kind)).unwrap_or(GROUPS.len() - 1)
}

fn scope(change: &Change) -> String {
    change.scope.as_ref().map_or_else(String::new, |scope| format!("**{scope}:** "))
}

/// The name in a heading of a section: `## [1.0.0] - 2026-01-01`, `## v1.0.0`, `## Unreleased`.
fn heading(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("## ")?.trim_start();
    let name = match rest.strip_prefix('[') {
        Some(linked) => linked.split(']').next()?,
        None => rest.split_whitespace().next()?,
    };
    Some(name.strip_prefix('v').unwrap_or(name))
}

/// Where the newest section belongs: above the first that is not "Unreleased", else above the links, else at the end.
fn insertion(text: &str) -> usize {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let section = heading(line).is_some_and(|name| !name.eq_ignore_ascii_case("unreleased"));
        let link = line.starts_with('[') && line.contains("]: ");
        if section || link {
            return at;
        }
        at += line.len();
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::commits::parse_log;

    fn release(changes: &[Change]) -> Release<'_> {
        Release { version: "0.2.0", date: "2026-11-20".into(), previous: Some("v0.1.0".into()), changes }
    }

    fn changes() -> Vec<Change> {
        let log = |message: &str, author: &str| format!("0123456789abcdef\x1f{author}\x1f{message}\x1e\n");
        parse_log(
            &[log("feat(api)!: a door", "Ada"), log("fix: a hole", "Bob"), log("ci: x", "Ada")].concat(),
        )
    }

    #[test]
    fn a_section_goes_above_older_ones_once() {
        let changes = changes();
        let release = release(&changes);
        let new = release.changelog(None);
        assert!(new.ends_with(
            "## [Unreleased]\n\n## [0.2.0] - 2026-11-20\n\n### Added\n\n- **Breaking:** **api:** a door (01234567)\n\n\
             ### Fixed\n\n- a hole (01234567)\n\n### Maintenance\n\n- x (01234567)\n"
        ));
        assert_eq!(release.changelog(Some(&new)), new);
        let old = "# Changes\n\n## Unreleased\n\n- kept\n\n## v0.1.0\n\n- old\n";
        let new = release.changelog(Some(old));
        let order = ["- kept\n\n## [0.2.0]", "- x (01234567)\n\n## v0.1.0\n\n- old\n"];
        assert!(order.iter().all(|part| new.contains(part)), "{new}");
        let windows = release.changelog(Some("# Changes\r\n"));
        assert_eq!(windows.matches('\n').count(), windows.matches("\r\n").count());
    }

    #[test]
    fn notes_name_breaks_and_people() {
        let changes = changes();
        let notes = release(&changes).notes();
        assert!(notes.starts_with(
            "# v0.2.0\n\n2026-11-20: 3 commits since v0.1.0.\n\n## Upgrading\n\n- **api:** a door\n"
        ));
        assert!(notes.ends_with("## Contributors\n\n- Ada\n- Bob\n"), "{notes}");
    }
}
