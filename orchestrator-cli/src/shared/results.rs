//! The cache's door to a shared place.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use orchestrator_core::BoxError;
use orchestrator_core::cache::Shared;

use super::timed::Timed;

/// The longest entry that is taken into memory; what is longer comes cut, and so is not whole.
const ENTRY: u64 = 64 << 20;
/// The longest file that is taken.
const BLOB: u64 = 64 << 30;

/// Results of tasks in a shared place: `cache/entries/AB/KEY` and `cache/blobs/AB/DIGEST`.
pub(super) struct Results {
    place: Timed,
    write: bool,
    /// What was there when this process asked. Where it is put after all, it was of no use: it is replaced.
    taken: Mutex<BTreeSet<String>>,
    /// Of the result that is being put, something was of no use: what else it names is replaced too, looked at or not.
    doubted: AtomicBool,
}

impl Results {
    pub(super) fn new(place: Timed, write: bool) -> Self {
        Self { place, write, taken: Mutex::default(), doubted: AtomicBool::new(false) }
    }

    /// Whether the bytes are there already, as far as that can be told without taking them.
    fn has(&self, name: &str, from: &Path) -> Result<bool, BoxError> {
        // Of one key, machines record different times. The later one is as good.
        if !name.starts_with("blobs/") {
            self.doubted.store(false, Ordering::Relaxed);
            return Ok(false);
        }
        if self.taken.lock().unwrap_or_else(PoisonError::into_inner).contains(name) {
            self.doubted.store(true, Ordering::Relaxed);
        }
        if self.doubted.load(Ordering::Relaxed) {
            return Ok(false);
        }
        Ok(self.place.size(&place_of(name))? == Some(from.metadata()?.len()))
    }
}

impl Shared for Results {
    fn address(&self) -> &str {
        self.place.address()
    }

    fn get(&self, name: &str, to: &mut dyn Write) -> Result<bool, BoxError> {
        let most = if name.starts_with("entries/") { ENTRY } else { BLOB };
        let found = self.place.get(&place_of(name), most, to)?;
        if found {
            self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        }
        Ok(found)
    }

    fn put(&self, name: &str, from: &Path) -> Result<(), BoxError> {
        if !self.write || self.has(name, from)? {
            return Ok(());
        }
        self.place.put(&place_of(name), from)
    }
}

/// Where a name of the cache lies: in many folders, since one would grow long.
fn place_of(name: &str) -> String {
    match name.split_once('/') {
        Some((kind, digest)) if digest.len() > 2 && digest.is_ascii() => {
            format!("cache/{kind}/{}/{digest}", &digest[..2])
        }
        _ => format!("cache/{name}"),
    }
}
