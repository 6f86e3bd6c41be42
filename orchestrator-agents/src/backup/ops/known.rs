//! The snapshots of a folder as they lie there: what each holds, what it takes on disk, whether it was verified, what is wrong
//! with it. A look, no proof: only restoring a snapshot proves it.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use orchestrator_core::id::RunId;
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::made::{MANIFEST, MANIFEST_DIGEST, read};
use super::snapshot::PARTIAL;
use crate::backup::keep::Seen;
use crate::backup::manifest::{Manifest, Stored, What};

/// How the name of a snapshot begins that is being removed.
pub(super) const GONE: &str = ".gone-";
/// What verifying wrote.
pub(super) const VERIFICATION: &str = "verification.json";

/// All that lies in a folder of snapshots.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Shelf {
    /// The snapshots, the oldest first.
    pub snapshots: Vec<Known>,
    /// Folders and links that are no snapshots; they are left alone.
    pub strangers: Vec<String>,
    /// What is left of snapshots that were being made or removed.
    pub leftovers: Vec<String>,
    /// Bytes on disk of all snapshots together; what they share counts once.
    pub bytes: u64,
}

/// A snapshot that is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// When it was made.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Bytes on disk of its files.
    pub bytes: u64,
    /// Those of them that no earlier snapshot has.
    pub added: u64,
    /// What it holds; none where its manifest cannot be read.
    pub holds: Option<Holds>,
    /// When it was verified as it is now, and how.
    pub verified: Option<Verified>,
    /// What is wrong with it, as far as one sees without restoring it.
    pub damaged: Option<String>,
}

/// What a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holds {
    /// Files.
    pub files: u64,
    /// Bytes of those files.
    pub tree_bytes: u64,
    /// Commit that was checked out; none without one.
    pub head: Option<String>,
    /// Whether git's refs are in it.
    pub refs: bool,
    /// The run that made it.
    #[schemars(with = "String")]
    pub run: RunId,
}

/// That a snapshot was verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verified {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Milliseconds that restoring took.
    pub restore_ms: f64,
}

impl Known {
    /// What of it counts for keeping it.
    pub fn seen(&self) -> Seen {
        Seen {
            name: self.name.clone(),
            at: self.at,
            run: self.holds.as_ref().map(|holds| holds.run.clone()),
            verified: self.verified.is_some(),
            damaged: self.damaged.is_some(),
        }
    }
}

/// Looks at a folder of snapshots; an empty shelf where there is none. Links are not followed.
pub(super) fn look(folder: &Path) -> io::Result<Shelf> {
    let mut shelf = Shelf::default();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(shelf),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if name.starts_with(PARTIAL) || name.starts_with(GONE) {
            shelf.leftovers.push(name);
        } else if kind.is_dir() && is_snapshot(&entry.path()) {
            shelf.snapshots.push(known(&entry.path(), name));
        } else if !kind.is_file() {
            shelf.strangers.push(name);
        }
    }
    shelf.strangers.sort();
    shelf.leftovers.sort();
    let order = |known: &Known| (known.at, known.name.len(), known.name.clone());
    shelf.snapshots.sort_by_key(order);
    let names: Vec<&str> = shelf.snapshots.iter().map(|known| known.name.as_str()).collect();
    let sizes = sizes(folder, &names);
    for (known, Size { bytes, added }) in shelf.snapshots.iter_mut().zip(sizes) {
        (known.bytes, known.added) = (bytes, added);
        shelf.bytes += added;
    }
    Ok(shelf)
}

/// What a snapshot takes on disk.
struct Size {
    bytes: u64,
    /// What of it none before it has.
    added: u64,
}

/// What snapshots take on disk, in the order of their names here; what has several names counts once.
fn sizes(folder: &Path, names: &[&str]) -> Vec<Size> {
    let mut all = BTreeSet::new();
    let size = |name: &&str| {
        let mut own = Vec::new();
        // One that vanishes meanwhile takes no room.
        let _ = inodes(&folder.join(name), &mut own);
        let (mut size, mut once) = (Size { bytes: 0, added: 0 }, BTreeSet::new());
        for (inode, bytes) in own {
            if once.insert(inode) {
                size.bytes += bytes;
                size.added += if all.insert(inode) { bytes } else { 0 };
            }
        }
        size
    };
    names.iter().map(size).collect()
}

/// The last snapshot of a folder and the bytes that it added on disk; none where there is none. No manifest is read.
pub(super) fn growth(folder: &Path) -> io::Result<Option<(String, u64)>> {
    let names = snapshots(folder)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let last = sizes(folder, &names).pop();
    Ok(names.last().zip(last).map(|(name, size)| ((*name).to_owned(), size.added)))
}

/// Bytes on disk of all snapshots of a folder. No manifest is read.
pub(super) fn total(folder: &Path) -> io::Result<u64> {
    let names = snapshots(folder)?;
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(sizes(folder, &names).iter().map(|size| size.added).sum())
}

/// The names of all snapshots, the oldest first by what their names tell, or else by when they were last changed.
fn snapshots(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && entry.file_type()?.is_dir() && is_snapshot(&entry.path()) {
            let at = named(&name).or_else(|| modified(&entry.path()).ok()).unwrap_or_default();
            found.push((at, name.len(), name));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, _, name)| name).collect())
}

/// The time that a name tells.
fn named(name: &str) -> Option<Timestamp> {
    Some(stamp(name)?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Whether a folder is a snapshot of ours, sound or not.
pub(super) fn is_snapshot(folder: &Path) -> bool {
    [MANIFEST, MANIFEST_DIGEST].iter().any(|file| folder.join(file).is_file())
}

fn known(folder: &Path, name: String) -> Known {
    let manifest = read(folder);
    let damaged = match &manifest {
        Err(error) => Some(error.to_string()),
        Ok((manifest, digest)) => wrong(folder, manifest, *digest),
    };
    let verified = manifest.as_ref().ok().and_then(|(_, digest)| verified(folder, *digest));
    let holds = manifest.ok().map(|(manifest, _)| holds(&manifest));
    let of_run = || {
        let (stamp, _) = holds.as_ref()?.run.as_str().split_once('-')?;
        let time = DateTime::strptime("%Y%m%d%H%M%S", stamp).ok()?;
        Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
    };
    let at = named(&name).or_else(of_run).or_else(|| modified(folder).ok()).unwrap_or_default();
    Known { name, at, bytes: 0, added: 0, holds, verified, damaged }
}

fn holds(manifest: &Manifest) -> Holds {
    let sizes = manifest.entries.iter().filter_map(|entry| match entry.what {
        What::File { bytes, .. } => Some(bytes),
        What::Link { .. } | What::Folder => None,
    });
    Holds {
        files: sizes.clone().count() as u64,
        tree_bytes: sizes.sum(),
        head: manifest.git.as_ref().and_then(|git| git.head.clone()),
        refs: manifest.bundle.is_some(),
        run: manifest.order.run.clone(),
    }
}

/// What is wrong that can be seen without reading all of it.
fn wrong(folder: &Path, manifest: &Manifest, digest: Digest) -> Option<String> {
    match fs::read_to_string(folder.join(MANIFEST_DIGEST)) {
        Err(error) => return Some(format!("`{MANIFEST_DIGEST}`: {error}")),
        Ok(beside) if beside != format!("{digest}\n") => {
            return Some(format!("`{MANIFEST}` or `{MANIFEST_DIGEST}`: content differs"));
        }
        Ok(_) => {}
    }
    let mut parts = std::iter::once(&manifest.archive).chain(&manifest.bundle);
    parts.find_map(|Stored { file, bytes, .. }| match folder.join(file).metadata() {
        Err(error) => Some(format!("`{file}`: {error}")),
        Ok(found) if found.len() != *bytes => {
            Some(format!("`{file}`: {} bytes instead of {bytes}", found.len()))
        }
        Ok(_) => None,
    })
}

/// That it was verified with the manifest that it has now.
fn verified(folder: &Path, manifest: Digest) -> Option<Verified> {
    #[derive(Deserialize)]
    struct Written {
        manifest: Digest,
        restore_ms: f64,
    }
    let path = folder.join(VERIFICATION);
    let written: Written = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    let at = modified(&path).ok()?;
    (written.manifest == manifest).then_some(Verified { at, restore_ms: written.restore_ms })
}

/// The time that a name tells: `2026-11-20-234433`, also with the number of one of several in a second.
pub(super) fn stamp(name: &str) -> Option<DateTime> {
    let (time, number) = name.split_at_checked(17)?;
    let numbered =
        number.strip_prefix('-').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let time = DateTime::strptime("%Y-%m-%d-%H%M%S", time).ok()?;
    (number.is_empty() || numbered).then_some(time)
}

fn modified(path: &Path) -> io::Result<Timestamp> {
    let modified: SystemTime = path.metadata()?.modified()?;
    Timestamp::try_from(modified).map_err(io::Error::other)
}

/// Every file and folder below one, with its bytes on disk.
fn inodes(path: &Path, found: &mut Vec<((u64, u64), u64)>) -> io::Result<()> {
    let metadata: Metadata = path.symlink_metadata()?;
    found.push(((metadata.dev(), metadata.ino()), metadata.blocks() * 512));
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            inodes(&entry?.path(), found)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_time() {
        let time = |name| stamp(name).map(|time| time.to_string());
        assert_eq!(time("2026-11-20-234433").as_deref(), Some("2026-11-20T23:44:33"));
        assert_eq!(time("2026-11-20-234433-12").as_deref(), Some("2026-11-20T23:44:33"));
        for bad in [
            "",
            "2026-11-20",
            "2026-13-20-234433",
            "2026-11-20-234433x",
            "2026-11-20-234433-",
            "ä".repeat(9).as_str(),
        ] {
            assert_eq!(time(bad), None, "{bad}");
        }
    }
}
