//! What to spawn, and why it could not be.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::{Mask, OnLine};

/// One command, complete: nothing is taken from our own environment.
///
/// No `Debug`: its environment and input may hold secrets.
pub(crate) struct Spawn {
    /// A name to look up on the `PATH` of `env`, or a path (relative to `cwd`) if it has a slash.
    pub(crate) program: String,
    pub(crate) args: Vec<String>,
    pub(crate) cwd: PathBuf,
    /// The whole environment. What is masked elsewhere is in the clear here.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// What the command reads; without it, standard input is `/dev/null`.
    pub(crate) stdin: Option<Vec<u8>>,
    /// Log files; each is made, parent folders and all, when the first byte comes, and replaces an older one. The two
    /// must differ.
    pub(crate) stdout: PathBuf,
    pub(crate) stderr: PathBuf,
    pub(crate) mask: Option<Arc<Mask>>,
    /// How long a graceful stop waits between the TERM and the KILL.
    pub(crate) grace: Duration,
    /// Told of lines as they come. Lossy: in a flood only the last lines of each read are told.
    pub(crate) lines: Option<Arc<OnLine>>,
    /// How long to read on, after the command has ended, from a stray process that still holds its output open.
    pub(crate) give_up_after_exit: Duration,
}

/// Why a command did not run, or how we failed it.
#[derive(Debug, Error)]
pub(crate) enum SpawnError {
    #[error("`{program}` was not found on PATH ({path})")]
    NotFound { program: String, path: String },
    #[error("`{}` does not exist", .0.display())]
    NoSuchFile(PathBuf),
    #[error("`{}` cannot be executed", program.display())]
    NotExecutable { program: PathBuf, source: io::Error },
    #[error("working directory `{}` cannot be entered", cwd.display())]
    WorkingDirectory { cwd: PathBuf, source: io::Error },
    /// The command was ended, as its output could not be kept.
    #[error("log `{}` could not be written; the command was ended", path.display())]
    Log { path: PathBuf, source: io::Error },
    #[error("`{program}` was not started: the run is stopping")]
    Stopped { program: String },
    #[error("`{program}` could not be run")]
    Io { program: String, source: io::Error },
}
