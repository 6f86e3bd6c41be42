//! Locks between processes: an OS file lock, which dies with its owner, with the owner written inside for people.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::RunId;
use crate::stop::{Stop, StopLevel};

/// Who holds a lock. Told to people; nothing is decided on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The run that it is held for.
    pub run: RunId,
    /// Process id.
    pub pid: u32,
    /// Name of the machine; empty where not known.
    pub host: String,
    /// Since when.
    pub since: Timestamp,
    /// What was started, as people would type it; empty where not known.
    pub command: String,
}

/// A lock that is held. Dropping it releases it, and so does the death of the process.
#[derive(Debug)]
#[must_use]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// A lock was not got.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process, or another part of this one, holds it.
    #[error("`{}` is held by {}", .path.display(), holder(.owner.as_ref()))]
    Held {
        /// The lock.
        path: PathBuf,
        /// Who holds it, where that can be read.
        owner: Option<Owner>,
    },
    /// A stop was asked for while waiting.
    #[error("stopped while waiting for `{}`", .path.display())]
    Stopped {
        /// The lock.
        path: PathBuf,
    },
    /// The lock's file could not be made, opened or locked.
    #[error("`{}` could not be locked", .path.display())]
    Io {
        /// The lock.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

const POLL: Duration = Duration::from_millis(200);
/// [`Lock::is_held`] holds the lock for a moment, so one failed try says nothing.
const TRIES: u32 = 5;
/// How often a lock is tried whose owner is dead: a child that it was about to start may have it for a moment yet.
const TRIES_OF_DEAD: u32 = 200;
const LONGEST_OWNER: u64 = 64 << 10;

impl Owner {
    /// This process, from now on.
    pub fn here(run: RunId, command: impl Into<String>) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Self { run, pid: std::process::id(), host, since: Timestamp::now(), command: command.into() }
    }

    /// Whether it was a process of this machine that is no more.
    fn is_dead(&self) -> bool {
        let here = rustix::system::uname().nodename().to_string_lossy() == self.host;
        let pid = i32::try_from(self.pid).ok().and_then(rustix::process::Pid::from_raw);
        here && pid.is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, pid, host, since, command } = self;
        write!(f, "run `{run}` (process {pid}")?;
        if !host.is_empty() {
            write!(f, " on {host}")?;
        }
        if !command.is_empty() {
            write!(f, ", `{command}`")?;
        }
        write!(f, ", since {})", since.strftime("%Y-%m-%d %H:%M:%S UTC"))
    }
}

fn holder(owner: Option<&Owner>) -> String {
    owner.map_or_else(|| "another process".to_owned(), ToString::to_string)
}

impl Lock {
    /// Takes the lock, or says who holds it. Makes its file and folder where there are none.
    pub fn acquire(path: &Path, owner: &Owner) -> Result<Self, LockError> {
        Self::attempt(path, owner, TRIES)
    }

    fn attempt(path: &Path, owner: &Owner, tries: u32) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let open = || OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let file = match open() {
            // Nobody can hold a folder, so it is nobody's lock.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => path
                .parent()
                .map_or(Err(error), |folder| crate::aside::set_aside(folder, path))
                .and_then(|_| open()),
            opened => opened,
        };
        let file = file.map_err(failed)?;
        let mut left = tries;
        let mut of_dead = TRIES_OF_DEAD;
        loop {
            left = left.saturating_sub(1);
            match file.try_lock() {
                Ok(()) => {
                    let mut lock = Self { file, path: path.to_owned() };
                    lock.write(owner).map_err(failed)?;
                    return Ok(lock);
                }
                Err(TryLockError::WouldBlock) if left > 0 => std::thread::sleep(Duration::from_millis(1)),
                Err(TryLockError::WouldBlock) => {
                    let holder = read(&file);
                    of_dead = of_dead.saturating_sub(1);
                    if of_dead == 0 || !holder.as_ref().is_some_and(Owner::is_dead) {
                        return Err(LockError::Held { path: path.to_owned(), owner: holder });
                    }
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
    }

    /// Takes the lock as soon as it is free. `on_wait` is told who holds it: at first, and when that changes.
    pub async fn wait(
        path: &Path,
        owner: &Owner,
        on_wait: &mut (dyn FnMut(Option<&Owner>) + Send),
        stop: &Stop,
    ) -> Result<Self, LockError> {
        let mut told = None;
        loop {
            let tries = if told.is_none() { TRIES } else { 1 };
            match Self::attempt(path, owner, tries) {
                Err(LockError::Held { path: _, owner: holder }) => {
                    if told.as_ref() != Some(&holder) {
                        on_wait(holder.as_ref());
                        told = Some(holder);
                    }
                }
                got => return got,
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = stop.at_least(StopLevel::Graceful) => {
                    return Err(LockError::Stopped { path: path.to_owned() });
                }
            }
        }
    }

    /// Whether somebody holds the lock, this process included. No file is made.
    pub fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return false };
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(_)) => false,
            // As in `drop`: closing is not enough where a child is about to be started.
            Ok(()) => file.unlock().is_err(),
        }
    }

    /// Who holds the lock; none where nobody does or that cannot be read.
    pub fn owner(path: &Path) -> Option<Owner> {
        if Self::is_held(path) { read(&File::open(path).ok()?) } else { None }
    }

    fn write(&mut self, owner: &Owner) -> io::Result<()> {
        let text = serde_json::to_vec(owner)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        // On a full disk the lock holds all the same; it only cannot say whose it is.
        if let Err(error) = self.file.write_all(&text) {
            tracing::warn!(path = %self.path.display(), %error, "the owner of a lock could not be written");
        }
        Ok(())
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child that is about to be started may share the file for a moment, so closing it is not enough.
        let cleared = self.file.set_len(0);
        if let Err(error) = self.file.unlock().and(cleared) {
            tracing::warn!(path = %self.path.display(), %error, "a lock could not be released cleanly");
        }
    }
}

/// The owner as written; none where it was being written, or its writer died over it.
fn read(mut file: &File) -> Option<Owner> {
    let mut text = Vec::new();
    file.rewind().ok()?;
    file.take(LONGEST_OWNER).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
#[path = "lock/tests.rs"]
mod tests;
