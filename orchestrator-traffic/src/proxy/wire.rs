//! A connection of a client: what comes in is checked before HTTP is made of it, and nothing on it takes for ever.
//!
//! A head that is refused never goes on. In its place goes a request of our own, of which the connection's [`Client`] knows that it
//! is to be answered with the refusal: so it is answered after all that came before it, and the connection is closed.

mod late;
mod reading;
mod writing;

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use self::late::Late;
use super::clock::Waiting;
use super::connection::Client;
use super::framing::Framing;

/// How a connection of HTTP/2 begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The most bytes that wait until a request to change the protocol was answered.
const WAITING: usize = 64 << 10;

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
    /// When HTTP/2 last sent more than what it sends on its own account.
    sent: Option<Instant>,
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
            sent: None,
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

    /// What may go on, while nothing is wrong with what came.
    pub(super) fn asked(&self) -> Option<&[u8]> {
        (self.mode == Mode::Checked && self.start < self.ready).then(|| &self.held[self.start..self.ready])
    }

    /// So many bytes of it went on.
    pub(super) fn taken(&mut self, count: usize) {
        self.start += count;
        self.give_back();
    }

    /// Whether the client goes away while its answer is awaited. What it asks for next is held.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while self.mode == Mode::Checked && self.held.len() <= self.start + WAITING {
            if !matches!(ready!(self.poll_more(context)), Ok(1..)) {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }

    /// Whether the client may be sending what nobody will read.
    pub(super) fn is_to_linger(&self) -> bool {
        matches!(self.mode, Mode::Refused | Mode::Broken)
            || self.mode == Mode::Checked && self.framing.in_body()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::net::{IpAddr, Ipv4Addr};

    use tokio::io::{AsyncWriteExt as _, duplex};
    use tokio::task::yield_now;

    use super::*;
    use crate::proxy::serve::Held;
    use crate::proxy::{Proxy, Stop};

    #[tokio::test]
    async fn a_client_that_is_always_ahead_takes_no_more_room() {
        let proxy = Arc::new(Proxy::new(crate::proxy::Limits::default(), None));
        let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let client = Arc::new(Client::new(Held::of_none(&proxy), Stop::new(), peer, false));
        let (mut far, near) = duplex(64 << 10);
        let mut wire = Wire::new(near, client);
        let head = format!("GET / HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n\r\n", "a".repeat(8000));
        far.write_all(head.repeat(3).as_bytes()).await.unwrap();
        assert_eq!(poll_fn(|context| wire.poll_protocol(context)).await, Some(Protocol::Http1));
        for _ in 0..1000 {
            far.write_all(head.as_bytes()).await.unwrap();
            yield_now().await;
            let gone = poll_fn(|context| Poll::Ready(wire.poll_gone(context).is_ready())).await;
            assert!(!gone);
            assert!(wire.asked().unwrap().starts_with(head.as_bytes()));
            wire.taken(head.len());
            assert!(wire.start < wire.ready, "there is always one more");
            assert!(wire.held.capacity() < 256 << 10, "{} bytes", wire.held.capacity());
        }
    }
}
