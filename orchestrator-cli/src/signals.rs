//! SIGINT, SIGTERM and SIGHUP: the first stops in good order, the second kills.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use orchestrator_core::stop::{Stop, StopLevel};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::AbortHandle;

use crate::exit::Exit;
use crate::out::note;

/// Listens for signals as long as it lives.
pub(crate) struct Signals {
    terminated: Arc<AtomicBool>,
    listener: AbortHandle,
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

impl Signals {
    /// Raises `stop` with each signal; `tell` says so on standard error, where nobody else draws.
    pub(crate) fn listen(stop: Stop, tell: bool) -> io::Result<Self> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let terminated = Arc::new(AtomicBool::new(false));
        let told = terminated.clone();
        let listener = tokio::spawn(async move {
            loop {
                let polite = tokio::select! {
                    _ = interrupt.recv() => true,
                    _ = terminate.recv() => false,
                    _ = hangup.recv() => false,
                };
                told.store(!polite, Ordering::SeqCst);
                let (level, said) = match stop.level() {
                    StopLevel::Go => (StopLevel::Graceful, "stopping; again to kill"),
                    StopLevel::Graceful | StopLevel::Kill => (StopLevel::Kill, "killing what runs"),
                };
                stop.raise(level);
                if tell {
                    note(said);
                }
            }
        });
        Ok(Self { terminated, listener: listener.abort_handle() })
    }

    /// Which of the exit codes for a stopped run.
    pub(crate) fn exit(&self, exit: Exit) -> Exit {
        match exit {
            Exit::Interrupted if self.terminated.load(Ordering::SeqCst) => Exit::Terminated,
            exit => exit,
        }
    }
}
