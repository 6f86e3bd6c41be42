//! One call of a task at a time on a host, whatever becomes of the connections: what a cut left under way is waited for, and what a killed
//! program left running is ended.
//!
//! A lock of a file, held as long as the call: it goes with its process. The file goes when the call was seen to its end, so one that is
//! there still says that somebody was not.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orchestrator_core::id::OrderKey;
use orchestrator_core::local::ORDER_VARIABLE;
use rustix::process::{Pid, Signal, kill_process};

use crate::deployment::Process;
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::process;

/// How often it is tried.
const TICK: Duration = Duration::from_millis(20);
/// How long what was left running gets between the request to end and the kill, as where a stop ends it.
const GRACE: Duration = Duration::from_secs(3);
/// How long what was killed may be there still.
const LAST: Duration = Duration::from_secs(2);

/// Held while something is done for a task.
#[must_use]
pub(super) struct UnderWay {
    path: PathBuf,
    /// Closing it unlocks.
    _file: File,
}

impl UnderWay {
    /// Waits until nothing of that task is under way, and ends what a process that is gone left of it.
    pub(super) fn of(state: &Path, key: &OrderKey, halt: &Halt) -> Result<Self, DeployError> {
        let folder = state.join("under-way");
        fs::create_dir_all(&folder).tried("created", &folder)?;
        let path = folder.join(format!("{}-{}.lock", key.run, key.task));
        loop {
            let (file, was_there) = opened(&path)?;
            let waited = locked(&file, &path, halt)?;
            if !is_at(&file, &path) {
                continue;
            }
            if was_there || waited {
                end_left(state, key, halt)?;
            }
            return Ok(Self { path, _file: file });
        }
    }

    /// It was seen to its end: nothing is left of it. The lock goes after its file, so nobody takes another's away.
    pub(super) fn over(self) {
        // A file that stays costs the next call a look.
        let _ = fs::remove_file(&self.path);
    }
}

/// What marks the processes of an order, as an executor does on its own machine.
pub(super) fn mark(state: &Path, key: &OrderKey) -> String {
    format!("{}:{key}", state.display())
}

/// The file, and whether it was there.
fn opened(path: &Path) -> Result<(File, bool), DeployError> {
    loop {
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok((made.tried("created", path)?, false)),
        }
        match OpenOptions::new().write(true).open(path) {
            // It went this moment.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return Ok((opened.tried("opened", path)?, true)),
        }
    }
}

/// Waits for the lock; whether that took any waiting.
fn locked(file: &File, path: &Path, halt: &Halt) -> Result<bool, DeployError> {
    let mut waited = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(waited),
            Err(TryLockError::WouldBlock) => halt.pause(TICK)?,
            Err(TryLockError::Error(error)) => return Err(error).tried("locked", path),
        }
        waited = true;
    }
}

/// Whether it is the file of that name still: whoever had it before may have removed it.
fn is_at(file: &File, path: &Path) -> bool {
    let same =
        |one: &fs::Metadata, other: &fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(one), Ok(other)) if same(&one, &other))
}

/// Ends the processes of a task whose own process is gone: nobody would ever tell them to.
fn end_left(state: &Path, key: &OrderKey, halt: &Halt) -> Result<(), DeployError> {
    let of_task = format!("{}:{}/{}#", state.display(), key.run, key.task);
    for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, LAST)] {
        let until = Instant::now() + patience;
        let mut told: Vec<Process> = Vec::new();
        loop {
            let left = marked(&of_task);
            if left.is_empty() {
                return Ok(());
            }
            if Instant::now() >= until {
                break;
            }
            for process in left.into_iter().filter(|process| !told.contains(process)).collect::<Vec<_>>() {
                if let Some(pid) =
                    Pid::from_raw(process.pid.cast_signed()).filter(|_| process::is_alive(&process))
                {
                    // It may have ended this moment.
                    let _ = kill_process(pid, signal);
                }
                told.push(process);
            }
            halt.pause(TICK)?;
        }
    }
    match marked(&of_task).first() {
        Some(process) => Err(DeployError::StillThere(process.pid)),
        None => Ok(()),
    }
}

/// The live processes, but this one, whose order begins like that.
fn marked(wanted: &str) -> Vec<Process> {
    let Ok(folders) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = folders.flatten().filter_map(|folder| folder.file_name().to_str()?.parse::<u32>().ok());
    let is_of = |pid: &u32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mut variables = environ.split(|byte| *byte == 0);
        let order = variables
            .find_map(|variable| variable.strip_prefix(ORDER_VARIABLE.as_bytes())?.strip_prefix(b"="));
        order.is_some_and(|order| order.starts_with(wanted.as_bytes()))
    };
    pids.filter(|pid| *pid != std::process::id()).filter(is_of).filter_map(process::identity).collect()
}
