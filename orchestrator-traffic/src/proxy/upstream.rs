//! A connection to a version. What takes too long on it fails, without a timer for each request.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::Limits;
use super::clock::{Waiting, writes};
use super::files::Place;

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
    _place: Place,
    awaiting: Awaiting,
    answer: Duration,
    silence: Duration,
    stall: Duration,
    read: Waiting,
    write: Waiting,
}

impl Upstream {
    pub(super) fn new(stream: TcpStream, place: Place, awaiting: Awaiting, limits: &Limits) -> Self {
        let Limits { answer, silence, stall, .. } = *limits;
        let (read, write) = (Waiting::default(), Waiting::default());
        Self { stream, _place: place, awaiting, answer, silence, stall, read, write }
    }

    /// Whether nothing has come of it: neither bytes nor its end.
    pub(super) fn is_quiet(&self) -> bool {
        // Without a system call where the runtime knows of nothing.
        matches!(self.stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    fn written<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            // Whoever is still sent something is not late with an answer.
            self.read.since = None;
        }
        self.write.bound(context, result, self.stall)
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
        if let Some(limit) = limit {
            return this.read.bound(context, read, limit);
        }
        this.read.since = None;
        read
    }
}

impl AsyncWrite for Upstream {
    writes!();

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
