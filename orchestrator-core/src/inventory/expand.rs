//! From patterns to files, through listings that are remembered.

use std::collections::BTreeSet;

use super::folders::below;
use super::rules::{self, Rules};
use super::stamp::{Kind, Seen};
use super::{Inventory, Looked, parallel};
use crate::path::Digest;
use crate::patterns::{Pattern, Patterns};

/// The most files that the patterns of one task may match.
const MOST: usize = 1_000_000;

/// The files that patterns match, and all that had to be looked at to know.
#[derive(Debug, Default)]
pub(crate) struct Expanded {
    /// The files, also paths that were named and are not there; in order, each once.
    pub(crate) files: Vec<String>,
    /// Everything looked at; the files come first, in order.
    pub(crate) looked: Looked,
    /// Patterns that match nothing.
    pub(crate) nothing: Vec<String>,
}

/// A walk that is under way.
struct Walk<'a> {
    patterns: &'a Patterns,
    glob: Option<&'a globset::GlobMatcher>,
    /// Whether what git ignores counts.
    ignored_too: bool,
    found: &'a mut Vec<String>,
    looked: &'a mut Looked,
}

impl Inventory {
    /// The files that patterns match now. The error says why it cannot be known.
    pub(crate) fn expand(&mut self, patterns: &Patterns, ignored_too: bool) -> Result<Expanded, String> {
        let mut all = Expanded::default();
        // What the listing of a folder depends on is looked at afresh each time.
        self.rules.clear();
        self.rule_files.clear();
        for pattern in patterns.wanted() {
            let before = all.files.len();
            let (start, glob) = match pattern {
                Pattern::Glob { start, glob } => (start, Some(glob)),
                Pattern::Path(path) => (path, None),
            };
            let is_folder = match self.eyes.stamp(start.as_str()) {
                Ok(stamp) => stamp.is_some_and(|stamp| stamp.kind == Kind::Folder),
                Err(error) => return Err(format!("`{start}` could not be looked at: {error}")),
            };
            match (glob, is_folder) {
                (None, false) if patterns.leaves_out(start.as_str()) => {}
                (None, false) => all.files.push(start.to_string()),
                // A folder that is not there yet is looked at again.
                (Some(_), false) => {
                    let at = self.folder(start.as_str());
                    self.list(&[at]);
                    all.looked.folders.push(at);
                }
                (glob, true) => {
                    let ignored_too = ignored_too || self.is_ignored(start.as_str(), &mut all.looked);
                    let (found, looked) = (&mut all.files, &mut all.looked);
                    let walk = Walk { patterns, glob, ignored_too, found, looked };
                    self.walk(start.as_str(), walk)?;
                }
            }
            if all.files.len() == before && glob.is_some() {
                all.nothing.extend(glob.map(|glob| glob.glob().to_string()));
            }
        }
        all.files.sort_unstable();
        all.files.dedup();
        if self.tables.files.len() < all.files.len() {
            self.expect(all.files.len());
        }
        let rule_files = std::mem::take(&mut all.looked.files);
        all.looked.files = all.files.iter().map(|path| self.file(path)).collect();
        let rules: BTreeSet<u32> = rule_files.into_iter().collect();
        let own: BTreeSet<u32> = all.looked.files.iter().copied().filter(|at| rules.contains(at)).collect();
        all.looked.files.extend(rules.difference(&own));
        all.looked.folders.sort_unstable();
        all.looked.folders.dedup();
        let files = all.looked.files.clone();
        self.refresh(&files, &[]);
        Ok(all)
    }

    /// All files below a folder, level by level.
    fn walk(&mut self, start: &str, walk: Walk<'_>) -> Result<(), String> {
        let mut level = vec![start.to_owned()];
        // Without `**` a glob reaches no deeper than it has parts.
        let glob = walk.glob.map(|glob| glob.glob().glob()).filter(|glob| !glob.contains("**"));
        let parts = |path: &str| path.split('/').filter(|part| *part != ".").count();
        let mut deeper = glob.map_or(usize::MAX, |glob| parts(glob) - parts(start));
        while !level.is_empty() && deeper > 0 {
            deeper -= 1;
            let places: Vec<u32> = level.iter().map(|path| self.folder(path)).collect();
            self.up_to_date(&places, walk.looked);
            walk.looked.folders.extend(&places);
            let mut next = Vec::new();
            for at in places {
                let record = &self.tables.folders[at as usize];
                if record.foreign {
                    return Err(format!(
                        "`{}` holds a name that is no UTF-8, or cannot be read",
                        record.path
                    ));
                }
                for entry in record.entries.iter().filter(|entry| walk.ignored_too || !entry.ignored) {
                    let path = below(&record.path, &entry.name);
                    if walk.patterns.leaves_out(&path) {
                        continue;
                    }
                    match entry.kind {
                        Kind::Folder => next.push(path),
                        Kind::File | Kind::Link | Kind::Other => {
                            if walk.glob.is_none_or(|glob| glob.is_match(&path)) {
                                walk.found.push(path);
                            }
                        }
                    }
                }
            }
            if walk.found.len() > MOST {
                return Err(format!("more than {MOST} files lie below `{start}`"));
            }
            level = next;
        }
        Ok(())
    }

    /// Lists folders whose listing does not hold, or was made by other rules.
    fn up_to_date(&mut self, places: &[u32], looked: &mut Looked) {
        // The files of rules of a whole level at once.
        let own: Vec<u32> = places
            .iter()
            .map(|at| {
                let file = rule_file(&self.tables.folders[*at as usize].path);
                self.file(&file)
            })
            .collect();
        self.refresh(&own, &[]);
        self.rule_files.extend(own);
        let digests: Vec<Option<Digest>> = places
            .iter()
            .map(|at| {
                let path = self.tables.folders[*at as usize].path.clone();
                self.rules(&path, looked).digest
            })
            .collect();
        let (eyes, tables) = (&self.eyes, &self.tables);
        let pairs: Vec<_> = places.iter().copied().zip(digests).collect();
        let holds = parallel::map(&pairs, |(at, digest)| {
            let record = &tables.folders[*at as usize];
            record.rules == digest.map(|digest| *digest.as_bytes())
                && record.seen != Seen::Unsure
                && super::holds(eyes, &record.path, record.seen)
        });
        let stale: Vec<u32> =
            places.iter().zip(holds).filter(|(_, holds)| !holds).map(|(at, _)| *at).collect();
        self.list(&stale);
    }

    /// The rules that hold in a folder. The files that they come from, or might come from, are noted.
    pub(super) fn rules(&mut self, folder: &str, looked: &mut Looked) -> Rules {
        // Whoever asked first noted them, for the same patterns.
        if let Some(known) = self.rules.get(folder) {
            return known.clone();
        }
        let file = rule_file(folder);
        let above = (folder != ".").then(|| folder.rsplit_once('/').map_or(".", |(above, _)| above));
        let at = self.file(&file);
        looked.files.push(at);
        let rules = match above {
            Some(above) => self.rules(above, looked),
            None => {
                let exclude = self.file(".git/info/exclude");
                looked.files.push(exclude);
                self.own_rules(&Rules::default(), ".", ".git/info/exclude")
            }
        };
        let rules = self.own_rules(&rules, folder, &file);
        self.rules.insert(folder.to_owned(), rules.clone());
        rules
    }

    fn own_rules(&mut self, above: &Rules, folder: &str, file: &str) -> Rules {
        if let Some(known) = self.rules.get(file) {
            return known.clone();
        }
        let at = self.file(file);
        let digest = if self.rule_files.contains(&at) { self.of(at).1 } else { self.digest(file) };
        let rules = match digest {
            None => above.clone(),
            Some(digest) => above.with(rules::read(&self.root, folder, file), digest),
        };
        if file.starts_with(".git/") {
            self.rules.insert(file.to_owned(), rules.clone());
        }
        rules
    }

    /// Whether git ignores a folder, or one above it.
    fn is_ignored(&mut self, folder: &str, looked: &mut Looked) -> bool {
        let mut path = String::new();
        for part in folder.split('/').filter(|part| *part != ".") {
            let above = if path.is_empty() { "." } else { &path };
            let rules = self.rules(above, looked);
            let full = below(above, part);
            if rules.ignore(&full, true) {
                return true;
            }
            path = full;
        }
        false
    }
}

/// Where the rules of a folder are.
fn rule_file(folder: &str) -> String {
    below(folder, ".gitignore")
}
