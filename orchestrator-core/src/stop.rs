//! placeholder until the process module lands
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::Notify;

/// How strongly a stop was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopLevel {
    /// Not at all.
    Go,
    /// End gracefully.
    Graceful,
    /// End now.
    Kill,
}

/// A request to stop.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<(AtomicU8, Notify)>);

impl Stop {
    /// Not asked for yet.
    pub fn new() -> Self {
        Self::default()
    }
    /// Raises the level.
    pub fn raise(&self, level: StopLevel) {
        self.0.0.fetch_max(level as u8, Ordering::SeqCst);
        self.0.1.notify_waiters();
    }
    /// The level.
    pub fn level(&self) -> StopLevel {
        match self.0.0.load(Ordering::SeqCst) {
            0 => StopLevel::Go,
            1 => StopLevel::Graceful,
            _ => StopLevel::Kill,
        }
    }
    /// Returns when the level is reached.
    pub async fn at_least(&self, level: StopLevel) {
        loop {
            let notified = self.0.1.notified();
            tokio::pin!(notified);
            notified.as_mut().enable();
            if self.level() >= level {
                return;
            }
            notified.await;
        }
    }
}
