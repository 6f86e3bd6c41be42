//! A connection to a version that takes one plain request at a time.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::super::upstream::{Awaited, Awaiting, Upstream};

/// The most bytes that are read at once.
const SPACE: usize = 32 << 10;

thread_local! {
    /// What is read lies here until it is passed on, so that connections need no room of their own.
    static READ: RefCell<Vec<u8>> = RefCell::new(vec![0; SPACE]);
}

/// See the module.
#[derive(Debug)]
pub(in super::super) struct Line {
    stream: Upstream,
    awaiting: Awaiting,
    /// How long the version keeps it, as far as it said so.
    pub(in super::super) keep: Option<Duration>,
}

impl Line {
    pub(in super::super) fn new(stream: Upstream, awaiting: Awaiting) -> Self {
        Self { stream, awaiting, keep: None }
    }

    pub(super) fn awaits(&self, awaited: Awaited) {
        self.awaiting.set(awaited);
    }

    /// Whether it can take a request: the version has not closed it, and has not said anything that nobody asked for.
    pub(in super::super) fn is_free(&self) -> bool {
        self.awaiting.set(Awaited::Nothing);
        self.stream.is_quiet()
    }

    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    /// Reads, and gives what was read; nothing at the end.
    pub(super) fn poll_read<T>(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Poll<io::Result<T>> {
        READ.with_borrow_mut(|space| {
            let mut buffer = ReadBuf::new(space);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
            Poll::Ready(Ok(take(buffer.filled())))
        })
    }
}
