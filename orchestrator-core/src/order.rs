//! What goes to an executor and what comes back: data on both sides, so that it may happen elsewhere.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::id::OrderKey;
use crate::json::Json;
use crate::outcome::Failure;
use crate::path::{Digest, RelPath};

/// An action with the key to perform it under. Places in it are relative to the executor's root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Names the order for good.
    pub key: OrderKey,
    /// What to perform.
    pub action: Action,
}

/// What performing an order gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// How it ended.
    pub status: Status,
    /// What an operation returned, or a signal brought.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub output: Json,
    /// Everything written to standard output; none when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<Artifact>,
    /// Everything written to standard error; none when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<Artifact>,
    /// The last lines of both, for people; at most 4 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
    /// Files that it was told to keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<Artifact>,
    /// Milliseconds that it took.
    #[serde(default)]
    pub took_ms: f64,
    /// What it used; none where that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Used>,
    /// Whether it was not even begun, since what would undo it is not known: nothing can have changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unbegun: bool,
}

/// How performing an order ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Carried out: a file action, an operation that returned, a signal that came.
    Done,
    /// The file was already as wanted; nothing was touched.
    AlreadySo,
    /// The time that a wait named has passed.
    Elapsed,
    /// The command ended with this code.
    Exited(i32),
    /// The command was ended by this signal.
    Signaled(i32),
    /// Ended because the task's time was up.
    TimedOut,
    /// It was not carried out, or the operation failed; says why, and whether trying again can help.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether a retry can cure it.
        transient: bool,
    },
    /// A person said on resuming that it had been carried out before the crash.
    AssumedDone,
}

/// CPU time that a command used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Milliseconds in user mode.
    pub user_ms: u64,
    /// Milliseconds in the kernel.
    pub system_ms: u64,
}

/// A file that is kept by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Artifact {
    /// What it was called where it came from.
    pub name: String,
    /// Where it is, relative to the run's folder.
    pub place: RelPath,
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
}

impl Receipt {
    /// A receipt with nothing but a status.
    pub fn new(status: Status) -> Self {
        Self {
            status,
            output: Json::null(),
            stdout: None,
            stderr: None,
            tail: String::new(),
            artifacts: Vec::new(),
            took_ms: 0.0,
            used: None,
            unbegun: false,
        }
    }

    /// A receipt that says why it was not carried out.
    pub fn failed(failure: Failure, transient: bool) -> Self {
        Self::new(Status::Failed { failure, transient })
    }

    /// One of what was not even begun, so that nothing of it needs to be undone.
    pub fn refused(failure: Failure, transient: bool) -> Self {
        Self { unbegun: true, ..Self::failed(failure, transient) }
    }

    /// Whether it went well: done, or exit code 0.
    pub fn ok(&self) -> bool {
        match self.status {
            Status::Done | Status::AlreadySo | Status::Elapsed | Status::AssumedDone => true,
            Status::Exited(code) => code == 0,
            Status::Signaled(_) | Status::TimedOut | Status::Failed { .. } => false,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::AlreadySo => f.write_str("already so"),
            Self::Elapsed => f.write_str("time elapsed"),
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signaled(signal) => write!(f, "ended by signal {signal}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Failed { failure, transient: _ } => write!(f, "{failure}"),
            Self::AssumedDone => f.write_str("assumed done"),
        }
    }
}

/// Something from outside that a run waits for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Which one.
    pub name: crate::id::SignalName,
    /// What it brings; the receipt's output.
    #[serde(default)]
    pub payload: Json,
    /// Who sent it, as they say.
    #[serde(default)]
    pub from: String,
}

/// Reads what receipts name. Handed to `conclude`, which stays pure: same artifacts, same verdict.
pub trait ArtifactSource: Send + Sync {
    /// The bytes of an artifact, at most `limit` of them from its start.
    fn read(&self, artifact: &Artifact, limit: u64) -> std::io::Result<Vec<u8>>;
}

/// The artifacts of a task's receipts.
#[derive(Clone, Copy)]
pub struct Artifacts<'a>(&'a dyn ArtifactSource);

impl<'a> Artifacts<'a> {
    /// The most bytes that are read of one artifact.
    pub const LIMIT: u64 = 64 << 20;

    /// Artifacts that come from `source`.
    pub fn new(source: &'a dyn ArtifactSource) -> Self {
        Self(source)
    }

    /// The bytes of an artifact; the first 64 MiB of a larger one.
    pub fn bytes(&self, artifact: &Artifact) -> std::io::Result<Vec<u8>> {
        self.0.read(artifact, Self::LIMIT)
    }

    /// The text of an output; empty where there was none. Bytes that are no UTF-8 are replaced.
    pub fn text(&self, artifact: Option<&Artifact>) -> std::io::Result<String> {
        let Some(artifact) = artifact else { return Ok(String::new()) };
        Ok(String::from_utf8_lossy(&self.bytes(artifact)?).into_owned())
    }
}
