//! Stores: keep journals and lose nothing that they accepted.

mod inbox;
mod journal;
pub mod jsonl;
pub mod memory;
#[cfg(test)]
mod tests;

use async_trait::async_trait;

use crate::event::Record;
use crate::id::RunId;
use crate::layout::Layout;
use crate::lock::Owner;
use crate::order::Signal;

pub use jsonl::JsonlStore;
pub use memory::MemoryStore;

/// Keeps journals, one for each run. One process appends to a journal at a time; any may read it.
#[async_trait]
pub trait Store: Send + Sync {
    /// Makes a journal, with the plan that it is about.
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<(), StoreError>;

    /// Appends records. When it returns, they survive the death of this process.
    async fn append(&self, run: &RunId, records: &[Record]) -> Result<(), StoreError>;

    /// When it returns, everything appended survives the death of the machine.
    async fn sync(&self, run: &RunId) -> Result<(), StoreError>;

    /// Loads a journal. A torn last line is left out, said, and overwritten by the next append.
    async fn load(&self, run: &RunId) -> Result<Journal, StoreError>;

    /// The first record of a journal: what is known of how the run began. None where it cannot be read.
    async fn first(&self, run: &RunId) -> Result<Option<Record>, StoreError> {
        Ok(self.load(run).await?.records.into_iter().next())
    }

    /// The runs that have a journal, the latest first.
    async fn list(&self) -> Result<Vec<RunId>, StoreError>;

    /// Drops a signal into a run's inbox.
    async fn signal(&self, run: &RunId, signal: &Signal) -> Result<(), StoreError>;

    /// Takes what is in a run's inbox, in the order of arrival. It stays there until [`Store::seen`].
    async fn inbox(&self, run: &RunId) -> Result<Vec<(String, Signal)>, StoreError>;

    /// Removes a signal that was recorded.
    async fn seen(&self, run: &RunId, token: &str) -> Result<(), StoreError>;

    /// The state folder that journals lie in; none where they lie elsewhere.
    fn layout(&self) -> Option<&Layout> {
        None
    }

    /// Whether a process appends to the run's journal now. What was appended last decides when it lets go: the end of
    /// the run, or that its process stopped.
    fn is_live(&self, run: &RunId) -> bool {
        let _ = run;
        false
    }

    /// Runs that a process began to append to, and that died before the run was over or stopped.
    async fn abandoned(&self) -> Result<Vec<RunId>, StoreError> {
        Ok(Vec::new())
    }

    /// Says that what an abandoned run left behind is dealt with, or that this process appends no more.
    async fn close(&self, _run: &RunId) {}
}

/// A journal as loaded.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    /// The plan, as it was handed to `create`.
    pub plan: Vec<u8>,
    /// The records, in order.
    pub records: Vec<Record>,
    /// Bytes of a torn last line that were left out.
    pub torn: u64,
}

/// A store could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such run.
    #[error("there is no run `{0}`")]
    Unknown(RunId),
    /// There is such a run already.
    #[error("run `{0}` exists already")]
    Exists(RunId),
    /// It was created, and its process died before it began.
    #[error("run `{0}` never began: its journal has no records")]
    Empty(RunId),
    /// Another process appends to its journal.
    #[error("run `{run}` is being carried out by {}", .owner.as_ref().map_or_else(|| "another process".to_owned(), ToString::to_string))]
    Busy {
        /// Which run.
        run: RunId,
        /// By whom, where that can be read.
        owner: Option<Owner>,
    },
    /// Another process went on with the run after it was loaded here.
    #[error(
        "run `{run}` went on elsewhere: its journal has {records} records, and record {next} was to follow; load it again"
    )]
    Moved {
        /// Which run.
        run: RunId,
        /// How many records there are.
        records: u64,
        /// The record that was to be appended.
        next: u64,
    },
    /// More at once than a store keeps, so that what it keeps can be loaded again.
    #[error("{what} of run `{run}` has {bytes} bytes, and at most {limit} can be kept")]
    TooLarge {
        /// Which run.
        run: RunId,
        /// Which record or signal.
        what: String,
        /// Its size.
        bytes: u64,
        /// The most.
        limit: u64,
    },
    /// A line of a journal is no record.
    #[error("line {line} of `{file}` is no record of a journal")]
    Damaged {
        /// Which file.
        file: String,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Reading or writing failed.
    #[error("{what}")]
    Io {
        /// What it tried, with the path.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}
