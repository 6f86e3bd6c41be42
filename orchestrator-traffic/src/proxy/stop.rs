//! The two stages of an end: no more connections, then no more requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};

use tokio::sync::Notify;

/// How far an end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It serves.
    Serving,
    /// It takes no more connections. Those that are there are told to close after their answer, and closed when they stay idle.
    Draining,
    /// What is left is cut.
    Cut,
}

/// Tells all threads of a proxy how far its end has come. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    inner: Arc<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    stage: AtomicU8,
    changed: Notify,
}

impl Stop {
    /// One that serves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes no more connections from now on.
    pub fn drain(&self) {
        self.reach(Stage::Draining);
    }

    /// Cuts what is left.
    pub fn cut(&self) {
        self.reach(Stage::Cut);
    }

    fn reach(&self, stage: Stage) {
        if self.inner.stage.fetch_max(stage as u8, SeqCst) < stage as u8 {
            self.inner.changed.notify_waiters();
        }
    }

    /// How far it is.
    pub fn stage(&self) -> Stage {
        match self.inner.stage.load(SeqCst) {
            0 => Stage::Serving,
            1 => Stage::Draining,
            _ => Stage::Cut,
        }
    }

    /// Waits until it is at least that far.
    pub async fn reached(&self, stage: Stage) {
        loop {
            let changed = self.inner.changed.notified();
            if self.stage() >= stage {
                return;
            }
            changed.await;
        }
    }
}
