//! What an earlier snapshot has already: linked, not stored again. Each snapshot stays whole when another one goes.
//!
//! Only a snapshot that was restored to prove it is believed, and of it only files that still have their digest.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use orchestrator_core::BoxError;

use super::archive::{self, Archived, digest};
use super::compress::Compressor;
use super::list::Listing;
use super::stamp::stamp;
use super::{made, pool, sparse};
use crate::backup::manifest::{Entry, Manifest, Name, Position, Stored, What};
use crate::ops::here::Here;

/// An earlier snapshot.
#[derive(Debug)]
pub(super) struct Earlier {
    folder: PathBuf,
    pub(super) manifest: Manifest,
}

impl Earlier {
    /// The newest one that was verified, among those in a folder.
    pub(super) fn newest(all: &Path) -> Option<Self> {
        made::newest_verified(all).map(|(folder, manifest)| Self { folder, manifest })
    }

    /// Puts a file of it into a new snapshot, if it still is what it was.
    pub(super) fn link(&self, stored: &Stored, into: &Path) -> bool {
        self.link_as(stored, &into.join(&stored.file))
    }

    /// Replaces a file of a new snapshot by a link to the same of this one, so that it takes no room. Where that cannot be, it
    /// stays as it is.
    pub(super) fn share(&self, stored: &Stored, into: &Path) {
        let same = |theirs: &&Stored| (theirs.bytes, theirs.blake3) == (stored.bytes, stored.blake3);
        let aside = into.join(format!("{}.same", stored.file));
        if self.manifest.stored().find(same).is_some_and(|theirs| self.link_as(theirs, &aside))
            && fs::rename(&aside, into.join(&stored.file)).is_err()
        {
            let _ = fs::remove_file(&aside);
        }
    }

    fn link_as(&self, stored: &Stored, to: &Path) -> bool {
        let from = self.folder.join(&stored.file);
        let is_whole = from.symlink_metadata().is_ok_and(|found| found.is_file())
            && digest(&from).is_ok_and(|found| found == (stored.bytes, stored.blake3));
        // A file system without links, or a file with too many: it is stored again.
        is_whole && fs::hard_link(&from, to).is_ok()
    }

    /// Its bundle, if these refs are in it and no others.
    pub(super) fn bundle(&self, position: &Position) -> Option<&Stored> {
        let theirs = self.manifest.git.as_ref()?;
        let same = theirs.refs == position.refs && theirs.object_format == position.object_format;
        self.manifest.bundle.as_ref().filter(|_| same)
    }

    /// What an archive of the listing would hold, if it is all in the archive of this one.
    pub(super) fn archive(
        &self,
        here: &Here,
        listing: &Listing,
        looked: SystemTime,
        compressor: Compressor,
    ) -> Result<Option<Archived>, BoxError> {
        let Manifest { entries, archive, segments, .. } = &self.manifest;
        if self.manifest.compressor != compressor.program() || entries.len() != listing.found.len() {
            return Ok(None);
        }
        let pairs: Vec<_> = entries.iter().zip(&listing.found).collect();
        if !pairs.iter().all(|(entry, (path, found))| looks_same(entry, path, found, looked)) {
            return Ok(None);
        }
        let again = |(entry, (_, found)): &(&Entry, (&Name, &Metadata))| -> Result<Option<Entry>, BoxError> {
            here.go_on()?;
            let new = Entry { stamp: Some(stamp(found, looked)), ..(*entry).clone() };
            let settled = entry.stamp.is_some_and(|stamp| stamp.settled);
            Ok((settled || reads_same(here, entry, found)).then_some(new))
        };
        let Some(entries) = pool::map(&pairs, again)?.into_iter().collect::<Option<Vec<Entry>>>() else {
            return Ok(None);
        };
        let (stored, segments) = (archive.clone(), segments.clone());
        Ok(Some(Archived { stored, segments, entries, unsettled: listing.unsettled.clone() }))
    }
}

/// Whether the file system says nothing else of a thing than it did.
fn looks_same(entry: &Entry, path: &Name, found: &Metadata, looked: SystemTime) -> bool {
    let same_kind = match &entry.what {
        What::File { bytes, .. } => found.is_file() && found.len() == *bytes,
        What::Link { .. } => found.is_symlink(),
        What::Folder => found.is_dir(),
    };
    let same_mode = found.is_symlink() || found.mode() & 0o7777 == entry.mode;
    let same_stamp = entry.stamp.is_some_and(|stamp_then| stamp_then.holds(&stamp(found, looked)));
    same_kind && same_mode && same_stamp && entry.path == *path
}

/// Whether a thing that may have changed without a trace reads as it did.
fn reads_same(here: &Here, entry: &Entry, found: &Metadata) -> bool {
    let path = here.root.join(entry.path.as_path());
    let same = || -> std::io::Result<bool> {
        Ok(match &entry.what {
            What::Folder => true,
            What::Link { target } => Name::from(fs::read_link(&path)?.as_path()) == *target,
            // Where its holes are now is a question of its own: it is stored again.
            What::File { extents: Some(_), .. } => false,
            What::File { bytes, blake3, extents: None } => {
                let file = archive::open(&path)?;
                let before = file.metadata()?;
                archive::same(found, &before)
                    && sparse::digest(here, &file, *bytes, None)? == *blake3
                    && archive::same(&before, &file.metadata()?)
            }
        })
    };
    same().unwrap_or(false)
}
