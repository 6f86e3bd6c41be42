//! For the tests of this crate.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// What a future gives that never waits, as planning does.
pub(crate) fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("planning waits for nothing"),
    }
}
