//! Executors: the only ones that touch the world. `Order` in, `Receipt` out.

mod capture;
mod leader;
mod leash;
mod lines;
mod mask;
mod mask_stream;
mod pool;
mod process;
mod program;
mod spawn;
mod streams;
mod supervise;
mod tail;
#[cfg(test)]
mod tests;

pub use self::leader::start;
pub use self::mask::{Mask, MaskError};
pub(crate) use self::{
    capture::Captured,
    lines::{OnLine, Stream},
    mask_stream::MaskStream,
    process::{Exit, ExitState, Processes},
    spawn::{Spawn, SpawnError},
};

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::action::{Action, Content};
use crate::id::{OrderKey, RunId};
use crate::json::Json;
use crate::operation::{Already, DynOperation};
use crate::order::{Artifact, Order, Receipt};
use crate::outcome::Failure;
use crate::path::Digest;
use crate::progress::ProgressSink;
use crate::stop::Stop;

/// Performs orders.
#[async_trait]
pub trait Executor: Send + Sync {
    /// The root of the checkout that planning looks at.
    fn root(&self) -> &Path;

    /// The lock file of the checkout that it changes; none where nothing else can change it.
    fn checkout_lock(&self) -> Option<std::path::PathBuf> {
        None
    }

    /// The environment that commands get, and so the tools that planning asks.
    fn environment(&self) -> Arc<[(std::ffi::OsString, std::ffi::OsString)]> {
        Arc::from([])
    }

    /// Room on the disks that runs write to; empty where that is not known.
    fn free_space(&self) -> Vec<FreeSpace> {
        Vec::new()
    }

    /// Makes an operation known.
    fn register(&self, operation: Arc<dyn DynOperation>);

    /// Performs an order. A command that fails, an operation that fails, a program that does not exist: receipts.
    /// `Err` where it could not do its own work, or where `stop` kept it from finishing.
    async fn perform(
        &self,
        order: &Order,
        progress: &ProgressSink,
        stop: &Stop,
    ) -> Result<Receipt, ExecutorError>;

    /// What would reverse an order, asked before it is performed. Bytes are kept first, so actions name them by digest.
    async fn undo(&self, order: &Order) -> Result<Vec<Action>, ExecutorError>;

    /// Asked first after a crash: was this order already carried out?
    async fn already(&self, order: &Order) -> Result<Already<Json>, ExecutorError>;

    /// Keeps bytes for a run, by digest.
    async fn keep(&self, run: &RunId, bytes: &[u8]) -> Result<Digest, ExecutorError>;

    /// Reads at most `limit` bytes of what was kept or written for a run.
    fn read(&self, run: &RunId, artifact: &Artifact, limit: u64) -> std::io::Result<Vec<u8>>;

    /// Ends processes that an earlier process of these runs left behind; says which. Deployed services stay.
    async fn end_survivors(&self, runs: &[RunId]) -> Result<Vec<Survivor>, ExecutorError>;
}

/// Room on a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreeSpace {
    /// A folder on it.
    pub folder: std::path::PathBuf,
    /// Bytes that an ordinary user may still write.
    pub bytes: u64,
}

/// A process that outlived the one which started it, and was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivor {
    /// Its id.
    pub pid: u32,
    /// The order that it carried, as text.
    pub order: String,
}

/// An executor could not do its own work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// It was stopped before the order was finished; what it did so far stays, and the order is to be repeated.
    #[error("stopped before `{0}` was finished")]
    Stopped(OrderKey),
    /// The operation of an order could not say what would undo it, so it is not called.
    #[error("what would undo `{order}` is not known: {why}")]
    NoUndo {
        /// The order.
        order: OrderKey,
        /// What its operation said.
        why: Box<Failure>,
        /// Whether a retry may cure it, as with a call.
        transient: bool,
    },
    /// Bytes that an order names are not there.
    #[error("{bytes} bytes that the order needs (digest {digest}) are not kept here")]
    Missing {
        /// Their digest.
        digest: Digest,
        /// How many.
        bytes: u64,
    },
    /// It could not write or read its own files.
    #[error("{what}")]
    Io {
        /// What it tried, with the path.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// The artifact of kept bytes, by the layout that all executors share: `artifacts/DIGEST` in the run's folder.
pub fn blob(content: &Content) -> Option<Artifact> {
    match content {
        Content::Blob { digest, bytes } => Some(Artifact {
            name: digest.to_string(),
            place: crate::path::RelPath::new(format!("artifacts/{digest}"))
                .expect("hexadecimal digits make a path"),
            digest: *digest,
            bytes: *bytes,
        }),
        Content::Text(_) | Content::Hex(_) => None,
    }
}
