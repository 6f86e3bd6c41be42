//! Answers that clients do not take. HTTP does not look at a body while it waits for its client to make room, so nobody would see that
//! the version is drained, or that the client takes nothing for too long: a look at all that are under way, several times a second.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::body::{Look, Shared};
use super::record::End;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(100);

thread_local! {
    static WATCHED: RefCell<Vec<Watched>> = const { RefCell::new(Vec::new()) };
}

struct Watched {
    answer: Weak<Shared>,
    /// Parts that were taken, and since when no more.
    parts: u32,
    since: Instant,
}

/// Looks after an answer from now on, on the thread that it is sent on.
pub(super) fn watch(answer: &Arc<Shared>) {
    let watched = Watched { answer: Arc::downgrade(answer), parts: 0, since: Instant::now() };
    WATCHED.with_borrow_mut(|all| all.push(watched));
}

/// Gives up what has to end. Runs as long as its thread serves.
pub(super) async fn tend(stall: Duration) {
    loop {
        tokio::time::sleep(LOOK).await;
        let now = Instant::now();
        // Nothing that ends here begins another answer.
        WATCHED.with_borrow_mut(|all| {
            all.retain_mut(|one| one.answer.upgrade().is_some_and(|answer| one.goes_on(&answer, now, stall)));
            all.shrink_to(64);
        });
    }
}

impl Watched {
    fn goes_on(&mut self, answer: &Shared, now: Instant, stall: Duration) -> bool {
        match answer.look() {
            Look::Over => return false,
            Look::Cut => {
                answer.give_up(End::Cut);
                return false;
            }
            Look::Version => self.since = now,
            Look::Client(parts) if parts != self.parts => (self.parts, self.since) = (parts, now),
            Look::Client(_) if now.saturating_duration_since(self.since) >= stall => {
                answer.give_up(End::Left);
                return false;
            }
            Look::Client(_) => {}
        }
        true
    }
}
