//! What restores where a journal cannot undo. The core knows no backups: a front door hands in who does.

use async_trait::async_trait;
use jiff::Timestamp;

use super::Irreversible;
use crate::BoxError;
use crate::action::Action;
use crate::state::RunState;

/// Finds what a run itself made that it can be restored from, such as a backup. It looks, and changes nothing.
#[async_trait]
pub trait Fallback: Send + Sync {
    /// What would bring back what the journal cannot; none where nothing of it is left to bring back, or nothing is there
    /// to bring it back from. Errors keep the rollback from being planned.
    async fn restoration(&self, lost: &Lost<'_>) -> Result<Option<Restoration>, BoxError>;
}

/// What a rollback is about.
#[derive(Debug, Clone, Copy)]
pub struct Lost<'a> {
    /// The run.
    pub state: &'a RunState,
    /// What the journal cannot undo, the latest first.
    pub actions: &'a [Irreversible],
    /// What it can, the latest first: when each change was started, and what undoes it.
    pub undo: &'a [(Option<Timestamp>, &'a [Action])],
    /// When earlier rollbacks, and rollbacks of those, were at work: what was changed then is no work of people.
    pub spans: &'a [(Timestamp, Timestamp)],
    /// What is to stay, and when it was started: what is restored must be later than that.
    pub kept: &'a [(Option<Timestamp>, &'a Action)],
}

/// How a backup brings a checkout back.
#[derive(Debug, Clone, PartialEq)]
pub struct Restoration {
    /// Name of the backup, for people.
    pub name: String,
    /// As of when it is. What was changed before is undone after the restoration, what was changed later before it.
    pub at: Timestamp,
    /// What restores it, in order; all of it with an undo of its own, as far as it changes the checkout.
    pub actions: Vec<Action>,
    /// What of [`Lost::actions`] it brings back, as far as the checkout goes.
    pub covers: Vec<usize>,
    /// What of [`Lost::undo`] it makes needless: it brings the same things back.
    pub instead_of: Vec<usize>,
    /// What would change: a letter and a path for files, a sentence for anything else.
    pub changes: Vec<String>,
    /// What of it is newer than the run, so that nobody knows whether the run made it. It is restored over only where a person
    /// said so.
    pub newer: Vec<String>,
    /// Milliseconds that restoring took when it was tried; none where that was not measured.
    pub took_ms: Option<f64>,
}
