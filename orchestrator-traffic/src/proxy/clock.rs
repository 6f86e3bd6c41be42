//! A deadline that moves with every request but costs a timer only when it might have passed.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::task::unconstrained;
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
            // A task that had its turn would be told to wait without a timer being there; but nobody asks here again until one rings.
            if Pin::new(&mut unconstrained(sleep.as_mut())).poll(context).is_pending() {
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

    /// What came of a try, or that nothing has moved for that long.
    pub(super) fn bound<T>(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<T>>,
        limit: Duration,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.since = None;
        } else if self.too_long(context, limit) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        result
    }

    /// Whether that moment is over, whatever moved.
    pub(super) fn passed(&mut self, context: &mut Context<'_>, deadline: Instant) -> bool {
        self.clock.passed(context, deadline)
    }
}

/// The writes of what has a `stream` and is told what was `written` to it, within an `impl AsyncWrite`.
macro_rules! writes {
    () => {
        fn poll_write(
            mut self: ::std::pin::Pin<&mut Self>,
            context: &mut ::std::task::Context<'_>,
            bytes: &[u8],
        ) -> ::std::task::Poll<::std::io::Result<usize>> {
            let result = ::std::pin::Pin::new(&mut self.stream).poll_write(context, bytes);
            self.written(context, result)
        }

        fn poll_write_vectored(
            mut self: ::std::pin::Pin<&mut Self>,
            context: &mut ::std::task::Context<'_>,
            slices: &[::std::io::IoSlice<'_>],
        ) -> ::std::task::Poll<::std::io::Result<usize>> {
            let result = ::std::pin::Pin::new(&mut self.stream).poll_write_vectored(context, slices);
            self.written(context, result)
        }

        fn is_write_vectored(&self) -> bool {
            self.stream.is_write_vectored()
        }
    };
}

pub(super) use writes;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::task::coop::{has_budget_remaining, poll_proceed};
    use tokio::time::timeout;

    use super::*;

    const SHORT: Duration = Duration::from_millis(30);

    /// Nothing of this poll is left for timers.
    fn use_up(context: &mut Context<'_>) {
        while has_budget_remaining() {
            if let Poll::Ready(spent) = poll_proceed(context) {
                spent.made_progress();
            }
        }
    }

    #[tokio::test]
    async fn a_task_that_had_its_turn_loses_no_clock() {
        let mut waiting = Waiting::default();
        // At first there is no timer yet; the second time it has rung already.
        for _ in 0..2 {
            let mut begun = false;
            let passed = poll_fn(|context| {
                if !begun {
                    begun = true;
                    waiting.since = None;
                    use_up(context);
                }
                if waiting.too_long(context, SHORT) { Poll::Ready(()) } else { Poll::Pending }
            });
            timeout(Duration::from_secs(20), passed).await.expect("the timer wakes it");
        }
    }
}
