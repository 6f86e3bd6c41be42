//! What goes out, within its time; and the end of a connection, so that a client has read its answer before.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::clock::writes;
use super::{Mode, Wire};

/// The most bytes, and the longest time, that are read and thrown away so that a client reads its answer before it is told that the
/// connection is gone (RFC 9112, section 9.6).
const LINGER: (usize, Duration) = (256 << 10, Duration::from_secs(1));

/// The most bytes at once that HTTP/2 is taken to send on its own account: PING and GOAWAY are 17 each, its settings some 60.
const OWN: usize = 128;

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    fn written(
        &mut self,
        context: &mut Context<'_>,
        result: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        // Whoever takes an answer is not idle, though no request may be under way any more.
        if self.mode == Mode::Raw && matches!(result, Poll::Ready(Ok(count)) if count > OWN) {
            self.read.since = None;
            self.sent = Some(Instant::now());
        }
        self.in_time(context, result)
    }

    fn in_time<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.write.bound(context, result, self.client.proxy.limits.stall)
    }

    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let (mut count, since) = self.lingered.unwrap_or((0, Instant::now()));
        let mut space = [0; 4096];
        while count < LINGER.0 && !self.write.passed(context, since + LINGER.1) {
            self.lingered = Some((count, since));
            let mut buffer = ReadBuf::new(&mut space);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => count += buffer.filled().len(),
                _ => break,
            }
        }
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    writes!();

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.in_time(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.client.park.is_followed() {
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        ready!(self.in_time(context, result))?;
        if self.is_to_linger() {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
