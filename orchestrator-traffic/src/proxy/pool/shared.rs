//! A connection that takes many requests at once, in HTTP/2.
//!
//! What clients have not taken of their answers counts against the window of the connection that they share. So that window has room for
//! those of all its streams, and there are no more of them: nobody takes the room of another. Whoever finds no place takes another connection.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};

use super::super::body::Upload;
use super::super::upstream::Upstream;

/// How often it is asked whether the version is still there, and how long that may take.
const PING: Duration = Duration::from_secs(10);
/// The most bytes of an answer that wait for its client to take them.
const WINDOW: u32 = 128 << 10;
/// The most requests at once, also where the version takes more.
const STREAMS: u32 = 64;

type Connection = http2::Connection<TokioIo<Upstream>, Upload, TokioExecutor>;

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    /// None when it is over. It is a task's, and only looked at here; both are on one thread.
    connection: Arc<Mutex<Option<Connection>>>,
    sender: http2::SendRequest<Upload>,
    streams: Arc<AtomicUsize>,
    /// When the last request began.
    used: Instant,
}

/// A place on a connection, and who sends on it.
#[derive(Debug)]
pub(in super::super) struct Seat {
    pub(in super::super) sender: http2::SendRequest<Upload>,
    pub(in super::super) stream: Arc<Stream>,
}

/// The place of a request, until this is dropped.
#[derive(Debug)]
pub(in super::super) struct Stream(Arc<AtomicUsize>);

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Shared {
    pub(super) async fn begin(stream: Upstream) -> io::Result<Self> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW * STREAMS)
            // Until the version has said how many it takes.
            .initial_max_send_streams(1);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        let connection = Arc::new(Mutex::new(Some(connection)));
        let own = Arc::clone(&connection);
        tokio::spawn(poll_fn(move |context| {
            let mut place = own.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(connection) = &mut *place {
                // How it ended is known to whoever was on it.
                let _ = ready!(Pin::new(connection).poll(context));
            }
            *place = None;
            Poll::Ready(())
        }));
        Ok(Self { connection, sender, streams: Arc::default(), used: Instant::now() })
    }

    pub(super) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// A place for a request, if there is one. Only on its own thread, so that no two find the last one.
    pub(super) fn take(&mut self) -> Option<Seat> {
        let place = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // One that takes none at all is asked as well: whoever waits there in vain says what is wrong.
        let most = place.as_ref()?.current_max_send_streams().clamp(1, STREAMS as usize);
        drop(place);
        if self.is_closed() || self.streams.load(Relaxed) >= most {
            return None;
        }
        self.streams.fetch_add(1, Relaxed);
        self.used = Instant::now();
        Some(Seat { sender: self.sender.clone(), stream: Arc::new(Stream(Arc::clone(&self.streams))) })
    }

    /// Whether nobody is on it, and nobody came for that long.
    pub(super) fn lies_idle(&self, now: Instant, keep: Duration) -> bool {
        self.streams.load(Relaxed) == 0 && now.saturating_duration_since(self.used) >= keep
    }
}
