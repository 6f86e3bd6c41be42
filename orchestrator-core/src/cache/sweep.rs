//! How much the cache holds, and what of it goes.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Cache, Entry};
use crate::inventory::Inventory;
use crate::path::Digest;

/// Bytes younger than this may belong to a result that is being stored.
const UNDER_WAY: Duration = Duration::from_mins(1);

/// How much a cache holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Results.
    pub results: u64,
    /// Files that they hold, each content once.
    pub files: u64,
    /// Bytes of disk for all of it.
    pub bytes: u64,
}

/// How often a cache is pruned unasked.
const DAY: Duration = Duration::from_hours(24);

/// What was removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Results.
    pub results: u64,
    /// Bytes.
    pub bytes: u64,
}

/// A file of the cache.
struct Item {
    path: PathBuf,
    used: SystemTime,
    bytes: u64,
}

impl Cache {
    /// How much it holds.
    pub fn stats(&self) -> io::Result<Stats> {
        let (entries, blobs) = (items(&self.entries())?, items(self.blobs.folder())?);
        let bytes = entries.iter().chain(&blobs).map(|item| item.bytes).sum::<u64>();
        let memo = self.memo().metadata().map_or(0, |meta| meta.len());
        Ok(Stats { results: entries.len() as u64, files: blobs.len() as u64, bytes: bytes + memo })
    }

    /// Removes what was not used for `age`, then the least recently used until the rest takes no more than `size` bytes.
    pub fn prune(&self, age: Duration, size: u64) -> io::Result<Swept> {
        let now = SystemTime::now();
        let before = self.stats()?;
        let mut entries = items(&self.entries())?;
        entries.sort_by_key(|item| std::cmp::Reverse(item.used));
        let (mut kept, mut total, mut swept) = (HashSet::new(), 0, Swept::default());
        let mut gone = HashSet::new();
        for item in entries {
            let entry = read(&item.path);
            let own: Vec<(Digest, u64)> = entry.iter().flat_map(Entry::blobs).collect();
            let cost =
                own.iter().filter(|(digest, _)| !kept.contains(digest)).map(|(_, bytes)| bytes).sum::<u64>();
            let is_old = now.duration_since(item.used).is_ok_and(|unused| unused > age);
            if is_old || total + item.bytes + cost > size || entry.is_none() {
                fs::remove_file(&item.path)?;
                swept.results += 1;
                gone.extend(named(&item.path));
            } else {
                total += item.bytes + cost;
                kept.extend(own.into_iter().map(|(digest, _)| digest));
            }
        }
        // What the memo remembers of them would be reused without what they printed and made.
        if let Some(bytes) = Inventory::without(&self.memo(), &gone) {
            self.keep_memo(&bytes);
        }
        for item in items(self.blobs.folder())? {
            let is_kept = named(&item.path).is_some_and(|digest| kept.contains(&digest));
            let is_young = now.duration_since(item.used).is_ok_and(|age| age < UNDER_WAY);
            if !is_kept && !is_young {
                fs::remove_file(&item.path)?;
            }
        }
        swept.bytes = before.bytes.saturating_sub(self.stats()?.bytes);
        Ok(swept)
    }

    /// Prunes once a day; none where that was done already, or where there is nothing.
    pub fn tidy(&self, age: Duration, size: u64) -> io::Result<Option<Swept>> {
        let mark = self.folder().join("pruned");
        let done = mark.metadata().and_then(|meta| meta.modified());
        let is_due = done.map_or(true, |done| done.elapsed().is_ok_and(|since| since > DAY));
        if !is_due || !self.folder().is_dir() {
            return Ok(None);
        }
        // The mark first: of two processes one is enough.
        fs::write(&mark, b"")?;
        self.prune(age, size).map(Some)
    }

    /// Removes all of it.
    pub fn clear(&self) -> io::Result<Swept> {
        let before = self.stats()?;
        let folder = self.folder();
        let gone = folder.with_extension(format!("gone-{}", std::process::id()));
        match fs::rename(&folder, &gone) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Swept::default()),
            renamed => renamed?,
        }
        fs::remove_dir_all(&gone)?;
        Ok(Swept { results: before.results, bytes: before.bytes })
    }

    /// Says that a result was used now.
    pub(crate) fn touch(&self, key: Digest) {
        if let Ok(file) = fs::File::open(self.entry_path(key)) {
            let _ = file.set_modified(SystemTime::now());
        }
    }

    fn entries(&self) -> PathBuf {
        self.folder().join("entries")
    }
}

fn read(path: &Path) -> Option<Entry> {
    Entry::read(&fs::read(path).ok()?, named(path)?).ok()
}

/// The digest that a file is named by.
fn named(path: &Path) -> Option<Digest> {
    path.file_name()?.to_str()?.parse().ok()
}

/// The files two levels below a folder, and those that were left unfinished.
fn items(folder: &Path) -> io::Result<Vec<Item>> {
    let mut items = Vec::new();
    let Some(top) = listed(folder)? else { return Ok(items) };
    for entry in top {
        let meta = entry.metadata()?;
        let files = if meta.is_dir() { listed(&entry.path())?.unwrap_or_default() } else { vec![entry] };
        for file in files {
            let Ok(meta) = file.metadata() else { continue };
            let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            items.push(Item { path: file.path(), used, bytes: meta.len() });
        }
    }
    Ok(items)
}

fn listed(folder: &Path) -> io::Result<Option<Vec<fs::DirEntry>>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<io::Result<_>>().map(Some),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
