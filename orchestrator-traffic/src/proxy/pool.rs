//! Connections to versions, kept for the next request. Each thread has its own, so nobody waits for a lock.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;

use super::Limits;
use super::body::Upload;
use super::upstream::{Awaited, Awaiting, Upstream};
use super::version::Version;

/// How long a connection may have lain idle for a request that cannot be sent again: versions close idle ones after seconds, and
/// where both happen at once, it is not known whether the request was acted on.
const SURE: Duration = Duration::from_secs(2);
/// How often it is looked which connections are to be closed.
const TENDED: Duration = Duration::from_secs(1);
/// The most bytes of the head of an answer.
const HEAD: usize = 64 << 10;
/// How often it is asked whether a version that speaks HTTP/2 is still there, and how long that may take.
const PING: Duration = Duration::from_secs(10);

thread_local! {
    static SHELVES: RefCell<HashMap<u64, Shelf>> = RefCell::default();
}

/// What is kept for one version.
#[derive(Debug)]
struct Shelf {
    version: Arc<Version>,
    /// The one that was used last is at the end.
    idle: Vec<(One, Instant)>,
    shared: Option<http2::SendRequest<Upload>>,
}

/// A connection that takes one request at a time.
#[derive(Debug)]
pub(super) struct One {
    pub(super) sender: http1::SendRequest<Upload>,
    pub(super) awaiting: Awaiting,
    /// How long the version keeps it, as far as it said so.
    pub(super) keep: Option<Duration>,
}

/// One that lies idle, if there is. `repeatable`: whether the request may be sent again should it have been closed meanwhile.
pub(super) fn take(version: &Version, now: Instant, repeatable: bool, limits: &Limits) -> Option<One> {
    SHELVES.with_borrow_mut(|shelves| {
        let idle = &mut shelves.get_mut(&version.id)?.idle;
        let mut at = idle.len();
        while at > 0 {
            at -= 1;
            let (one, since) = &idle[at];
            if one.sender.is_closed() {
                idle.remove(at);
                continue;
            }
            let limit = one.keep.unwrap_or(limits.keep).min(if repeatable { limits.keep } else { SURE });
            if now.saturating_duration_since(*since) >= limit {
                // Those before it lie there for longer.
                return None;
            }
            if one.sender.is_ready() {
                return Some(idle.remove(at).0);
            }
        }
        None
    })
}

/// Keeps it for the next request, if the version is still served.
/// `used` last then.
pub(super) fn keep(version: &Arc<Version>, one: One, used: Instant, limits: &Limits) {
    let gone = one.sender.is_closed() || one.keep.is_some_and(|keep| keep.is_zero());
    if gone || version.has_left() {
        return;
    }
    one.awaiting.set(Awaited::Nothing);
    SHELVES.with_borrow_mut(|shelves| {
        let shelf = shelf(shelves, version);
        if shelf.idle.len() < limits.kept {
            shelf.idle.push((one, used));
        }
    });
}

fn shelf<'a>(shelves: &'a mut HashMap<u64, Shelf>, version: &Arc<Version>) -> &'a mut Shelf {
    shelves.entry(version.id).or_insert_with(|| Shelf {
        version: Arc::clone(version),
        idle: Vec::new(),
        shared: None,
    })
}

/// Closes what is idle for too long, and what leads to versions that are not served any more. Runs as long as its thread serves.
pub(super) async fn tend(limits: Limits) {
    loop {
        tokio::time::sleep(TENDED).await;
        let now = Instant::now();
        SHELVES.with_borrow_mut(|shelves| {
            shelves.retain(|_, shelf| {
                shelf.idle.retain(|(one, since)| {
                    !one.sender.is_closed()
                        && now.saturating_duration_since(*since)
                            < one.keep.unwrap_or(limits.keep).min(limits.keep)
                });
                shelf.idle.shrink_to(8);
                !shelf.version.has_left()
            });
        });
    }
}

/// A new connection.
pub(super) async fn dial(version: &Version, limits: &Limits) -> io::Result<One> {
    let awaiting = Awaiting::default();
    let stream = connect(version, awaiting.clone(), limits).await?;
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD).max_header_size(HEAD);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(One { sender, awaiting, keep: None })
}

/// The connection to a version that speaks HTTP/2; a new one where there is none. Whether it was there.
pub(super) async fn shared(
    version: &Arc<Version>,
    limits: &Limits,
    fresh: bool,
) -> io::Result<(http2::SendRequest<Upload>, bool)> {
    let there =
        SHELVES.with_borrow(|shelves| shelves.get(&version.id).and_then(|shelf| shelf.shared.clone()));
    if let Some(sender) = there.filter(|sender| !sender.is_closed() && !fresh) {
        return Ok((sender, true));
    }
    let stream = connect(version, Awaiting::default(), limits).await?;
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PING);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
    tokio::spawn(async move {
        let _ = connection.await;
    });
    if !version.has_left() {
        SHELVES.with_borrow_mut(|shelves| shelf(shelves, version).shared = Some(sender.clone()));
    }
    Ok((sender, false))
}

async fn connect(version: &Version, awaiting: Awaiting, limits: &Limits) -> io::Result<Upstream> {
    let connecting = TcpStream::connect(version.address);
    let stream =
        tokio::time::timeout(limits.connect, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    Ok(Upstream::new(stream, awaiting, limits))
}
