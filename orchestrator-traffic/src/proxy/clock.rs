//! A deadline that moves with every request but costs a timer only when it might have passed.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is left where it is while the deadline moves away from it, and moved only when it rings too early.
#[derive(Debug, Default)]
struct Clock {
    sleep: Option<Pin<Box<Sleep>>>,
    /// Whom the timer wakes.
    wakes: Option<Waker>,
}

impl Clock {
    /// Whether the deadline has passed; if not, the task is woken when it has, or earlier.
    fn passed(&mut self, context: &mut Context<'_>, deadline: Instant) -> bool {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        loop {
            if sleep.is_elapsed() || sleep.deadline() > deadline {
                if Instant::now() >= deadline {
                    return true;
                }
                sleep.as_mut().reset(deadline);
                self.wakes = None;
            }
            if self.wakes.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                return false;
            }
            if sleep.as_mut().poll(context).is_pending() {
                self.wakes = Some(context.waker().clone());
                return false;
            }
        }
    }
}

/// Since when nothing moves.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// None while something does.
    pub(super) since: Option<Instant>,
    clock: Clock,
}

impl Waiting {
    /// Whether nothing has moved for that long.
    pub(super) fn too_long(&mut self, context: &mut Context<'_>, limit: Duration) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        self.clock.passed(context, since + limit)
    }

    /// Whether that moment is over, whatever moved.
    pub(super) fn passed(&mut self, context: &mut Context<'_>, deadline: Instant) -> bool {
        self.clock.passed(context, deadline)
    }
}
