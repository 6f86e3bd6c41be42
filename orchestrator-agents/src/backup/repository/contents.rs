//! What a snapshot in a repository says of itself: `manifest.json` beside `files` and `refs.bundle`. A value.

use orchestrator_core::id::OrderKey;
use orchestrator_core::path::{Digest, RelPath};
use serde::{Deserialize, Serialize};

use crate::backup::manifest::{Entry, Name, Position, Stored, Unsettled, What};

/// The format that this version writes.
pub(in crate::backup) const CONTENTS_VERSION: u32 = 1;

/// What a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backup) struct Contents {
    /// Format of this file.
    pub(in crate::backup) version: u32,
    /// The order that made it.
    pub(in crate::backup) order: OrderKey,
    /// State of the git repository; none outside git.
    pub(in crate::backup) git: Option<Position>,
    /// The bundle of git refs; none without git or without a commit.
    pub(in crate::backup) bundle: Option<Stored>,
    /// Which of the entries are configuration.
    pub(in crate::backup) config: Vec<Name>,
    /// Ignored paths that were named to be kept all the same.
    pub(in crate::backup) include: Vec<RelPath>,
    /// Every file, link and folder below `files`, by path.
    pub(in crate::backup) entries: Vec<Entry>,
    /// What could not be stored as it was, and why.
    pub(in crate::backup) unsettled: Vec<Unsettled>,
}

impl Contents {
    /// An entry as it was read.
    pub(in crate::backup) fn entry(path: Name, mode: u32, what: What) -> Entry {
        Entry { path, mode, what, stamp: None }
    }

    /// A file.
    pub(in crate::backup) fn file(bytes: u64, blake3: Digest) -> What {
        What::File { bytes, blake3, extents: None }
    }

    /// Path, size and digest of each file.
    pub(in crate::backup) fn files(&self) -> impl Iterator<Item = (&Name, u64, Digest)> {
        self.entries.iter().filter_map(|entry| match &entry.what {
            What::File { bytes, blake3, .. } => Some((&entry.path, *bytes, *blake3)),
            What::Link { .. } | What::Folder => None,
        })
    }
}
