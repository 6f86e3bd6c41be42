//! Restores the tree of a snapshot into a folder of its own, and compares what came out with what the manifest says.
//!
//! Nothing is written but what the manifest lists, as it lists it: folders are made first, files are made new, links last, so that
//! no link leads anywhere while something is written. What an archive holds besides is refused.

mod unpack;

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::Path;

use orchestrator_core::BoxError;
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};

use super::compress::Compressor;
use super::list::{LeftOut, walk};
use super::{archive, pool, sparse};
use crate::backup::manifest::{Entry, Manifest, Name, What};
use crate::ops::here::Here;
use unpack::{Done, Unpacker};

/// Restores the tree of a snapshot into a folder that is empty, or not there yet.
///
/// # Errors
///
/// A folder that holds something; an archive that is damaged, hostile, or not the manifest's; a disk that is full. What was
/// restored until then is left.
pub(in crate::backup) fn tree(
    here: &Here,
    snapshot: &Path,
    manifest: &Manifest,
    into: &Path,
) -> Result<(), BoxError> {
    let entries = manifest.checked()?;
    make_empty(into)?;
    for entry in entries.values().filter(|entry| entry.what == What::Folder) {
        let path = into.join(entry.path.as_path());
        DirBuilder::new().mode(0o700).create(&path).map_err(|error| unwritten(entry, &error))?;
    }
    let name = &manifest.archive.file;
    let compressor = Compressor::of(&manifest.compressor)?;
    let unpacker = Unpacker { here, archive: &snapshot.join(name), compressor, entries: &entries, into };
    let (mut rest, mut count) = (Vec::new(), 0);
    let jobs = unpack::segments(manifest)?;
    pool::in_order(
        jobs.into_iter(),
        |job| unpacker.unpack(job),
        |done| {
            let done = done.map_err(|error| {
                if error.is::<Unwritten>() { error } else { format!("`{name}`: {error}").into() }
            })?;
            count += done.len();
            rest.extend(done.into_iter().filter(|done| !matches!(done.entry.what, What::File { .. })));
            here.progress.step("restoring files", Some((count as u64, entries.len() as u64)));
            Ok(())
        },
    )?;
    if count != entries.len() {
        return Err(format!("`{name}`: {count} of {} entries are in it", entries.len()).into());
    }
    settle(into, rest)
}

/// Makes the links, then gives folders their modes and times, the innermost first.
fn settle(into: &Path, mut rest: Vec<Done<'_>>) -> Result<(), BoxError> {
    for done in &rest {
        if let What::Link { target } = &done.entry.what {
            let path = into.join(done.entry.path.as_path());
            let made =
                symlink(target.as_path(), &path).and_then(|()| set_time_of_link(&path, done.seconds()));
            made.map_err(|error| unwritten(done.entry, &error))?;
        }
    }
    rest.retain(|done| done.entry.what == What::Folder);
    rest.sort_by(|one, other| other.entry.path.cmp(&one.entry.path));
    for done in rest {
        let closed = File::open(into.join(done.entry.path.as_path())).and_then(|folder| done.finish(&folder));
        closed.map_err(|error| unwritten(done.entry, &error))?;
    }
    Ok(())
}

fn set_time_of_link(path: &Path, modified: u64) -> io::Result<()> {
    let seconds = modified.cast_signed();
    let keep = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let times = Timestamps { last_access: keep, last_modification: Timespec { tv_sec: seconds, tv_nsec: 0 } };
    Ok(utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Makes sure of an empty folder that nobody else can enter while it is filled.
fn make_empty(folder: &Path) -> Result<(), BoxError> {
    let refused =
        |error: io::Error| format!("`{}` could not be used to restore into: {error}", folder.display());
    if folder.symlink_metadata().is_err() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(refused)?;
    }
    // A link to a folder is followed: it was named by whoever asked.
    if fs::read_dir(folder).map_err(refused)?.next().is_some() {
        return Err(format!("`{}` is not empty: restore into a folder of its own", folder.display()).into());
    }
    Ok(())
}

/// Something could not be written; the archive is not to blame.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` could not be restored: {why}")]
pub(super) struct Unwritten {
    path: Name,
    why: String,
}

fn unwritten(entry: &Entry, error: &io::Error) -> BoxError {
    Unwritten { path: entry.path.clone(), why: error.to_string() }.into()
}

/// Says where a restored tree differs from the manifest: content, modes, links, what is missing, what is too much.
pub(in crate::backup) fn compare(
    here: &Here,
    manifest: &Manifest,
    restored: &Path,
) -> Result<Vec<String>, BoxError> {
    let found = walk(here, restored, &LeftOut::from([".git".into()]))?.found;
    let look = |entry: &Entry| -> Result<Option<String>, BoxError> {
        here.go_on()?;
        let difference = match found.get(&entry.path) {
            None => Some("missing".to_owned()),
            Some(metadata) => differs(here, entry, metadata, &restored.join(entry.path.as_path()))
                .map_err(|error| format!("`{}`: {error}", entry.path))?,
        };
        Ok(difference.map(|what| format!("`{}`: {what}", entry.path)))
    };
    let mut wrong: Vec<String> = pool::map(&manifest.entries, look)?.into_iter().flatten().collect();
    let listed: std::collections::HashSet<&Name> = manifest.entries.iter().map(|entry| &entry.path).collect();
    let extra = found.keys().filter(|path| !listed.contains(path));
    wrong.extend(extra.map(|path| format!("`{path}`: not in the manifest")));
    Ok(wrong)
}

fn differs(here: &Here, entry: &Entry, found: &fs::Metadata, path: &Path) -> io::Result<Option<String>> {
    let mode = found.mode() & 0o7777;
    Ok(match &entry.what {
        What::Folder if !found.is_dir() => Some("not a folder".to_owned()),
        What::Link { .. } if !found.is_symlink() => Some("not a link".to_owned()),
        What::File { .. } if !found.is_file() => Some("not a file".to_owned()),
        What::Link { target } => {
            let points = Name::from(fs::read_link(path)?.as_path());
            (points != *target).then(|| format!("points to `{points}` instead of `{target}`"))
        }
        What::Folder | What::File { .. } if mode != entry.mode => {
            Some(format!("mode {mode:o} instead of {:o}", entry.mode))
        }
        What::Folder => None,
        What::File { bytes, .. } if found.len() != *bytes => {
            Some(format!("{} bytes instead of {bytes}", found.len()))
        }
        What::File { bytes, blake3, extents } => {
            let (file, extents) = (archive::open(path)?, extents.as_deref());
            let empty = match extents {
                Some(extents) => sparse::empty_outside(here, &file, *bytes, extents)?,
                None => true,
            };
            let same = empty && sparse::digest(here, &file, *bytes, extents)? == *blake3;
            (!same).then(|| "content differs".to_owned())
        }
    })
}
