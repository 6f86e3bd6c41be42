//! How long a version is waited for.

use std::pin::pin;
use std::time::{Duration, Instant};

use super::super::body::Moved;

/// The longest pause between two tries to reach a version that refuses connections.
const PAUSE: Duration = Duration::from_millis(50);

/// What comes in time after the last part of a body went on: whoever is still sent something is not late with an answer.
pub(super) async fn in_time<F: Future>(
    limit: Duration,
    moved: Option<Moved>,
    answer: F,
) -> Option<F::Output> {
    let mut answer = pin!(answer);
    let mut since = Instant::now();
    loop {
        let late = tokio::time::timeout_at((since + limit).into(), answer.as_mut()).await;
        match (late, moved.as_ref().map(Moved::last)) {
            (Ok(answer), _) => return Some(answer),
            (Err(_), Some(last)) if last > since => since = last,
            (Err(_), _) => return None,
        }
    }
}

/// How long a version that refuses connections is tried again.
#[derive(Default)]
pub(super) struct Patience {
    since: Option<Instant>,
    pause: Duration,
}

impl Patience {
    /// Waits for a moment; false where that went on for long enough.
    pub(super) async fn waits(&mut self, limit: Duration) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= limit {
            return false;
        }
        self.pause = (self.pause * 2).clamp(Duration::from_millis(2), PAUSE);
        tokio::time::sleep(self.pause).await;
        true
    }
}
