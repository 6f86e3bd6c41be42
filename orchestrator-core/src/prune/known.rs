//! What is known of the runs in a state folder: sizes, and facts of those whose journals were folded, so that neither is
//! found out each time. A cache: where it is broken or missing it is made anew.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::facts::Facts;
use crate::id::RunId;
use crate::layout::Layout;

/// The most that is read of it.
const LARGEST: u64 = 64 << 20;
const VERSION: u32 = 1;

/// What a journal was like when it was looked at: with the same length and time it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seal {
    bytes: u64,
    seconds: i64,
    nanos: i64,
}

impl Seal {
    /// Of a run's journal; nothing where there is none.
    pub(super) fn of(layout: &Layout, run: &RunId) -> io::Result<Self> {
        let meta = fs::metadata(layout.journal(run))?;
        Ok(Self { bytes: meta.len(), seconds: meta.mtime(), nanos: meta.mtime_nsec() })
    }

    /// How long ago the journal was written to; nought where that is to come.
    pub(super) fn age(self, now: SystemTime) -> Duration {
        let seconds = u64::try_from(self.seconds).unwrap_or(0);
        let nanos = u32::try_from(self.nanos).unwrap_or(0).min(999_999_999);
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanos));
        at.and_then(|at| now.duration_since(at).ok()).unwrap_or_default()
    }

    pub(super) fn is_empty(self) -> bool {
        self.bytes == 0
    }
}

/// What is known of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    pub(super) seal: Seal,
    /// Bytes of its files.
    pub(super) bytes: u64,
    /// None where nobody had to know yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) facts: Option<Facts>,
}

/// What is known of all runs.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Index {
    version: u32,
    pub(super) runs: BTreeMap<RunId, Known>,
}

/// Whether a file is what a process that was killed left when it wrote this.
pub(super) fn is_draft(name: &str) -> bool {
    name.starts_with(".known.") && name.strip_suffix(".new").is_some()
}

fn path(layout: &Layout) -> PathBuf {
    layout.runs().join(".known.json")
}

impl Index {
    /// As written; empty where it is missing or broken.
    pub(super) fn load(layout: &Layout) -> Self {
        let read = || {
            let file = File::open(path(layout)).ok()?;
            let mut text = Vec::new();
            file.metadata().ok().filter(fs::Metadata::is_file)?;
            file.take(LARGEST).read_to_end(&mut text).ok()?;
            serde_json::from_slice::<Self>(&text).ok()
        };
        read().filter(|index| index.version == VERSION).unwrap_or_default()
    }

    /// Writes it whole. It is only a cache, so that this may fail.
    pub(super) fn store(&mut self, layout: &Layout) {
        self.version = VERSION;
        let (path, draft) =
            (path(layout), path(layout).with_extension(format!("{}.new", std::process::id())));
        let text = serde_json::to_vec(self).map_err(io::Error::other);
        let stored = text
            .and_then(|text| File::create(&draft)?.write_all(&text))
            .and_then(|()| fs::rename(&draft, &path));
        if let Err(error) = stored {
            let _ = fs::remove_file(&draft);
            tracing::debug!(path = %path.display(), %error, "sizes of runs could not be remembered");
        }
    }

    /// Makes it say what there is: forgets runs that are gone or have changed, measures those that it does not know. Says
    /// whether anything changed.
    pub(super) fn refresh(&mut self, layout: &Layout, runs: &[RunId]) -> bool {
        let mut fresh = BTreeMap::new();
        let mut changed = false;
        for run in runs {
            let seal = Seal::of(layout, run).unwrap_or(Seal { bytes: 0, seconds: 0, nanos: 0 });
            let known = self.runs.remove(run).filter(|known| known.seal == seal);
            changed |= known.is_none();
            let known =
                known.unwrap_or_else(|| Known { seal, bytes: size(&layout.run_dir(run)), facts: None });
            fresh.insert(run.clone(), known);
        }
        changed |= !self.runs.is_empty();
        self.runs = fresh;
        changed
    }
}

/// Bytes of all files below a folder; links are not followed. What cannot be read counts as nothing.
pub(super) fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}
