//! What keeps the orchestrator from its work.

use super::RunError;
use crate::id::{NameError, RunId, TaskId};
use crate::lock::LockError;
use crate::problem::Problems;
use crate::state::ApplyError;
use crate::store::StoreError;

/// The orchestrator could not do what it was asked to. A task that fails is no such error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrchestratorError {
    /// The pipeline makes no plan.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// Another run holds the checkout.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The run broke off.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The store could not do its work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run is over; there is nothing to resume.
    #[error("run `{0}` is over; `run --failed {0}` runs again what failed in it")]
    Over(RunId),
    /// A journal makes no sense.
    #[error("the journal of run `{run}` makes no sense")]
    Journal {
        /// Which run.
        run: RunId,
        /// Which record.
        source: ApplyError,
    },
    /// A plan makes no sense.
    #[error("the plan of run `{run}` makes no sense")]
    Plan {
        /// Which run.
        run: RunId,
        /// Why.
        source: serde_json::Error,
    },
    /// The disk has no room for a run that writes. Nothing was started.
    #[error(
        "only {} are free on the disk of `{}`, and {} are wanted before anything is written (`settings.min_free_disk`)",
        crate::units::bytes(*.free), .folder.display(), crate::units::bytes(*.wanted)
    )]
    NoRoom {
        /// A folder on that disk.
        folder: std::path::PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are wanted.
        wanted: u64,
    },
    /// A run has no such task.
    #[error("run `{run}`: {message}")]
    NoTask {
        /// Which run.
        run: RunId,
        /// Which tasks there are.
        message: String,
    },
    /// A rollback was cut off while it published. Nothing was planned.
    #[error(
        "rollback `{rollback}` was cut off while `{task}` published, and nobody knows whether that went out; \
         look, then go on with it: `resume {rollback} --assume done {task}`, or `not-done`"
    )]
    HalfPublished {
        /// The rollback.
        rollback: RunId,
        /// Its task.
        task: TaskId,
    },
    /// Whether a backup is to be restored could not be found out.
    #[error(
        "whether the backup of run `{run}` is needed could not be found out; `--no-backup` leaves it out"
    )]
    Fallback {
        /// Which run.
        run: RunId,
        /// Why.
        source: crate::BoxError,
    },
    /// An agent has a name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Anything else.
    #[error("{what}")]
    Io {
        /// What it tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}
