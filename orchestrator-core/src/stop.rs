//! The word that something should end, on its way from whoever decides to whoever is at work.
//!
//! It carries no reason and undoes nothing: a run that was stopped is resumed from its journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// How urgently to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum StopLevel {
    /// Carry on.
    Go,
    /// Start nothing new; let what is under way end in good order.
    Graceful,
    /// End at once.
    Kill,
}

/// A shared stop level that only ever rises; clones see the same one.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    level: AtomicU8,
    risen: Notify,
}

impl Stop {
    /// A stop at [`StopLevel::Go`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the level; a lower level than the present one changes nothing.
    pub fn raise(&self, level: StopLevel) {
        if self.0.level.fetch_max(level as u8, Ordering::SeqCst) < level as u8 {
            self.0.risen.notify_waiters();
        }
    }

    /// The level now.
    pub fn level(&self) -> StopLevel {
        match self.0.level.load(Ordering::SeqCst) {
            0 => StopLevel::Go,
            1 => StopLevel::Graceful,
            _ => StopLevel::Kill,
        }
    }

    /// Returns once the level is `level` or above. May be dropped and called again at any time.
    pub async fn at_least(&self, level: StopLevel) {
        while self.level() < level {
            // A `Notified` hears every rise from its creation on, so one between the second look and the await counts.
            let risen = self.0.risen.notified();
            if self.level() >= level {
                return;
            }
            risen.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn only_rises() {
        let stop = Stop::new();
        assert_eq!(stop.level(), StopLevel::Go);
        stop.raise(StopLevel::Kill);
        stop.raise(StopLevel::Graceful);
        assert_eq!(stop.clone().level(), StopLevel::Kill);
    }

    #[tokio::test]
    async fn waits_for_the_level_asked_for() {
        let stop = Stop::new();
        stop.at_least(StopLevel::Go).await;
        let waiter = tokio::spawn({
            let stop = stop.clone();
            async move {
                stop.at_least(StopLevel::Kill).await;
                stop.level()
            }
        });
        stop.raise(StopLevel::Graceful);
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        stop.raise(StopLevel::Kill);
        assert_eq!(waiter.await.unwrap(), StopLevel::Kill);
    }

    #[tokio::test]
    async fn a_dropped_wait_loses_nothing() {
        let stop = Stop::new();
        for _ in 0..3 {
            let waited =
                tokio::time::timeout(Duration::from_millis(1), stop.at_least(StopLevel::Graceful)).await;
            assert!(waited.is_err());
        }
        stop.raise(StopLevel::Graceful);
        stop.at_least(StopLevel::Graceful).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_up_is_lost() {
        for _ in 0..2_000 {
            let stop = Stop::new();
            let waiter = tokio::spawn({
                let stop = stop.clone();
                async move { stop.at_least(StopLevel::Graceful).await }
            });
            stop.raise(StopLevel::Graceful);
            waiter.await.unwrap();
        }
    }
}
