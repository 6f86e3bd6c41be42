//! One connection of a client: HTTP/1 or HTTP/2, whichever it begins with.

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU16, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use super::plain::{self, Then};
use super::quiet::Quiet;
use super::serve::Held;
use super::table::Why;
use super::version::Flight;
use super::wire::{Protocol, Wire};
use super::{Proxy, Stage, Stop, forward};

/// How often it is asked whether a client of HTTP/2 is still there, and how long that may take.
const PING: Duration = Duration::from_secs(20);
/// The most bytes of an answer that wait for a client of HTTP/2 to take them; each request has as many.
const SEND_BUFFER: usize = 64 << 10;
/// The most bytes of a body that wait for its version to take them. The window of the connection has room for those of all its requests,
/// so that nobody takes the room of another. A window is leave to send, no memory: 1,000 connections with 128 requests each hold 8 GB only
/// where all of these are uploads that their versions do not take; such a one ends after `stall` or `answer` (see [`super::Limits`]).
const WINDOW: u32 = 64 << 10;
/// The largest window (RFC 9113, section 6.9.1).
const LARGEST: u32 = (1 << 31) - 1;

/// What its requests have in common, and what is known of them.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) proxy: Arc<Proxy>,
    pub(super) stop: Stop,
    /// The proxy does not end before this is dropped.
    _held: Held,
    /// The address without the port.
    pub(super) address: HeaderValue,
    /// Whether it came by TLS.
    pub(super) secure: bool,
    /// Requests under way.
    pub(super) busy: AtomicU64,
    /// It is a tunnel by now.
    pub(super) tunnel: AtomicBool,
    /// The status that says why a body could not go on; 0 for none.
    pub(super) broken: AtomicU16,
    /// Who waits for the answer to a request to change the protocol.
    waits: Mutex<Option<Waker>>,
    waiting: AtomicBool,
    /// Whether it is to do without HTTP for a while.
    pub(super) park: Park,
    /// Requests that came.
    served: AtomicU64,
    /// Of the request that stands in for one that is refused: how many came before it, and the status.
    refused: AtomicU64,
    /// The next request, where its version took no connection in time and the general way is to go on from there.
    unreached: Mutex<Option<(Flight, Why)>>,
}

impl Client {
    pub(super) fn new(held: Held, stop: Stop, peer: IpAddr, secure: bool) -> Self {
        let address = HeaderValue::from_str(&peer.to_canonical().to_string())
            .unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Self {
            proxy: Arc::clone(&held.proxy),
            _held: held,
            stop,
            address,
            secure,
            busy: AtomicU64::new(0),
            tunnel: AtomicBool::new(false),
            broken: AtomicU16::new(0),
            waits: Mutex::default(),
            waiting: AtomicBool::new(false),
            park: Park::default(),
            served: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            unreached: Mutex::default(),
        }
    }

    /// The request after that many is to be refused.
    pub(super) fn refuse(&self, before: u64, status: u16) {
        self.refused.store(before << 16 | u64::from(status), SeqCst);
    }

    /// The next request was meant for that version, which has taken no connection in time.
    pub(super) fn leave_unreached(&self, flight: Flight, why: Why) {
        *self.unreached.lock().unwrap_or_else(PoisonError::into_inner) = Some((flight, why));
    }

    /// Whom this request was meant for, where that is so.
    pub(super) fn take_unreached(&self) -> Option<(Flight, Why)> {
        self.unreached.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Counts a request; the status that refuses it where it is but a stand-in.
    pub(super) fn count(&self) -> Option<u16> {
        let before = self.served.fetch_add(1, SeqCst);
        let refused = self.refused.load(SeqCst);
        (refused != 0 && refused >> 16 == before).then_some((refused & 0xFFFF) as u16)
    }

    /// That task is woken when a request is over.
    pub(super) fn wake_when_answered(&self, context: &Context<'_>) {
        *self.waits.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.waker().clone());
        self.waiting.store(true, SeqCst);
    }

    /// A request is over.
    pub(super) fn is_over(&self) {
        self.busy.fetch_sub(1, SeqCst);
        if self.waiting.load(SeqCst)
            && self.waiting.swap(false, SeqCst)
            && let Some(waker) = self.waits.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            waker.wake();
        }
    }

    /// How many requests came.
    pub(super) fn served(&self) -> u64 {
        self.served.load(SeqCst)
    }
}

/// An idle connection that does without what HTTP needs: an order to the connection, and that it is being followed.
#[derive(Debug, Default)]
pub(super) struct Park(AtomicU8);

impl Park {
    /// Orders it.
    pub(super) fn order(&self) {
        self.0.store(1, SeqCst);
    }

    /// Whether it is ordered; only once.
    fn ordered(&self) -> bool {
        self.0.compare_exchange(1, 2, SeqCst, SeqCst).is_ok()
    }

    /// Whether the connection must not be closed by HTTP's end.
    pub(super) fn is_followed(&self) -> bool {
        self.0.load(SeqCst) == 2
    }

    /// The order is over: whether it was being followed.
    fn done(&self) -> bool {
        self.0.swap(0, SeqCst) == 2
    }
}

/// Answers its requests until it ends.
pub(super) async fn attend<S>(stream: S, client: Arc<Client>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut wire = Wire::new(stream, Arc::clone(&client));
    match poll_fn(|context| wire.poll_protocol(context)).await {
        Some(Protocol::Http1) => {}
        Some(Protocol::Http2) => return Box::pin(two(wire, client)).await,
        None => return,
    }
    let mut ending = Some(Quiet::new(client.stop.reached(Stage::Draining)));
    while awake(&mut wire, &client, &mut ending).await {
        match plain::answer(&mut wire, &client).await {
            Then::Next => continue,
            Then::Over => return close(wire, &client).await,
            Then::Other => {}
        }
        // What HTTP needs lies apart, and is given back when the connection has nothing to say.
        match Box::pin(one(wire, Arc::clone(&client))).await {
            Some(parked) => wire = parked,
            None => return,
        }
    }
}

/// Ends the connection so that the client knows that nothing was lost, and reads what it has got.
async fn close<S>(mut wire: Wire<S>, client: &Client)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if client.secure || wire.is_to_linger() {
        let _ = poll_fn(|context| Pin::new(&mut wire).poll_shutdown(context)).await;
    }
}

/// Waits until there is something for HTTP to do; false where the connection is over before that.
async fn awake<S, F>(wire: &mut Wire<S>, client: &Client, ending: &mut Option<Quiet<F>>) -> bool
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = ()>,
{
    let _idle = Idle::of(&client.proxy);
    poll_fn(|context| {
        if ending.as_mut().is_some_and(|ending| Pin::new(ending).poll(context).is_ready()) {
            *ending = None;
        }
        wire.poll_awake(context)
    })
    .await
}

/// Counts a connection that does without what HTTP needs.
struct Idle<'a>(&'a Proxy);

impl<'a> Idle<'a> {
    fn of(proxy: &'a Proxy) -> Self {
        proxy.idle.fetch_add(1, SeqCst);
        Self(proxy)
    }
}

impl Drop for Idle<'_> {
    fn drop(&mut self) {
        self.0.idle.fetch_sub(1, SeqCst);
    }
}

/// Answers its requests until it ends, or until it has been idle for a while: then it is given back.
///
/// That a client is told to close after its answer is up to [`forward`]; idle connections are up to [`Wire`].
async fn one<S>(wire: Wire<S>, client: Arc<Client>) -> Option<Wire<S>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &client.proxy.limits;
    let service = service_fn(|request| forward::answer(Arc::clone(&client), request));
    let mut builder = http1::Builder::new();
    // What comes in was counted by `Wire` before, so these only must not be less.
    builder.header_read_timeout(None::<Duration>).max_buf_size(64 << 10);
    if limits.headers > 100 {
        builder.max_headers(limits.headers);
    }
    let mut connection = builder.serve_connection(TokioIo::new(wire), service).with_upgrades();
    // Woken when the proxy is about to end, so that `Wire` sees that it may be idle for a shorter time.
    let mut ending = Some(Quiet::new(client.stop.reached(Stage::Draining)));
    let ended = poll_fn(|context| {
        loop {
            if let Poll::Ready(ended) = Pin::new(&mut connection).poll(context) {
                return Poll::Ready(ended);
            }
            if client.park.ordered() {
                // It is idle, so this ends it at once; `Wire` keeps the connection itself.
                Pin::new(&mut connection).graceful_shutdown();
            } else if ending.as_mut().is_some_and(|ending| Pin::new(ending).poll(context).is_ready()) {
                ending = None;
            } else {
                // Should it not have been idle after all, it ends as any other.
                client.park.done();
                return Poll::Pending;
            }
        }
    });
    let ended = ended.await;
    let parts = connection.into_parts()?;
    // Blank lines before a request mean nothing (RFC 9112, section 2.2); some clients send one after each body.
    let is_blank = parts.read_buf.iter().all(|byte| matches!(byte, b'\r' | b'\n'));
    (ended.is_ok() && client.park.done() && is_blank).then(|| parts.io.into_inner())
}

async fn two<S>(wire: Wire<S>, client: Arc<Client>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let limits = &client.proxy.limits;
    let own = Arc::clone(&client);
    let service = service_fn(move |request| forward::answer(Arc::clone(&own), request));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW.saturating_mul(limits.streams.max(1)).min(LARGEST))
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        // Streams that are reset as soon as they are opened (CVE-2023-44487), or that make the proxy reset them (CVE-2025-8671).
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PING)
        .max_send_buf_size(SEND_BUFFER);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(wire), service));
    let mut ending = Quiet::new(client.stop.reached(Stage::Draining));
    tokio::select! {
        biased;
        _ = connection.as_mut() => return,
        () = &mut ending => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
