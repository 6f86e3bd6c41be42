//! A plain request and its answer between two connections.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::Limits;
use super::super::pool;
use super::super::upstream::Awaited;
use super::super::version::Version;
use super::super::wire::Wire;
use super::Line;
use super::answer::{self, Answer, Read};
use super::body::Senseless;

/// The most bytes of the head of an answer, those that only tell how it goes included.
const HEAD: usize = 64 << 10;

/// Why there is no answer, or no more of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// The client is gone.
    Client,
    /// The version is.
    Version,
    /// The version says nothing.
    Late,
    /// What it says cannot be understood.
    Senseless,
    /// Its time is over.
    Cut,
}

impl From<Senseless> for Lost {
    fn from(_: Senseless) -> Self {
        Self::Senseless
    }
}

fn lost(error: &io::Error) -> Lost {
    if error.kind() == io::ErrorKind::TimedOut { Lost::Late } else { Lost::Version }
}

/// See the module.
pub(super) struct Exchange {
    line: Line,
    /// What is to be sent: the request first, then the answer. So many bytes of it are gone.
    out: Vec<u8>,
    gone: usize,
    /// What came of the answer's head, and how much of it were heads that only tell how it goes.
    came: Vec<u8>,
    past: usize,
    /// Those as the client gets them. So many bytes of it are gone.
    told: Vec<u8>,
    told_gone: usize,
    /// The client wants the head only.
    head: bool,
    answer: Option<Answer>,
    /// More came than belongs to the answer.
    more: bool,
    bytes: u64,
}

impl Exchange {
    pub(super) fn new(line: Line, request: Vec<u8>, head: bool) -> Self {
        line.awaits(Awaited::Head);
        Self {
            line,
            out: request,
            gone: 0,
            came: Vec::new(),
            past: 0,
            told: Vec::new(),
            told_gone: 0,
            head,
            answer: None,
            more: false,
            bytes: 0,
        }
    }

    /// Sends the request, and waits for the head of its answer. Those that only tell how it goes are passed on meanwhile.
    pub(super) async fn head<S>(&mut self, wire: &mut Wire<S>) -> Result<(), Lost>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        poll_fn(|context| {
            while self.gone < self.out.len() {
                match self.line.poll_write(context, &self.out[self.gone..]) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(Lost::Version)),
                    Poll::Ready(Ok(count)) => self.gone += count,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(lost(&error))),
                    Poll::Pending => break,
                }
            }
            match self.poll_head(context) {
                Poll::Pending => {}
                ready @ Poll::Ready(_) => return ready,
            }
            if self.told_gone < self.told.len()
                && matches!(poll_send(wire, context, &self.told, &mut self.told_gone), Poll::Ready(Err(_)))
            {
                return Poll::Ready(Err(Lost::Client));
            }
            wire.poll_gone(context).map(|()| Err(Lost::Client))
        })
        .await
    }

    /// Whether the client has a part of what it is told, and not the rest.
    pub(super) fn is_half_told(&self) -> bool {
        (1..self.told.len()).contains(&self.told_gone)
    }

    /// What the client is still to be told before it gets an answer.
    pub(super) fn untold(&mut self) -> Vec<u8> {
        self.told.split_off(self.told_gone)
    }

    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        loop {
            let came = &mut self.came;
            let count = ready!(self.line.poll_read(context, |bytes| {
                came.extend_from_slice(bytes);
                bytes.len()
            }))
            .map_err(|error| lost(&error))?;
            if count == 0 {
                return Poll::Ready(Err(Lost::Version));
            }
            loop {
                let mut out = Vec::new();
                match Answer::read(&self.came[self.past..], self.head, &mut out)? {
                    Read::More => break,
                    Read::Told(length) => {
                        self.past += length;
                        self.told.append(&mut out);
                    }
                    Read::Answer(answer) => {
                        // An answer that comes before the whole request: what is left of that will not be sent.
                        self.more = self.gone < self.out.len();
                        (self.out, self.gone) = (out, 0);
                        self.answer = Some(answer);
                        return Poll::Ready(Ok(()));
                    }
                }
            }
            if self.came.len() > HEAD {
                return Poll::Ready(Err(Lost::Senseless));
            }
        }
    }

    pub(super) fn status(&self) -> u16 {
        self.answer.as_ref().map_or(502, |answer| answer.status)
    }

    /// Begins the answer to the client with what came of it, after what it is still to be told. Where that fails, nothing of it goes on.
    pub(super) fn open(&mut self, close: bool) -> Result<(), Lost> {
        let Some(answer) = &self.answer else { return Err(Lost::Senseless) };
        answer.finish(close, &mut self.out);
        self.line.awaits(Awaited::More);
        let came = std::mem::take(&mut self.came);
        let length = self.past + answer.length;
        self.pass(&came[length..])?;
        if self.told_gone < self.told.len() {
            self.out.splice(0..0, self.told.drain(self.told_gone..));
        }
        Ok(())
    }

    fn pass(&mut self, bytes: &[u8]) -> Result<(), Lost> {
        let Some(answer) = &mut self.answer else { return Err(Lost::Senseless) };
        let (own, used) = answer.body.pass(bytes, &mut self.out)?;
        self.bytes += own;
        self.more |= used < bytes.len();
        Ok(())
    }

    /// Whether all of the answer came.
    pub(super) fn is_whole(&self) -> bool {
        self.answer.as_ref().is_none_or(|answer| answer.body.is_over())
    }

    /// Bytes of the body so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Passes the body on until all of it came.
    pub(super) async fn body<S>(&mut self, wire: &mut Wire<S>) -> Result<(), Lost>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        poll_fn(|context| {
            while !self.is_whole() {
                ready!(poll_send(wire, context, &self.out, &mut self.gone)).map_err(|_| Lost::Client)?;
                self.out.clear();
                self.gone = 0;
                match self.poll_body(context) {
                    Poll::Pending => return wire.poll_gone(context).map(|()| Err(Lost::Client)),
                    Poll::Ready(read) => read?,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let Self { line, out, answer, more, bytes: own, .. } = self;
        let Some(answer) = answer else { return Poll::Ready(Err(Lost::Senseless)) };
        let read = ready!(line.poll_read(context, |bytes| {
            if bytes.is_empty() {
                return if answer.body.ends(out) { Ok(()) } else { Err(Lost::Version) };
            }
            let (passed, used) = answer.body.pass(bytes, out)?;
            *own += passed;
            *more |= used < bytes.len();
            Ok(())
        }));
        Poll::Ready(read.unwrap_or_else(|error| Err(lost(&error))))
    }

    /// The version's part is over: its connection is kept for the next request, and what the client has not got yet is left.
    pub(super) fn part(mut self, version: &Arc<Version>, used: Instant, limits: &Limits) -> Rest {
        if let Some(answer) = &self.answer
            && answer.kept
            && !self.more
        {
            self.line.keep = answer.keep.or(self.line.keep);
            pool::keep_plain(version, self.line, used, limits);
        }
        Rest { out: self.out, gone: self.gone }
    }
}

/// What a client has not got yet.
pub(super) struct Rest {
    out: Vec<u8>,
    gone: usize,
}

impl Rest {
    /// An answer of the proxy itself, after what has to go before it.
    pub(super) fn own(mut out: Vec<u8>, status: StatusCode, text: &str, head: bool, close: bool) -> Self {
        let (reason, length) = (status.canonical_reason().unwrap_or_default(), text.len());
        let own = format!(
            "HTTP/1.1 {} {reason}\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n",
            status.as_u16()
        );
        out.extend_from_slice(own.as_bytes());
        answer::end(false, close, &mut out);
        if !head {
            out.extend_from_slice(text.as_bytes());
        }
        Self { out, gone: 0 }
    }

    pub(super) async fn send<S>(mut self, wire: &mut Wire<S>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        poll_fn(|context| poll_send(wire, context, &self.out, &mut self.gone)).await
    }
}

fn poll_send<S>(
    wire: &mut Wire<S>,
    context: &mut Context<'_>,
    out: &[u8],
    gone: &mut usize,
) -> Poll<io::Result<()>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while *gone < out.len() {
        match ready!(Pin::new(&mut *wire).poll_write(context, &out[*gone..]))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            count => *gone += count,
        }
    }
    Pin::new(wire).poll_flush(context)
}
