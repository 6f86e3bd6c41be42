//! A run's inbox: a folder with one file for each signal, so that any process may drop one at any time.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::id::RunId;
use crate::order::Signal;
use crate::store::StoreError;
use crate::store::journal::io_error;

/// The largest signal.
const MAX_SIGNAL: u64 = 1 << 20;
/// The most signals that are taken at once; the rest comes when these were seen.
const MAX_SIGNALS: usize = 1000;

/// A new token. Later ones sort after earlier ones; two processes never make the same.
pub(super) fn token() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    let last = LAST.fetch_max(now, Ordering::Relaxed);
    let nanos = if now > last { now } else { LAST.fetch_add(1, Ordering::Relaxed) + 1 };
    let random = RandomState::new().build_hasher().finish() as u32;
    format!("{nanos:020}-{random:08x}")
}

fn file_of(inbox: &Path, token: &str) -> Result<PathBuf, StoreError> {
    let plain = !token.is_empty() && !token.starts_with('.') && !token.contains(['/', '\\', '\0']);
    let path = inbox.join(format!("{token}.json"));
    if plain {
        Ok(path)
    } else {
        Err(io_error("a signal of an inbox", &path, io::ErrorKind::InvalidInput.into()))
    }
}

/// Drops a signal. When it returns, it survives the death of the machine: people do not approve twice.
pub(super) fn put(inbox: &Path, run: &RunId, signal: &Signal) -> Result<(), StoreError> {
    let path = file_of(inbox, &token())?;
    let failed = |error| io_error("written", &path, error);
    let text = serde_json::to_vec(signal).map_err(|error| failed(error.into()))?;
    let bytes = text.len() as u64;
    if bytes > MAX_SIGNAL {
        let (what, run) = (format!("signal `{}`", signal.name), run.clone());
        return Err(StoreError::TooLarge { run, what, bytes, limit: MAX_SIGNAL });
    }
    let make = || match fs::create_dir(inbox) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && inbox.is_dir() => Ok(()),
        made => made,
    };
    crate::aside::folder(inbox.parent().unwrap_or(inbox), inbox, make).map_err(failed)?;
    let draft = path.with_extension("new");
    let dropped = File::create_new(&draft)
        .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&draft, &path))
        .and_then(|()| File::open(inbox)?.sync_all());
    dropped.map_err(|error| {
        // It was never there for readers; what is left of it only takes room.
        let _ = fs::remove_file(&draft);
        failed(error)
    })
}

/// What is there, in the order of arrival. `unread` is told of files that are no signals, and of an inbox that is no folder.
pub(super) fn take(
    inbox: &Path,
    mut unread: impl FnMut(&Path, &dyn std::fmt::Display),
) -> Result<Vec<(String, Signal)>, StoreError> {
    let failed = |error| io_error("read", inbox, error);
    let entries = match fs::read_dir(inbox) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            unread(inbox, &error);
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut tokens = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if let Some(token) = name.to_str().and_then(|name| name.strip_suffix(".json"))
            && file_of(inbox, token).is_ok()
        {
            tokens.push(token.to_owned());
        }
    }
    tokens.sort_unstable();
    let mut signals = Vec::new();
    for token in tokens {
        let path = inbox.join(format!("{token}.json"));
        match read(&path) {
            Ok(signal) => signals.push((token, signal)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => unread(&path, &error),
        }
        if signals.len() == MAX_SIGNALS {
            break;
        }
    }
    Ok(signals)
}

fn read(path: &Path) -> io::Result<Signal> {
    let found = fs::symlink_metadata(path)?;
    if !found.is_file() || found.len() > MAX_SIGNAL {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file, or larger than 1 MiB"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_SIGNAL).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// Removes a signal. One that is gone already is all right.
pub(super) fn remove(inbox: &Path, token: &str) -> Result<(), StoreError> {
    let path = file_of(inbox, token)?;
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("removed", &path, error)),
        _ => Ok(()),
    }
}
