//! Connections to versions, kept for the next request. Each thread has its own, so nobody waits for a lock.

mod shared;

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use self::shared::Shared;
pub(super) use self::shared::{Seat, Stream};
use super::Limits;
use super::body::Upload;
use super::files::{self, Place};
use super::plain::Line;
use super::upstream::{Awaited, Awaiting, Upstream};
use super::version::Version;

/// How long a connection may have lain idle for a request that cannot be sent again: versions close idle ones after seconds, and
/// where both happen at once, it is not known whether the request was acted on.
const SURE: Duration = Duration::from_secs(2);
/// How often it is looked which connections are to be closed.
const TENDED: Duration = Duration::from_secs(1);
/// The most bytes of the head of an answer.
const HEAD: usize = 64 << 10;

thread_local! {
    static SHELVES: RefCell<HashMap<u64, Shelf>> = RefCell::default();
}

/// What is kept for one version.
#[derive(Debug)]
struct Shelf {
    version: Arc<Version>,
    /// The one that was used last is at the end.
    idle: Vec<(One, Instant)>,
    /// Those for plain requests, in the same order.
    plain: Vec<(Line, Instant)>,
    /// Those of a version that speaks HTTP/2; the first has room first.
    shared: Vec<Shared>,
}

/// What an answer comes on.
#[derive(Debug)]
pub(super) enum Carrier {
    /// A connection of its own.
    One(One),
    /// A place on one that others share.
    Shared {
        /// It is free when this is dropped.
        _place: Arc<Stream>,
    },
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
        plain: Vec::new(),
        shared: Vec::new(),
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
                shelf.plain.retain(|(line, since)| {
                    line.is_free()
                        && now.saturating_duration_since(*since)
                            < line.keep.unwrap_or(limits.keep).min(limits.keep)
                });
                shelf.shared.retain(|one| !one.is_closed());
                // The first is there for the next request, however long it lay idle.
                let mut first = true;
                let keep = limits.keep;
                shelf.shared.retain(|one| std::mem::take(&mut first) || !one.lies_idle(now, keep));
                shelf.idle.shrink_to(8);
                shelf.plain.shrink_to(8);
                !shelf.version.has_left()
            });
        });
    }
}

/// One for a plain request that lies idle, if there is.
pub(super) fn take_plain(version: &Version, now: Instant, limits: &Limits) -> Option<Line> {
    SHELVES.with_borrow_mut(|shelves| {
        let plain = &mut shelves.get_mut(&version.id)?.plain;
        while let Some((line, since)) = plain.pop() {
            let limit = line.keep.unwrap_or(limits.keep).min(limits.keep);
            // One that is too old is closed with this; those before it lie there for longer, but the version may keep them for longer.
            if now.saturating_duration_since(since) < limit && line.is_free() {
                return Some(line);
            }
        }
        None
    })
}

/// Keeps it for the next plain request, if the version is still served.
pub(super) fn keep_plain(version: &Arc<Version>, line: Line, used: Instant, limits: &Limits) {
    if line.keep.is_some_and(|keep| keep.is_zero()) || version.has_left() {
        return;
    }
    SHELVES.with_borrow_mut(|shelves| {
        let shelf = shelf(shelves, version);
        if shelf.plain.len() < limits.kept {
            shelf.plain.push((line, used));
        }
    });
}

/// A new connection for plain requests.
pub(super) async fn dial_plain(version: &Version, limits: &Limits) -> io::Result<Line> {
    let awaiting = Awaiting::default();
    Ok(Line::new(connect(version, awaiting.clone(), limits).await?, awaiting))
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

/// A place on a connection to a version that speaks HTTP/2; on a new one where none has room, or where it is to be `fresh`. Whether the
/// connection was there.
pub(super) async fn shared(version: &Arc<Version>, limits: &Limits, fresh: bool) -> io::Result<(Seat, bool)> {
    let there = SHELVES.with_borrow_mut(|shelves| {
        let shared = &mut shelves.get_mut(&version.id)?.shared;
        if fresh { None } else { shared.iter_mut().find_map(Shared::take) }
    });
    if let Some(seat) = there {
        return Ok((seat, true));
    }
    let mut one = Shared::begin(connect(version, Awaiting::default(), limits).await?).await?;
    let seat = one.take().ok_or(io::ErrorKind::ConnectionAborted)?;
    if !version.has_left() {
        SHELVES.with_borrow_mut(|shelves| {
            let shared = &mut shelf(shelves, version).shared;
            if fresh {
                // Who is under way on those ends there, and nobody else begins.
                shared.clear();
            }
            shared.push(one);
        });
    }
    Ok((seat, false))
}

/// A place for one more connection; where there is none, those that lie idle on this thread are closed for it.
async fn place(limits: &Limits) -> io::Result<Place> {
    if let Some(place) = Place::take(limits.files) {
        return Ok(place);
    }
    SHELVES.with_borrow_mut(|shelves| {
        for shelf in shelves.values_mut() {
            shelf.idle.clear();
            shelf.plain.clear();
            shelf.shared.retain(|one| !one.lies_idle(Instant::now(), Duration::ZERO));
        }
    });
    // What is closed ends by itself, on this thread.
    tokio::task::yield_now().await;
    Place::take(limits.files).ok_or_else(files::none_left)
}

async fn connect(version: &Version, awaiting: Awaiting, limits: &Limits) -> io::Result<Upstream> {
    let place = place(limits).await?;
    let connecting = TcpStream::connect(version.address);
    let stream =
        tokio::time::timeout(limits.connect, connecting).await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    Ok(Upstream::new(stream, place, awaiting, limits))
}
