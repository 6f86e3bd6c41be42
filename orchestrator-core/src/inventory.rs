//! What lies in the tree, by content: digests of files and listings of folders, remembered between runs.
//!
//! A digest is believed while size, times, inode and mode of its file hold, a listing while those of its folder do. What
//! changed a moment before it was looked at is looked at again, since a change within the same tick of the clock leaves no
//! trace. Nothing is believed of symbolic links.

mod expand;
mod folders;
pub(crate) mod hash;
pub(crate) mod parallel;
mod rules;
mod stamp;
mod tables;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use rules::Rules;
use stamp::{Eyes, Seen};
use tables::{FileRecord, FolderRecord, TaskRecord};

use crate::path::Digest;
use crate::workspace::Sayings;

pub(crate) use tables::Tables;

/// How many days a record of a task is kept without use.
const KEPT_DAYS: i64 = 30;

/// What lies in the tree.
#[derive(Debug)]
pub(crate) struct Inventory {
    root: PathBuf,
    eyes: Eyes,
    /// Folders that are never listed, such as the state folder.
    never: Vec<String>,
    tables: Tables,
    files: Option<HashMap<Box<str>, u32>>,
    folders: Option<HashMap<Box<str>, u32>>,
    rules: HashMap<String, Rules>,
    /// Files of rules that were looked at for the patterns that are looked at now.
    rule_files: HashSet<u32>,
    changed: bool,
}

/// What was looked at for a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Looked {
    pub(crate) files: Vec<u32>,
    pub(crate) folders: Vec<u32>,
}

/// What is remembered of a task.
pub(crate) struct Remembered<'a> {
    pub(crate) key: Digest,
    pub(crate) result: Option<&'a str>,
}

impl Inventory {
    /// An inventory of what lies below `root`, with what is remembered of it.
    pub(crate) fn open(root: &Path, never: Vec<String>, tables: Tables) -> io::Result<Self> {
        let (eyes, root) = (Eyes::at(root)?, root.to_owned());
        let (files, folders, changed) = (None, None, false);
        let (rules, rule_files) = (HashMap::new(), HashSet::new());
        Ok(Self { root, eyes, never, tables, files, folders, rules, rule_files, changed })
    }

    /// Looks at everything that is remembered of the tasks `names`, all at once.
    pub(crate) fn refresh_tasks<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let mut files = vec![false; self.tables.files.len()];
        let mut folders = vec![false; self.tables.folders.len()];
        for name in names {
            let Some(task) = self.tables.tasks.get(name) else { continue };
            task.files.iter().chain(&task.outputs).for_each(|at| files[*at as usize] = true);
            task.folders.iter().for_each(|at| folders[*at as usize] = true);
        }
        let marked = |marks: &[bool]| -> Vec<u32> {
            (0..).zip(marks).filter(|(_, marked)| **marked).map(|(at, _)| at).collect()
        };
        self.refresh(&marked(&files), &marked(&folders));
    }

    /// Looks at everything that is remembered of one task.
    pub(crate) fn refresh_task(&mut self, name: &str) {
        self.refresh_tasks([name]);
    }

    /// Whether anything is remembered of a task.
    pub(crate) fn is_known(&self, name: &str) -> bool {
        self.tables.tasks.contains_key(name)
    }

    /// How many files and folders are remembered of a task.
    pub(crate) fn breadth(&self, name: &str) -> usize {
        let count = |task: &TaskRecord| task.files.len() + task.outputs.len() + task.folders.len();
        self.tables.tasks.get(name).map_or(0, count)
    }

    /// Brings records up to date: looks at each, and reads what may have changed.
    pub(crate) fn refresh(&mut self, files: &[u32], folders: &[u32]) {
        let (eyes, root, tables) = (&self.eyes, &self.root, &self.tables);
        let file = |at: &u32| {
            let record = &tables.files[*at as usize];
            let new = refreshed(eyes, root, record);
            new.map(|(seen, digest)| (*at, seen, digest))
        };
        let changed = parallel::filter_map(files, file);
        for (at, seen, digest) in changed {
            let record = &mut self.tables.files[at as usize];
            let digest = digest.map(|digest| *digest.as_bytes());
            self.changed |= record.seen != seen || record.digest != digest;
            (record.seen, record.digest) = (seen, digest);
        }
        let (eyes, tables) = (&self.eyes, &self.tables);
        let stale = |at: &u32| {
            let record = &tables.folders[*at as usize];
            (!holds(eyes, &record.path, record.seen)).then_some(*at)
        };
        let stale = parallel::filter_map(folders, stale);
        self.list(&stale);
    }

    /// Lists folders anew.
    fn list(&mut self, folders: &[u32]) {
        let paths: Vec<Box<str>> =
            folders.iter().map(|at| self.tables.folders[*at as usize].path.clone()).collect();
        let work: Vec<(Box<str>, Rules)> = paths
            .into_iter()
            .map(|path| {
                let rules = self.rules(&path, &mut Looked::default());
                (path, rules)
            })
            .collect();
        let (eyes, never) = (&self.eyes, &self.never);
        let listed = parallel::map(&work, |(path, rules)| folders::list(eyes, path, rules, never));
        for (at, listed) in folders.iter().zip(listed) {
            let record = &mut self.tables.folders[*at as usize];
            // A folder that cannot be read is as good as a foreign one: nothing below it can be relied on.
            let new = listed.unwrap_or_else(|_| FolderRecord {
                foreign: true,
                seen: Seen::Unsure,
                ..record.clone()
            });
            self.changed |= record.seen != new.seen || record.entries != new.entries;
            *record = new;
        }
    }

    /// Names the state of files and folders, as of the last look.
    pub(crate) fn sum(&self, looked: &Looked) -> Digest {
        self.sum_of(&looked.files, &looked.folders)
    }

    fn sum_of(&self, files: &[u32], folders: &[u32]) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for at in files {
            let record = &self.tables.files[*at as usize];
            hasher.update(record.digest.as_ref().map_or(&[0; 32], |digest| digest));
        }
        for at in folders {
            let record = &self.tables.folders[*at as usize];
            for tables::Entry { name, kind, ignored } in &record.entries {
                hasher.update(name.as_bytes()).update(&[0, *kind as u8, u8::from(*ignored)]);
            }
            hasher.update(&[1, u8::from(record.foreign), u8::from(record.seen == Seen::Absent)]);
        }
        hasher.finalize().into()
    }

    /// What is remembered of a task, if all that was looked at for it is as it was at the last look.
    pub(crate) fn remembered(&self, name: &str, spec: Digest) -> Option<Remembered<'_>> {
        let task = self.tables.tasks.get(name)?;
        if task.spec != *spec.as_bytes() || task.sum != *self.sum_of(&task.files, &task.folders).as_bytes() {
            return None;
        }
        Some(Remembered { key: task.key.into(), result: task.result.as_deref() })
    }

    /// The fingerprint of the last stored result of a task; and why its last result was not stored.
    pub(crate) fn last(&self, name: &str) -> (Option<Digest>, Option<String>) {
        let Some(task) = self.tables.tasks.get(name) else { return (None, None) };
        (task.stored.map(Into::into), task.note.as_deref().map(str::to_owned))
    }

    /// What tools said of their versions in earlier runs.
    pub(crate) fn sayings(&self) -> Sayings {
        self.tables.tools.clone()
    }

    /// Remembers what tools said of their versions.
    pub(crate) fn remember_sayings(&mut self, sayings: Sayings) {
        self.changed |= self.tables.tools != sayings;
        self.tables.tools = sayings;
    }

    /// Remembers what was looked at for a task.
    pub(crate) fn remember(&mut self, name: &str, spec: Digest, key: Digest, looked: &Looked) {
        let sum = *self.sum(looked).as_bytes();
        let Looked { files, folders } = looked.clone();
        let task = self.tables.tasks.entry(name.into()).or_default();
        if task.key != *key.as_bytes() {
            (task.result, task.note) = (None, None);
            task.outputs.clear();
        }
        (task.spec, task.key, task.sum) = (*spec.as_bytes(), *key.as_bytes(), sum);
        (task.files, task.folders) = (files, folders);
        self.changed = true;
    }

    /// Remembers the result of a task, and the files that it made.
    pub(crate) fn remember_result(&mut self, name: &str, key: Digest, result: String, outputs: &[String]) {
        let outputs: Vec<u32> = outputs.iter().map(|path| self.file(path)).collect();
        self.refresh(&outputs, &[]);
        if let Some(task) = self.tables.tasks.get_mut(name)
            && task.key == *key.as_bytes()
        {
            (task.result, task.note, task.outputs) = (Some(result.into()), None, outputs);
            task.stored = Some(task.key);
            self.changed = true;
        }
    }

    /// Remembers why a result was not stored; forgets the one that was.
    pub(crate) fn forget(&mut self, name: &str, note: Option<String>) {
        if let Some(task) = self.tables.tasks.get_mut(name) {
            task.result = None;
            task.note = note.map(Into::into);
            self.changed = true;
        }
    }

    /// Says that a task was used at that time, in seconds since 1970; once a day is often enough. Whether it was noted.
    pub(crate) fn used(&mut self, name: &str, now: i64) -> bool {
        let Some(task) = self.tables.tasks.get_mut(name) else { return false };
        let is_news = (now - task.used).abs() > 24 * 3600;
        if is_news {
            task.used = now;
            self.changed = true;
        }
        is_news
    }

    /// The bytes of a memo without the results that are recorded under `gone`; none where it has none of them.
    pub(crate) fn without(memo: &Path, gone: &HashSet<Digest>) -> Option<Vec<u8>> {
        let mut tables = Tables::load(memo).ok()??;
        let held = |task: &&mut TaskRecord| task.result.is_some() && gone.contains(&task.key.into());
        let mut changed = false;
        for task in tables.tasks.values_mut().filter(held) {
            task.result = None;
            task.outputs.clear();
            changed = true;
        }
        changed.then(|| tables.bytes())
    }

    /// The place of a file in the table.
    pub(crate) fn file(&mut self, path: &str) -> u32 {
        let known = self.files.get_or_insert_with(|| index(self.tables.files.iter().map(|file| &file.path)));
        if let Some(at) = known.get(path) {
            return *at;
        }
        let at = self.tables.files.len() as u32;
        known.insert(path.into(), at);
        self.tables.files.push(FileRecord { path: path.into(), seen: Seen::Unsure, digest: None });
        at
    }

    /// Makes room for that many files.
    fn expect(&mut self, files: usize) {
        self.tables.files.reserve(files);
        let known = self.files.get_or_insert_with(|| index(self.tables.files.iter().map(|file| &file.path)));
        known.reserve(files);
    }

    fn folder(&mut self, path: &str) -> u32 {
        let known =
            self.folders.get_or_insert_with(|| index(self.tables.folders.iter().map(|folder| &folder.path)));
        if let Some(at) = known.get(path) {
            return *at;
        }
        let at = self.tables.folders.len() as u32;
        known.insert(path.into(), at);
        let (seen, rules, entries, foreign) = (Seen::Unsure, None, Vec::new(), false);
        self.tables.folders.push(FolderRecord { path: path.into(), seen, rules, entries, foreign });
        at
    }

    /// The path and the digest of a file as of the last look.
    pub(crate) fn of(&self, at: u32) -> (&str, Option<Digest>) {
        let record = &self.tables.files[at as usize];
        (&record.path, record.digest.map(Into::into))
    }

    /// The digest of a file now.
    pub(crate) fn digest(&mut self, path: &str) -> Option<Digest> {
        let at = self.file(path);
        self.refresh(&[at], &[]);
        self.of(at).1
    }

    /// The digests of files as of the last look; what was never looked at is none.
    pub(crate) fn known(&self, name: &str) -> impl Iterator<Item = (&str, Option<Digest>)> {
        let outputs = self.tables.tasks.get(name).map_or(&[][..], |task| &task.outputs);
        outputs.iter().map(|at| self.of(*at))
    }

    /// What is to be kept, if anything changed: the bytes of the memo.
    pub(crate) fn take_changes(&mut self, now: i64) -> Option<Vec<u8>> {
        if !std::mem::take(&mut self.changed) {
            return None;
        }
        let Tables { files, folders, tasks, tools } = &self.tables;
        let old = now - KEPT_DAYS * 24 * 3600;
        let tasks: HashMap<_, _> = tasks.iter().filter(|(_, task)| task.used >= old).collect();
        let mut kept = Tables { tools: tools.clone(), ..Tables::default() };
        let mut file_at = vec![None; files.len()];
        let mut folder_at = vec![None; folders.len()];
        for (name, task) in tasks {
            let mut moved = task.clone();
            for at in moved.files.iter_mut().chain(&mut moved.outputs) {
                let from = *at as usize;
                *at = *file_at[from].get_or_insert_with(|| push(&mut kept.files, files[from].clone()));
            }
            for at in &mut moved.folders {
                let from = *at as usize;
                *at = *folder_at[from].get_or_insert_with(|| push(&mut kept.folders, folders[from].clone()));
            }
            kept.tasks.insert(name.clone(), moved);
        }
        Some(kept.bytes())
    }
}

fn push<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    list.len() as u32 - 1
}

fn index<'p>(paths: impl Iterator<Item = &'p Box<str>>) -> HashMap<Box<str>, u32> {
    paths.cloned().zip(0..).collect()
}

/// Whether what was seen is still to be believed.
fn holds(eyes: &Eyes, path: &str, seen: Seen) -> bool {
    match (seen, eyes.stamp(path)) {
        (Seen::There(before), Ok(Some(now))) => before == now,
        (Seen::Absent, Ok(None)) => true,
        _ => false,
    }
}

/// What is to be known of a file now; none where what is known holds. A file that cannot be read has a digest that no
/// content has, and is looked at each time.
fn refreshed(eyes: &Eyes, root: &Path, record: &FileRecord) -> Option<(Seen, Option<Digest>)> {
    if record.digest.is_none() && record.seen == Seen::Unsure {
        let read = hash::first(eyes, root, &record.path);
        return Some(read.unwrap_or_else(|_| (Seen::Unsure, Some(unreadable()))));
    }
    let stamp = match (record.seen, eyes.stamp(&record.path)) {
        (Seen::There(before), Ok(Some(now))) if before == now => return None,
        (Seen::Absent, Ok(None)) => return None,
        (_, stamp) => stamp,
    };
    let read = stamp.and_then(|stamp| hash::digest(eyes, root, &record.path, stamp));
    Some(read.unwrap_or_else(|_| (Seen::Unsure, Some(unreadable()))))
}

/// Stands for the content of what cannot be read.
pub(crate) fn unreadable() -> Digest {
    Digest::of(b"it cannot be read")
}

#[cfg(test)]
mod tests;
