//! Bodies on their way: as fast as the slower side takes them, and no part is held back.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::clock::Waiting;
use super::connection::Client;
use super::course::Course;
use super::pool::{self, One};
use super::record::End;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A client's body on its way to a version.
#[derive(Debug)]
pub(super) struct Upload {
    incoming: Option<Incoming>,
    /// On HTTP/2, nobody but this looks how much it is and how long it takes.
    watch: Option<Box<Watch>>,
}

#[derive(Debug)]
struct Watch {
    client: Arc<Client>,
    bytes: u64,
    waiting: Waiting,
}

impl Upload {
    /// Nothing.
    pub(super) const EMPTY: Self = Self { incoming: None, watch: None };

    pub(super) fn new(incoming: Incoming, client: &Arc<Client>, watched: bool) -> Self {
        if incoming.is_end_stream() {
            return Self::EMPTY;
        }
        let watch = || Box::new(Watch { client: Arc::clone(client), bytes: 0, waiting: Waiting::default() });
        Self { incoming: Some(incoming), watch: watched.then(watch) }
    }
}

impl Watch {
    fn fails(
        &mut self,
        context: &mut Context<'_>,
        polled: &Poll<Option<hyper::Result<Frame<Bytes>>>>,
    ) -> bool {
        let limits = &self.client.proxy.limits;
        let status = match polled {
            Poll::Pending if self.waiting.too_long(context, limits.stall) => 408,
            Poll::Pending => return false,
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting.since = None;
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.bytes <= limits.body_bytes.unwrap_or(u64::MAX) {
                    return false;
                }
                413
            }
            Poll::Ready(_) => return false,
        };
        self.client.broken.store(status, SeqCst);
        true
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        let polled = Pin::new(incoming).poll_frame(context);
        if let Some(watch) = &mut this.watch
            && watch.fails(context, &polled)
        {
            return Poll::Ready(Some(Err("the client sends too slowly, or too much".into())));
        }
        polled.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) enum Outgoing {
    /// The proxy's own, and the course that ends with it.
    Own(Option<Bytes>, Option<Box<Course>>),
    /// That of a version.
    Relay(Box<Relay>),
}

/// A version's body on its way to a client.
pub(super) struct Relay {
    incoming: Incoming,
    course: Course,
    /// The connection that it comes on, where that takes one request at a time.
    one: Option<One>,
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// HTTP/2 has no clock of its own on its connections to versions.
    silence: Option<(Waiting, Duration)>,
    /// Parts that came.
    frames: u32,
    over: bool,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("course", &self.course).finish_non_exhaustive()
    }
}

impl Relay {
    pub(super) fn new(incoming: Incoming, course: Course, one: Option<One>) -> Self {
        let silence = one.is_none().then(|| (Waiting::default(), course.client.proxy.limits.silence));
        Self { incoming, course, one, cut: None, silence, frames: 0, over: false }
    }

    /// All of it came: the connection is free for the next request.
    fn whole(&mut self) {
        self.over = true;
        self.course.ends(End::Whole);
        // A long body may have taken longer than a connection is kept.
        let used = if self.frames > 1 { Instant::now() } else { self.course.latest() };
        if let (Some(one), Some(flight)) = (self.one.take(), &self.course.flight) {
            pool::keep(&flight.version, one, used, &self.course.client.proxy.limits);
        }
    }

    fn broken(&mut self, end: End, why: BoxError) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.over = true;
        self.course.ends(end);
        self.one = None;
        Poll::Ready(Some(Err(why)))
    }

    /// Whether it has to end though its version might go on.
    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        let Some(flight) = &self.course.flight else { return false };
        let cut = self.cut.get_or_insert_with(|| {
            let version = Arc::clone(&flight.version);
            Box::pin(async move { version.until_cut().await })
        });
        cut.as_mut().poll(context).is_ready()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.over {
            return Poll::Ready(None);
        }
        let polled = Pin::new(&mut self.incoming).poll_frame(context);
        if polled.is_pending() && self.is_cut(context) {
            return self.broken(End::Cut, "the version was drained".into());
        }
        if let Some((waiting, limit)) = &mut self.silence {
            if polled.is_ready() {
                waiting.since = None;
            } else if waiting.too_long(context, *limit) {
                return self.broken(End::Broken, "the version says nothing any more".into());
            }
        }
        match ready!(polled) {
            Some(Ok(frame)) => {
                self.frames = self.frames.saturating_add(1);
                self.course.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.course.flight.as_ref().is_some_and(|flight| flight.version.is_cut()) {
                    return self.broken(End::Cut, "the version was drained".into());
                }
                if self.incoming.is_end_stream() {
                    self.whole();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => self.broken(End::Broken, error.into()),
            None => {
                self.whole();
                Poll::Ready(None)
            }
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if !self.over && self.incoming.is_end_stream() {
            self.whole();
        }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut *self {
            Self::Own(bytes, course) => {
                let bytes = bytes.take();
                if let Some(course) = course {
                    course.bytes += bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
                    course.ends(End::Whole);
                }
                Poll::Ready(bytes.map(|bytes| Ok(Frame::data(bytes))))
            }
            Self::Relay(relay) => relay.poll(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes, _) => bytes.is_none(),
            Self::Relay(relay) => relay.over || relay.incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Relay(relay) if relay.over => SizeHint::with_exact(0),
            Self::Relay(relay) => relay.incoming.size_hint(),
        }
    }
}
