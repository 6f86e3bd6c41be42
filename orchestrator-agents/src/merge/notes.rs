//! Renders the section of a changelog (<https://keepachangelog.com/en/1.1.0/>) and the notes of a release from its commits and
//! from what people wrote under `Unreleased`. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::commits::Change;
use super::forge::Pages;
use super::markdown::{block, inline, person};
use super::sections::{Sections, groups};
use crate::said;

/// The most entries of a group.
const ENTRIES: usize = 250;
/// The most people that are named.
const PEOPLE: usize = 500;

/// What a release is.
pub(super) struct Release<'a> {
    /// `0.2.0`.
    pub(super) version: &'a str,
    /// `v0.2.0`.
    pub(super) tag: String,
    /// `2026-11-20`.
    pub(super) date: String,
    /// Tag of the release before.
    pub(super) previous: Option<String>,
    /// Its commits.
    pub(super) changes: &'a [Change],
    /// Where the repository can be looked at.
    pub(super) pages: Option<Pages>,
}

const HEADER: &str = "# Changelog

All notable changes to this project are written down here. The format is based on
[Keep a Changelog](https://keepachangelog.com/en/1.1.0/), and versions follow
[Semantic Versioning](https://semver.org/).

## [Unreleased]
";

/// The group of what breaks something, above all others.
const BREAKING: &str = "Breaking changes";

/// The headings of groups, in order, and the kinds of commits below each. The last one takes all others.
const GROUPS: [(&str, &[&str]); 7] = [
    ("Added", &["feat"]),
    ("Changed", &["perf", "refactor", "revert", "change", ""]),
    ("Deprecated", &["deprecate"]),
    ("Removed", &["remove"]),
    ("Fixed", &["fix"]),
    ("Security", &["security", "sec"]),
    ("Maintenance", &[]),
];

impl Release<'_> {
    /// The changelog with a section for this release above older ones, what stood under `Unreleased` moved into it; as it
    /// is where it has one.
    pub(super) fn changelog(&self, old: Option<&str>) -> String {
        let text = old.unwrap_or(HEADER);
        let sections = Sections::of(text);
        if sections.body(self.version).is_some() {
            return text.to_owned();
        }
        let body = self.body(sections.unreleased());
        sections.released(&format!("## [{}] - {}\n\n{body}", self.version, self.date), &self.links())
    }

    /// The release notes; `changelog` is the text that has a section for this release.
    pub(super) fn notes(&self, changelog: &str) -> String {
        let people = self.people();
        let commits = said::count(self.changes.len() as u64, "commit");
        let by = match people.len() {
            0 => String::new(),
            1 => " by 1 person".to_owned(),
            _ => format!(" by {} people", people.len()),
        };
        let since =
            self.previous.as_ref().map_or_else(String::new, |tag| format!(" since {}", inline(tag, None)));
        let mut notes = format!("# {}\n\n{}: {commits}{by}{since}.\n", inline(&self.tag, None), self.date);
        if let (Some(pages), Some(previous)) = (&self.pages, &self.previous) {
            say(&mut notes, format_args!("[All changes]({}).\n", pages.compare(previous, &self.tag)));
        }
        let upgrading = self.upgrading();
        if !upgrading.is_empty() {
            say(&mut notes, format_args!("\n## Upgrading\n\n{upgrading}"));
        }
        if let Some(body) = Sections::of(changelog).body(self.version) {
            for (title, text) in groups(&body.replace("\r\n", "\n")) {
                match title.as_str() {
                    // Told under "Upgrading", with what it breaks.
                    BREAKING if !upgrading.is_empty() => {}
                    "" => say(&mut notes, format_args!("\n{text}\n")),
                    title => say(&mut notes, format_args!("\n## {title}\n\n{text}\n")),
                }
            }
        }
        if !people.is_empty() {
            notes.push_str("\n## Contributors\n\n");
            for (name, count) in people.iter().take(PEOPLE) {
                say(&mut notes, format_args!("- {name} ({})\n", said::count(*count, "commit")));
            }
            more(&mut notes, people.len(), PEOPLE);
        }
        notes
    }

    /// What stands under the heading of this release: what people wrote, then what the commits say, group by group.
    fn body(&self, written: Option<&str>) -> String {
        let mut all: Vec<(String, String)> =
            vec![(String::new(), String::new()), (BREAKING.into(), self.breaking())];
        all.extend(GROUPS.iter().enumerate().map(|(at, (title, _))| ((*title).to_owned(), self.entries(at))));
        for (title, text) in groups(&written.unwrap_or_default().replace("\r\n", "\n")) {
            match all.iter_mut().find(|(there, _)| there.eq_ignore_ascii_case(&title)) {
                Some((_, entries)) => *entries = format!("{text}\n{}", without(entries, &text)),
                None => all.push((title, format!("{text}\n"))),
            }
        }
        let mut body = String::new();
        for (title, text) in all.iter().filter(|(_, text)| !text.is_empty()) {
            if !body.is_empty() {
                body.push('\n');
            }
            if !title.is_empty() {
                say(&mut body, format_args!("### {title}\n\n"));
            }
            body.push_str(text);
        }
        if body.is_empty() { "No changes.\n".to_owned() } else { body }
    }

    fn breaking(&self) -> String {
        let breaking = self.changes.iter().filter(|change| !change.breaking.is_empty());
        self.list(breaking.map(|change| (change, change.description.as_str())))
    }

    fn entries(&self, group: usize) -> String {
        let of = self.changes.iter().filter(|change| change.breaking.is_empty() && group_of(change) == group);
        self.list(of.map(|change| (change, change.description.as_str())))
    }

    /// What breaks, and what its commits say of it.
    fn upgrading(&self) -> String {
        let breaks = self
            .changes
            .iter()
            .flat_map(|change| change.breaking.iter().map(move |what| (change, what.as_str())));
        self.list(breaks)
    }

    fn list<'a>(&self, entries: impl Iterator<Item = (&'a Change, &'a str)>) -> String {
        let mut text = String::new();
        let mut count = 0;
        for (change, what) in entries {
            count += 1;
            if count <= ENTRIES {
                self.entry(&mut text, change, what);
            }
        }
        more(&mut text, count, ENTRIES);
        text
    }

    fn entry(&self, text: &mut String, change: &Change, what: &str) {
        let pages = self.pages.as_ref();
        let what = match &change.scope {
            Some(scope) => format!("**{}:** {}", inline(scope, None), inline(what, pages)),
            None => block(what, pages),
        };
        let short = change.id.get(..8).unwrap_or(&change.id);
        let commit = pages
            .map_or_else(|| short.to_owned(), |pages| format!("[{short}]({})", pages.commit(&change.id)));
        say(text, format_args!("- {what} ({commit}"));
        for number in &change.issues {
            if !change.description.contains(&format!("#{number}")) {
                say(text, format_args!(", {}", inline(&format!("#{number}"), pages)));
            }
        }
        text.push_str(")\n");
    }

    /// The people behind it, and how many of its commits each had a part in.
    fn people(&self) -> BTreeMap<String, u64> {
        let mut people = BTreeMap::new();
        for change in self.changes {
            let mut of: Vec<String> =
                std::iter::once(&change.author).chain(&change.with).map(|name| person(name)).collect();
            of.sort();
            of.dedup();
            for name in of.into_iter().filter(|name| !name.is_empty()) {
                *people.entry(name).or_default() += 1;
            }
        }
        people
    }

    /// The links at the bottom of the changelog: what is new, and this release.
    fn links(&self) -> Vec<(String, String)> {
        let Some(pages) = &self.pages else { return Vec::new() };
        let this = match &self.previous {
            Some(previous) => pages.compare(previous, &self.tag),
            None => pages.tag(&self.tag),
        };
        vec![("Unreleased".to_owned(), pages.compare(&self.tag, "HEAD")), (self.version.to_owned(), this)]
    }
}

fn group_of(change: &Change) -> usize {
    GROUPS.iter().position(|(_, kinds)| kinds.contains(&&*change.kind)).unwrap_or(GROUPS.len() - 1)
}

/// Entries without those that a person wrote in the very same words.
fn without(entries: &str, written: &str) -> String {
    let bare =
        |line: &str| line.rsplit_once(" (").map_or(line, |(what, _)| what).trim_end_matches('.').to_owned();
    let known: Vec<String> = written.lines().map(|line| line.trim_end_matches('.').to_owned()).collect();
    let kept = entries.split_inclusive('\n').filter(|line| !known.contains(&bare(line.trim_end())));
    kept.collect()
}

fn more(text: &mut String, count: usize, most: usize) {
    if count > most {
        say(text, format_args!("- and {} more\n", count - most));
    }
}

fn say(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes everything");
}

#[cfg(test)]
mod tests;
