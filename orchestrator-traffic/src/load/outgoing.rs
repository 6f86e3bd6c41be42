//! The body of a request: nothing, or pieces with pauses between them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

use super::digest::Digest;

/// A body that is sent piece by piece, its length known beforehand.
#[derive(Debug)]
pub(super) struct Outgoing {
    piece: Bytes,
    left: u64,
    pause: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Outgoing {
    pub(super) fn none() -> Self {
        Self { piece: Bytes::new(), left: 0, pause: Duration::ZERO, sleep: None }
    }

    /// So many bytes in pieces of that size, the last one shorter.
    pub(super) fn pieces(piece: Bytes, bytes: usize, pause: Duration) -> Self {
        Self { piece, left: bytes as u64, pause, sleep: None }
    }

    /// The digest of all that it sends.
    pub(super) fn digest(&self) -> Digest {
        let mut digest = Digest::new();
        let mut left = self.left;
        while left > 0 && !self.piece.is_empty() {
            let now = self.piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            digest.add(&self.piece[..now]);
            left -= now as u64;
        }
        digest
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.left == 0 || self.piece.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(context));
        }
        let now = self.piece.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        self.left -= now as u64;
        let pause = !self.pause.is_zero() && self.left > 0;
        self.sleep = pause.then(|| Box::pin(tokio::time::sleep_until(Instant::now() + self.pause)));
        Poll::Ready(Some(Ok(Frame::data(self.piece.slice(..now)))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
