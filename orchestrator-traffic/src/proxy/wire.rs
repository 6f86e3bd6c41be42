//! A connection of a client: what comes in is checked before HTTP is made of it, and nothing on it takes for ever.
//!
//! A head that is refused never goes on. In its place goes a request of our own, of which the connection's [`Client`] knows that it
//! is to be answered with the refusal: so it is answered after all that came before it, and the connection is closed.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::Stage;
use super::clock::Waiting;
use super::connection::Client;
use super::framing::{After, Framing};

/// Goes on in the place of a head that is refused.
const STAND_IN: &[u8] = b"GET / HTTP/1.1\r\nhost:\r\n\r\n";
/// How a connection of HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The most bytes that wait until a request to change the protocol was answered.
const WAITING: usize = 64 << 10;
/// How long a connection is idle before it does without what HTTP needs, some 30 KiB.
const PARK: Duration = Duration::from_secs(1);
/// The most bytes, and the longest time, that are read and thrown away so that a client reads its answer before it is told that the
/// connection is gone (RFC 9112, section 9.6).
const LINGER: (usize, Duration) = (256 << 10, Duration::from_secs(1));

/// See the module.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    client: Arc<Client>,
    mode: Mode,
    framing: Framing,
    /// What was read and has not gone on: from `start` to `ready` it may.
    held: Vec<u8>,
    start: usize,
    ready: usize,
    /// Heads that have gone on.
    heads: u64,
    read: Waiting,
    write: Waiting,
    /// Since when a head is awaited, once it has begun. At first since the connection did.
    head_since: Option<Instant>,
    lingered: Option<(usize, Instant)>,
    /// HTTP has nothing to do with it for now.
    parked: bool,
    /// The proxy is known to be about to end.
    ending: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// HTTP/1.
    Checked,
    /// HTTP/2, or what a connection was upgraded to.
    Raw,
    /// Nothing more is read.
    Refused,
    /// A body that cannot go on.
    Broken,
    /// It was idle for too long: to HTTP, it is as if the client had closed it.
    Ended,
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, client: Arc<Client>) -> Self {
        Self {
            stream,
            framing: Framing::new(&client.proxy.limits),
            client,
            mode: Mode::Checked,
            held: Vec::new(),
            start: 0,
            ready: 0,
            heads: 0,
            read: Waiting::default(),
            write: Waiting::default(),
            head_since: Some(Instant::now()),
            lingered: None,
            parked: false,
            ending: false,
        }
    }

    /// Reads until it is clear what the client speaks; none where it goes away or takes too long before that.
    pub(super) fn poll_protocol(&mut self, context: &mut Context<'_>) -> Poll<Option<Protocol>> {
        loop {
            let same = self.held.iter().zip(PREFACE).take_while(|(one, other)| one == other).count();
            if same == PREFACE.len() {
                self.mode = Mode::Raw;
                self.head_since = None;
                self.ready = self.held.len();
                return Poll::Ready(Some(Protocol::Http2));
            }
            if same < self.held.len() {
                self.sift();
                return Poll::Ready(Some(Protocol::Http1));
            }
            match self.poll_hold(context) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(None),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending if self.is_late(context).is_some() => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Waits until there is something for HTTP to do; false where the connection is over before that.
    pub(super) fn poll_awake(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        self.parked = true;
        while self.start == self.ready && self.mode == Mode::Checked {
            match self.poll_more(context) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(_)) => {}
                Poll::Pending => match self.is_late(context) {
                    Some(Late::Head) => self.refuse(408),
                    Some(_) => return Poll::Ready(false),
                    None => return Poll::Pending,
                },
            }
        }
        self.parked = false;
        Poll::Ready(true)
    }

    /// Reads more, and checks it.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let count = ready!(self.poll_hold(context))?;
        self.sift();
        Poll::Ready(Ok(count))
    }

    /// Reads more of what is to be checked.
    fn poll_hold(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut space = [0; 2048];
        let mut buffer = ReadBuf::new(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
        self.read.since = None;
        self.held.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Checks what is held and may not go on yet.
    fn sift(&mut self) {
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

    fn refuse(&mut self, status: u16) {
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
        if self.start == self.held.len() {
            // Idle connections keep no memory.
            self.held = Vec::new();
            (self.start, self.ready) = (0, 0);
        } else if self.start == self.ready && self.start > 4096 {
            self.held.drain(..self.start);
            (self.start, self.ready) = (0, 0);
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
            self.read.since = None;
        } else if self.is_late(context).is_some() {
            return Poll::Ready(Ok(()));
        }
        read
    }

    /// What has taken too long, where something has.
    fn is_late(&mut self, context: &mut Context<'_>) -> Option<Late> {
        let limits = &self.client.proxy.limits;
        if self.mode == Mode::Raw && self.client.tunnel.load(SeqCst) {
            return None;
        }
        if self.mode == Mode::Checked && self.framing.in_body() {
            return self.read.too_long(context, limits.stall).then_some(Late::Body);
        }
        if let Some(since) = self.head_since {
            let late = if self.held.is_empty() { Late::Idle } else { Late::Head };
            return self.read.passed(context, since + limits.head).then_some(late);
        }
        // While a request is under way nobody is late. But HTTP may not look again when it is answered, so the clock runs.
        let busy = self.client.busy.load(SeqCst) > 0;
        if busy {
            self.read.since = None;
        }
        let idle = if self.client.stop.stage() == Stage::Serving {
            limits.idle
        } else {
            // From the moment that this is known, so that whoever is about to send something may be told to close.
            if !self.ending {
                self.ending = true;
                self.read.since = None;
            }
            limits.idle_at_end
        };
        if busy || self.parked || idle <= PARK || self.mode == Mode::Raw {
            return (self.read.too_long(context, idle) && !busy).then_some(Late::Idle);
        }
        if self.read.too_long(context, PARK) && self.write.since.is_none() {
            self.client.park.order();
        }
        None
    }

    fn end(&mut self, late: Late) -> io::Result<()> {
        match late {
            Late::Head => self.refuse(408),
            Late::Body => {
                self.client.broken.store(408, SeqCst);
                self.mode = Mode::Broken;
                return Err(io::ErrorKind::TimedOut.into());
            }
            Late::Idle => self.mode = Mode::Ended,
        }
        Ok(())
    }

    fn written<T>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write.since = None;
        } else if self.write.too_long(context, self.client.proxy.limits.stall) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        result
    }

    /// Whether the client may be sending what nobody will read.
    fn is_to_linger(&self) -> bool {
        matches!(self.mode, Mode::Refused | Mode::Broken)
            || self.mode == Mode::Checked && self.framing.in_body()
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

/// What a client was too slow with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    Head,
    Body,
    Idle,
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

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Wire<S> {
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
        let result = Pin::new(&mut self.stream).poll_flush(context);
        self.written(context, result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.client.park.is_followed() {
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.stream).poll_shutdown(context);
        ready!(self.written(context, result))?;
        if self.is_to_linger() {
            ready!(self.poll_linger(context));
        }
        Poll::Ready(Ok(()))
    }
}
