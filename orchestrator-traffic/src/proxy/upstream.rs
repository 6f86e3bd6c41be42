//! A connection to a version. What takes too long on it fails, without a timer for each request.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Limits;
use super::clock::Waiting;

/// What is awaited of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Nothing.
    Nothing,
    /// The head of an answer.
    Head,
    /// More of a body, or of a tunnel.
    More,
}

/// What is awaited on a connection, known to who uses it and to the connection itself.
#[derive(Debug, Clone, Default)]
pub(super) struct Awaiting(Arc<AtomicU8>);

impl Awaiting {
    pub(super) fn set(&self, awaited: Awaited) {
        self.0.store(awaited as u8, Relaxed);
    }

    fn get(&self) -> Awaited {
        match self.0.load(Relaxed) {
            0 => Awaited::Nothing,
            1 => Awaited::Head,
            _ => Awaited::More,
        }
    }
}

/// The connection.
#[derive(Debug)]
pub(super) struct Upstream {
    stream: TcpStream,
    awaiting: Awaiting,
    answer: Duration,
    silence: Duration,
    stall: Duration,
    read: Waiting,
    write: Waiting,
}

impl Upstream {
    pub(super) fn new(stream: TcpStream, awaiting: Awaiting, limits: &Limits) -> Self {
        let Limits { answer, silence, stall, .. } = *limits;
        Self { stream, awaiting, answer, silence, stall, read: Waiting::default(), write: Waiting::default() }
    }

    fn written<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write.since = None;
            // Whoever is still sent something is not late with an answer.
            self.read.since = None;
        } else if self.write.too_long(context, self.stall) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        result
    }
}

impl AsyncRead for Upstream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        let limit = match this.awaiting.get() {
            Awaited::Nothing => None,
            Awaited::Head => Some(this.answer),
            Awaited::More => Some(this.silence),
        };
        match limit {
            Some(limit) if read.is_pending() => {
                if this.read.too_long(context, limit) {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            }
            _ => this.read.since = None,
        }
        read
    }
}

impl AsyncWrite for Upstream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
