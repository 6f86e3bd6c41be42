//! A future that is polled only when it was woken itself, however often others of its task are.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};

/// See the module.
#[derive(Debug)]
pub(super) struct Quiet<F> {
    future: Pin<Box<F>>,
    bell: Option<(Arc<Bell>, Waker)>,
}

/// Rung by what the future waits for.
#[derive(Debug)]
struct Bell {
    rung: AtomicBool,
    task: Waker,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, SeqCst);
        self.task.wake_by_ref();
    }
}

impl<F: Future> Quiet<F> {
    /// Polls it only when it was woken.
    pub(super) fn new(future: F) -> Self {
        Self { future: Box::pin(future), bell: None }
    }
}

impl<F: Future> Future for Quiet<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        if this.bell.as_ref().is_none_or(|(bell, _)| !bell.task.will_wake(context.waker())) {
            let bell = Arc::new(Bell { rung: AtomicBool::new(true), task: context.waker().clone() });
            let waker = Waker::from(Arc::clone(&bell));
            this.bell = Some((bell, waker));
        }
        let Some((bell, waker)) = &this.bell else { return Poll::Pending };
        if !bell.rung.swap(false, SeqCst) {
            return Poll::Pending;
        }
        this.future.as_mut().poll(&mut Context::from_waker(waker))
    }
}
