//! The time of a run: the system's when it began, steady from then on, so that records never go backwards.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A steady clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    base: Timestamp,
    start: Instant,
}

impl Clock {
    /// A clock that is never before `floor`.
    pub(crate) fn not_before(floor: Option<Timestamp>) -> Self {
        let now = Timestamp::now();
        Self { base: floor.map_or(now, |floor| floor.max(now)), start: Instant::now() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.start.elapsed()).unwrap_or(SignedDuration::MAX);
        self.base.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// How long until `at`.
    pub(crate) fn until(&self, at: Timestamp) -> std::time::Duration {
        at.duration_since(self.now()).try_into().unwrap_or_default()
    }
}
