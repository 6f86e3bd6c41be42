//! Commands as real processes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;

use super::leash::Leash;
use super::pool::Pool;
use super::supervise::supervise;
use super::{Captured, Spawn, SpawnError};
use crate::stop::{Stop, StopLevel};

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exit {
    pub(crate) status: ExitState,
    /// Whether it was signalled because of the stop.
    pub(crate) stopped: bool,
    pub(crate) stdout: Captured,
    pub(crate) stderr: Captured,
    /// From just before the spawn to the end of the process.
    pub(crate) elapsed: Duration,
    /// `None` for short runs, and where the system does not tell.
    pub(crate) usage: Option<Usage>,
}

/// The last word of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitState {
    Exited(i32),
    Signaled(i32),
}

/// Processor time, of a command and of the processes that it has waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) user_ms: u64,
    pub(crate) system_ms: u64,
}

/// Runs commands, each looked after by a thread while it lasts.
pub(crate) struct Processes(Pool<Result<Exit, SpawnError>>);

impl Processes {
    pub(crate) fn new() -> Self {
        Self(Pool::new("orchestrate-cmd"))
    }

    /// Runs a command to its end. A non-zero exit is an [`Exit`], not an error.
    ///
    /// A graceful stop sends TERM to its process group and KILL after the grace; a kill sends KILL. Dropping the future
    /// kills the group too. Needs a Tokio runtime with time enabled.
    pub(crate) async fn run(&self, spawn: Spawn, stop: &Stop) -> Result<Exit, SpawnError> {
        if stop.level() > StopLevel::Go {
            return Err(SpawnError::Stopped { program: spawn.program });
        }
        let program = spawn.program.clone();
        let grace = spawn.grace;
        let hold = Hold(Arc::default());
        let leash = Arc::clone(&hold.0);
        let answer = async {
            match self.0.submit(move |scratch| supervise(spawn, &leash, scratch))?.await {
                Ok(Ok(result)) => Ok(result),
                _ => Err(io::Error::other("the thread that looked after it panicked")),
            }
        };
        tokio::pin!(answer);
        let result = tokio::select! {
            biased;
            result = &mut answer => result,
            () = stopped(&hold.0, stop, grace) => answer.await,
        };
        result.unwrap_or_else(|source| Err(SpawnError::Io { program, source }))
    }
}

/// Waits for a stop and signals accordingly; returns after the last signal.
async fn stopped(leash: &Leash, stop: &Stop, grace: Duration) {
    stop.at_least(StopLevel::Graceful).await;
    if stop.level() == StopLevel::Graceful {
        leash.pull(Signal::TERM);
        _ = tokio::time::timeout(grace, stop.at_least(StopLevel::Kill)).await;
    }
    leash.pull(Signal::KILL);
}

/// Kills the group when the future is dropped; once the command has ended, there is no group to kill.
struct Hold(Arc<Leash>);

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.pull(Signal::KILL);
    }
}
