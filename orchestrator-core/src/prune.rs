//! Which runs go, which stay although they are over a limit, and why. The judgement is pure; `look` sees, `remove` acts.
//!
//! Runs are over a limit by number, by age (of the last record) or by size (of the latest runs together). Even then a run
//! stays while one of these holds:
//!
//! - a process runs it: its lock is held;
//! - it waits for a person, or was stopped while publishing: no limit removes it;
//! - it was stopped or its process died, so that it can be resumed: number and size do not remove it, age does;
//! - **its undo is live**: an action with a journaled undo may have changed something, and no later rollback of the run has
//!   passed whole and was not itself rolled back. A rollback is a run as well, with an undo of its own;
//! - **its release is live**: an action that publishes was performed and is not rolled back; where the journal has no undo for
//!   it, it stays for good;
//! - **a deployment of it is in use**: the front door says so, since the core knows no deployments;
//! - a run that stays cites it: a task of that one passed here, and what it kept may be read from here. An unfinished
//!   rollback reads what the run that it reverses kept. And the rollbacks of a run that stays: they say what of it is undone;
//! - its journal cannot be read: nobody knows what it did. It may be set aside, never deleted.
//!
//! Removing is crash safe: the folder is renamed to `.gone-*` under the run's lock, then deleted; what is left over is
//! deleted next time.

mod facts;
mod judge;
mod known;
mod look;
mod remove;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use crate::id::RunId;
use crate::settings::Keep;

pub(crate) use facts::Facts;
pub(crate) use look::{Look, Read};
pub(crate) use remove::{carry_out, leftovers};

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// The limits; 0 is no limit.
    pub keep: &'a Keep,
    /// Runs that something outside of the journals needs, such as a deployment.
    pub in_use: &'a BTreeSet<RunId>,
    /// What becomes of runs that are over a limit and whose journal cannot be read.
    pub unreadable: Unreadable,
}

/// What becomes of runs whose journal cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// They stay where they are.
    Stay,
    /// They are moved to `STATE/set-aside/`.
    SetAside,
}

/// What pruning would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Pruning {
    /// Runs that go, the latest first.
    pub goes: Vec<Goes>,
    /// Runs that are moved to `STATE/set-aside/`.
    pub aside: Vec<Stays>,
    /// Runs that stay although they are over a limit.
    pub stays: Vec<Stays>,
    /// What is left of runs whose making or removal was cut off.
    pub leftovers: Vec<PathBuf>,
    /// How many runs there are.
    pub runs: usize,
    /// Bytes of all runs.
    pub bytes: u64,
}

/// A run that goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goes {
    /// Which.
    pub run: RunId,
    /// Bytes of its files.
    pub bytes: u64,
    /// Which limit it is over.
    pub over: Over,
    /// What its journal was when it was judged.
    seal: known::Seal,
}

/// A run that stays, or is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    /// Which.
    pub run: RunId,
    /// Bytes of its files.
    pub bytes: u64,
    /// Which limit it is over.
    pub over: Over,
    /// What keeps it.
    pub because: Because,
}

/// A limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// `keep.runs`.
    Number,
    /// `keep.run_age`.
    Age,
    /// `keep.run_size`.
    Size,
}

/// What keeps a run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Because {
    /// A process runs it, or it is just being made.
    Running,
    /// It waits for a person.
    Waiting,
    /// It was stopped while publishing.
    Unsure,
    /// It can be resumed.
    Resumable,
    /// What it did can be undone.
    Undo,
    /// What it published was not rolled back.
    Published,
    /// A deployment of it is in use.
    InUse,
    /// A run that stays cites it.
    Cited(RunId),
    /// Its journal cannot be read.
    Unreadable(String),
}

/// What pruning did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Runs that are gone.
    pub gone: Vec<RunId>,
    /// Runs that were set aside, and where they are.
    pub aside: Vec<(RunId, PathBuf)>,
    /// What did not succeed, in words. It is tried again next time.
    pub failed: Vec<String>,
}

impl Pruning {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.goes.is_empty() && self.aside.is_empty() && self.leftovers.is_empty()
    }
}

impl Over {
    /// The setting that is the limit.
    pub fn setting(self) -> &'static str {
        match self {
            Self::Number => "keep.runs",
            Self::Age => "keep.run_age",
            Self::Size => "keep.run_size",
        }
    }
}

impl Because {
    /// A word for programs.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Unsure => "unsure",
            Self::Resumable => "resumable",
            Self::Undo => "undo",
            Self::Published => "published",
            Self::InUse => "in_use",
            Self::Cited(_) => "cited",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("it is running"),
            Self::Waiting => f.write_str("it waits for a person; `resume` or `cancel` it"),
            Self::Unsure => f.write_str("it was stopped while publishing; `resume --assume` it"),
            Self::Resumable => f.write_str("it can be resumed until it is older than `keep.run_age`"),
            Self::Undo => f.write_str("what it did can be undone; it stays until it is rolled back, since `rollback` uses its journal"),
            Self::Published => f.write_str("what it published was not rolled back"),
            Self::InUse => f.write_str("a deployment of it is in use"),
            Self::Cited(run) => write!(f, "run {run} stays and cites it"),
            Self::Unreadable(why) => write!(f, "its journal cannot be read: {why}"),
        }
    }
}
