//! Results of tasks, kept by fingerprint: on this machine, and in a place that a team shares.
//!
//! Nothing here can fail a run: what is damaged is set aside, what cannot be stored is not, and a shared place that does not
//! answer is left alone for the rest of the run, with one warning.

mod blobs;
mod entry;
mod shared;
mod sweep;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::id::RunId;
use crate::inventory::Tables;
use crate::layout::Layout;
use crate::order::Artifact;
use crate::path::Digest;
use blobs::Blobs;

pub use entry::{Entry, Made, Recorded};
pub use shared::Shared;
pub use sweep::{Stats, Swept};

/// Results of tasks by fingerprint.
pub struct Cache {
    layout: Layout,
    blobs: Blobs,
    shared: Option<Arc<dyn Shared>>,
    /// The shared place did not answer.
    away: AtomicBool,
    /// Something could not be stored, and that was said.
    full: AtomicBool,
    /// What is remembered of earlier looks, while it is read.
    ahead: Mutex<Option<Reading>>,
}

type Reading = JoinHandle<io::Result<Option<Tables>>>;

/// What is being read ahead of a run.
#[derive(Debug)]
pub struct Ahead(Option<Reading>);

impl Cache {
    /// The cache of a state folder. Nothing is made before something is stored.
    pub fn open(layout: Layout) -> Self {
        let blobs = Blobs::new(layout.cache().join("blobs"));
        let (away, full, ahead) = (AtomicBool::new(false), AtomicBool::new(false), Mutex::default());
        Self { layout, blobs, shared: None, away, full, ahead }
    }

    /// Begins to read what a run of this state folder will need, on a thread of its own.
    pub fn read_ahead(layout: &Layout) -> Ahead {
        let memo = memo(layout);
        Ahead(std::thread::Builder::new().name("memo".into()).spawn(move || Tables::load(&memo)).ok())
    }

    /// Takes what was read ahead.
    pub fn take_ahead(&self, ahead: Ahead) {
        *self.ahead.lock().unwrap_or_else(PoisonError::into_inner) = ahead.0;
    }

    /// What is remembered of earlier looks.
    pub(crate) fn remembered(&self) -> io::Result<Option<Tables>> {
        let ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner).take();
        match ahead.map(JoinHandle::join) {
            Some(Ok(tables)) => tables,
            Some(Err(_)) | None => Tables::load(&self.memo()),
        }
    }

    /// Also uses a place that a team shares.
    #[must_use]
    pub fn shared(mut self, shared: Arc<dyn Shared>) -> Self {
        self.shared = Some(shared);
        self
    }

    /// The folder that it lies in.
    pub fn folder(&self) -> PathBuf {
        self.layout.cache()
    }

    /// The file of what was looked at.
    pub(crate) fn memo(&self) -> PathBuf {
        memo(&self.layout)
    }

    fn entry_path(&self, key: Digest) -> PathBuf {
        let name = key.to_string();
        self.layout.cache().join("entries").join(&name[..2]).join(name)
    }

    /// The result under a fingerprint, with all its bytes on this machine; none where there is none.
    pub fn find(&self, key: Digest) -> Option<Entry> {
        let path = self.entry_path(key);
        match fs::read(&path) {
            Ok(bytes) => match Entry::read(&bytes, key) {
                // Bytes that are gone, or were never there, may lie in the shared place.
                Ok(entry) => self.complete(&entry).then_some(entry),
                Err(why) => {
                    self.set_aside(&path, &why);
                    None
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.find_shared(key),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a cached result could not be read");
                None
            }
        }
    }

    fn complete(&self, entry: &Entry) -> bool {
        entry.blobs().all(|(digest, bytes)| self.blobs.has(digest, bytes) || self.fetch(digest))
    }

    fn find_shared(&self, key: Digest) -> Option<Entry> {
        let mut bytes = Vec::new();
        let found = self.ask(|shared| shared.get(&format!("entries/{key}"), &mut bytes))?;
        if !found {
            return None;
        }
        match Entry::read(&bytes, key) {
            Ok(entry) if self.complete(&entry) => {
                let path = self.entry_path(key);
                if let Err(error) = write(&path, &bytes) {
                    self.cannot_store(&error);
                }
                Some(entry)
            }
            Ok(_) => None,
            Err(why) => {
                let address = self.shared.as_ref().map(|shared| shared.address()).unwrap_or_default();
                tracing::warn!(address, %key, why, "a result in the shared cache is damaged and is not used");
                None
            }
        }
    }

    /// Fetches bytes from the shared place; they are checked before they are kept.
    fn fetch(&self, digest: Digest) -> bool {
        let mut there = false;
        let kept = self.blobs.keep_written(digest, |file| {
            there = self.ask(|shared| shared.get(&format!("blobs/{digest}"), file)).unwrap_or(false);
            if there { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
        });
        if let Err(error) = &kept
            && there
        {
            tracing::warn!(%digest, %error, "bytes in the shared cache are damaged or cannot be kept, and are not used");
        }
        kept.is_ok()
    }

    /// Asks the shared place; none where there is none or it does not answer.
    fn ask<T>(&self, question: impl FnOnce(&dyn Shared) -> Result<T, crate::BoxError>) -> Option<T> {
        let shared = self.shared.as_ref().filter(|_| !self.away.load(Ordering::Relaxed))?;
        match question(&**shared) {
            Ok(answer) => Some(answer),
            Err(error) => {
                if !self.away.swap(true, Ordering::Relaxed) {
                    let address = shared.address();
                    tracing::warn!(address, %error, "the shared cache does not answer; this run goes on without it");
                }
                None
            }
        }
    }

    /// Keeps the content of a file.
    pub(crate) fn keep(&self, from: &Path) -> io::Result<(Digest, u64)> {
        self.blobs.keep(from)
    }

    /// Stores a result whose bytes are kept. One that cannot be stored is not, and that is said once.
    pub(crate) fn store(&self, key: Digest, entry: &Entry) -> bool {
        let path = self.entry_path(key);
        if let Err(error) = write(&path, &entry.bytes()) {
            self.cannot_store(&error);
            return false;
        }
        // Bytes first: whoever sees the entry elsewhere finds them.
        self.ask(|shared| {
            for (digest, _) in entry.blobs() {
                shared.put(&format!("blobs/{digest}"), &self.blobs.path(digest))?;
            }
            shared.put(&format!("entries/{key}"), &path)
        });
        true
    }

    /// Says once that something could not be stored.
    pub(crate) fn cannot_store(&self, error: &io::Error) {
        if !self.full.swap(true, Ordering::Relaxed) {
            let folder = self.layout.cache();
            tracing::warn!(folder = %folder.display(), %error, "results could not be stored; the run goes on without");
        }
    }

    /// Forgets a result.
    pub(crate) fn forget(&self, key: Digest) {
        let _ = fs::remove_file(self.entry_path(key));
    }

    /// Copies a file that a task made to where it belongs.
    pub(crate) fn restore(&self, made: &Made, root: &Path) -> io::Result<()> {
        self.blobs.copy(made.digest, &made.path.under(root), made.mode)
    }

    /// Puts what a task printed and kept into the folder of a run that reuses its result.
    pub(crate) fn show(&self, captured: &[Artifact], run: &RunId) {
        let folder = self.layout.run_dir(run);
        for artifact in captured {
            if let Err(error) = self.blobs.show(artifact.digest, &artifact.place.under(&folder)) {
                tracing::debug!(artifact = artifact.name, %error, "what a reused task printed could not be shown");
            }
        }
    }

    /// Where something of a run lies.
    pub(crate) fn of_run(&self, artifact: &Artifact, run: &RunId) -> PathBuf {
        artifact.place.under(&self.layout.run_dir(run))
    }

    /// Sets something damaged aside, with a message.
    pub(crate) fn set_aside(&self, path: &Path, why: &str) {
        let folder = self.layout.set_aside();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let to = folder.join(format!("cache-{name}"));
        let moved = fs::create_dir_all(&folder).and_then(|()| fs::rename(path, &to));
        let (path, to) = (path.display(), to.display());
        match moved {
            Ok(()) => {
                tracing::warn!(%path, why, %to, "a part of the cache is damaged; it was set aside and is made anew");
            }
            Err(error) => {
                tracing::warn!(%path, why, %error, "a part of the cache is damaged and is not used");
            }
        }
    }

    /// Writes the memo of what was looked at.
    pub(crate) fn keep_memo(&self, bytes: &[u8]) {
        if let Err(error) = write(&self.memo(), bytes) {
            self.cannot_store(&error);
        }
    }
}

fn memo(layout: &Layout) -> PathBuf {
    layout.cache().join("look")
}

/// Writes beside the file, then renames.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let thread = std::thread::current().id();
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let beside = folder.join(format!(".{name}.{}-{thread:?}.new", std::process::id()));
    let mut written = fs::write(&beside, bytes);
    if written.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        fs::create_dir_all(folder)?;
        written = fs::write(&beside, bytes);
    }
    written.and_then(|()| fs::rename(&beside, path)).inspect_err(|_| drop(fs::remove_file(&beside)))
}

#[cfg(test)]
mod tests;
