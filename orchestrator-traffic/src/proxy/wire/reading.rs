//! What comes in: it is read, checked, and passed on as far as it may.

use std::io;
use std::pin::Pin;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::super::framing::After;
use super::{Mode, WAITING, Wire};

/// Goes on in the place of a head that is refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost:\r\n\r\n";

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// Reads more, and checks it.
    pub(super) fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let count = ready!(self.poll_hold(context))?;
        self.sift();
        Poll::Ready(Ok(count))
    }

    /// Reads more of what is to be checked.
    pub(super) fn poll_hold(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; 2048];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        self.read.since = None;
        self.held.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Checks what is held and may not go on yet.
    pub(super) fn sift(&mut self) {
        let (passed, heads, after) = self.framing.feed(&self.held[self.ready..]);
        self.ready += passed;
        self.heads += heads;
        self.follow(heads > 0, after);
    }

    fn follow(&mut self, had_heads: bool, after: After) {
        let between = !self.framing.in_body() && !self.framing.awaits_answer();
        let partial = between && self.ready < self.held.len();
        if had_heads || !partial {
            self.head_since = None;
        }
        if partial {
            self.head_since.get_or_insert_with(Instant::now);
        }
        match after {
            After::More => {}
            After::Refused(status) => self.refuse(status),
            After::Broken(status) => {
                self.client.broken.store(status, SeqCst);
                self.held.truncate(self.ready);
                self.mode = Mode::Broken;
            }
        }
    }

    pub(super) fn refuse(&mut self, status: u16) {
        self.client.refuse(self.heads, status);
        self.held.truncate(self.ready);
        self.held.extend_from_slice(STAND_IN);
        self.ready = self.held.len();
        self.head_since = None;
        self.mode = Mode::Refused;
    }

    /// Passes on what may go on.
    fn hand_over(&mut self, buffer: &mut ReadBuf<'_>) {
        let count = buffer.remaining().min(self.ready - self.start);
        buffer.put_slice(&self.held[self.start..self.start + count]);
        self.start += count;
        self.give_back();
    }

    /// Forgets what has gone on.
    pub(super) fn give_back(&mut self) {
        if self.start == self.held.len() {
            // Idle connections keep no memory.
            self.held = Vec::new();
            (self.start, self.ready) = (0, 0);
        } else if self.start > 4096 && (self.start == self.ready || self.start >= self.held.len() / 2) {
            // Also where more may go on: a client that is always ahead would have all of it kept. Half, so that each byte is moved once.
            self.held.drain(..self.start);
            self.ready -= self.start;
            self.start = 0;
        }
    }

    /// Reads straight to where it is wanted, and takes back what may not go on yet.
    fn poll_straight(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        self.read.since = None;
        let bytes = &buffer.filled()[before..];
        let count = bytes.len();
        let (passed, heads, after) = self.framing.feed(bytes);
        self.held.extend_from_slice(&bytes[passed..]);
        buffer.set_filled(before + passed);
        self.heads += heads;
        self.follow(heads > 0, after);
        Poll::Ready(Ok(count))
    }

    fn poll_checked(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        loop {
            if self.start < self.ready {
                self.hand_over(buffer);
            }
            if buffer.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
            match self.mode {
                Mode::Refused => return Poll::Pending,
                Mode::Ended => return Poll::Ready(Ok(())),
                Mode::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                Mode::Raw => return self.poll_raw(context, buffer),
                Mode::Checked => {}
            }
            if self.framing.awaits_answer() && self.go_on_after_answer(context) {
                continue;
            }
            if self.held.len() > self.start + WAITING {
                return Poll::Pending;
            }
            let read = if self.held.is_empty() && !self.framing.awaits_answer() {
                self.poll_straight(context, buffer)
            } else {
                self.poll_more(context)
            };
            match read {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => match self.is_late(context) {
                    Some(late) => self.end(late)?,
                    None => return Poll::Pending,
                },
            }
        }
    }

    /// Where a request to change the protocol was answered: whether it is clear now how to go on.
    fn go_on_after_answer(&mut self, context: &Context<'_>) -> bool {
        if self.client.tunnel.load(SeqCst) {
            self.mode = Mode::Raw;
            self.ready = self.held.len();
            return true;
        }
        self.client.wake_when_answered(context);
        if self.client.busy.load(SeqCst) > 0 || self.client.served() < self.heads {
            return false;
        }
        self.framing.go_on();
        self.sift();
        true
    }

    fn poll_raw(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            // What comes only so that a connection of HTTP/2 lives is no use of it.
            if self.client.tunnel.load(SeqCst) {
                self.read.since = None;
            }
        } else if self.is_late(context).is_some() {
            return Poll::Ready(Ok(()));
        }
        read
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_checked(context, buffer)
    }
}
