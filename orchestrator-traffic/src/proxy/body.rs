//! Bodies on their way: as fast as the slower side takes them, and no part is held back.

use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::clock::Waiting;
use super::connection::Client;
use super::course::Course;
use super::guard;
use super::pool::{self, Carrier, Stream};
use super::record::End;

/// The most bytes of an answer that a client of HTTP/2 is given at once, so that it is seen whether it takes any.
const PART: usize = 16 << 10;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A client's body on its way to a version.
#[derive(Debug)]
pub(super) struct Upload {
    incoming: Option<Incoming>,
    /// On HTTP/2, nobody but this looks how much it is and how long it takes.
    watch: Option<Box<Watch>>,
    moved: Option<Moved>,
    /// Its place on a connection that others share.
    stream: Option<Arc<Stream>>,
}

/// When the last part of a body went on, and whether it broke off: known to who waits for the answer.
#[derive(Debug, Clone)]
pub(super) struct Moved(Arc<(Mutex<Instant>, AtomicU16)>);

impl Moved {
    fn new() -> Self {
        Self(Arc::new((Mutex::new(Instant::now()), AtomicU16::new(0))))
    }

    /// That moment.
    pub(super) fn last(&self) -> Instant {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status that says why it broke off, where it did.
    pub(super) fn broke_off(&self) -> Option<u16> {
        Some(self.0.1.load(SeqCst)).filter(|status| *status != 0)
    }
}

#[derive(Debug)]
struct Watch {
    client: Arc<Client>,
    bytes: u64,
    waiting: Waiting,
}

impl Upload {
    /// Nothing.
    pub(super) const EMPTY: Self = Self { incoming: None, watch: None, moved: None, stream: None };

    pub(super) fn new(incoming: Incoming, client: &Arc<Client>, watched: bool) -> Self {
        if incoming.is_end_stream() {
            return Self::EMPTY;
        }
        let watch = || Box::new(Watch { client: Arc::clone(client), bytes: 0, waiting: Waiting::default() });
        Self { incoming: Some(incoming), watch: watched.then(watch), moved: None, stream: None }
    }

    /// From now on it is known when the last part of it went on; none where there is nothing to go on.
    pub(super) fn moved(&mut self) -> Option<Moved> {
        self.incoming.as_ref()?;
        self.moved = Some(Moved::new());
        self.moved.clone()
    }

    /// It goes on that place, which is taken until all of it went on.
    pub(super) fn takes(&mut self, stream: &Arc<Stream>) {
        self.stream = self.incoming.as_ref().map(|_| Arc::clone(stream));
    }

    /// It is the client's fault that it does not go on.
    fn breaks_off(&self, status: u16) {
        if let Some(Moved(moved)) = &self.moved {
            moved.1.store(status, SeqCst);
        }
    }
}

impl Watch {
    /// The status that says what is wrong, where something is.
    fn fails(
        &mut self,
        context: &mut Context<'_>,
        polled: &Poll<Option<hyper::Result<Frame<Bytes>>>>,
    ) -> Option<u16> {
        let limits = &self.client.proxy.limits;
        let status = match polled {
            Poll::Pending if self.waiting.too_long(context, limits.stall) => 408,
            Poll::Pending => return None,
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting.since = None;
                self.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                if self.bytes <= limits.body_bytes.unwrap_or(u64::MAX) {
                    return None;
                }
                413
            }
            Poll::Ready(_) => return None,
        };
        self.client.broken.store(status, SeqCst);
        Some(status)
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
            && let Some(status) = watch.fails(context, &polled)
        {
            this.breaks_off(status);
            return Poll::Ready(Some(Err("the client sends too slowly, or too much".into())));
        }
        if let (Some(Moved(moved)), true) = (&this.moved, polled.is_ready()) {
            *moved.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        if matches!(polled, Poll::Ready(Some(Err(_)))) {
            this.breaks_off(400);
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
    Relay(Arc<Shared>),
}

/// A version's body, until it is given up: by whoever sends it, or by whoever looks after it (`guard`).
#[derive(Debug)]
pub(super) struct Shared(Mutex<Option<Relay>>);

/// How it stands with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// All of it came, or it was given up.
    Over,
    /// Its version was drained.
    Cut,
    /// The version has to say more, or the client is looked after elsewhere.
    Version,
    /// The client has to take more; it has taken that many parts.
    Client(u32),
}

impl Shared {
    pub(super) fn new(relay: Relay) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Some(relay))))
    }

    fn relay(&self) -> MutexGuard<'_, Option<Relay>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it stands.
    pub(super) fn look(&self) -> Look {
        match &*self.relay() {
            Some(Relay { course: Some(course), .. }) if course.is_cut() => Look::Cut,
            Some(Relay { course: Some(_), http2: true, given: true, parts, .. }) => Look::Client(*parts),
            Some(Relay { course: Some(_), .. }) => Look::Version,
            _ => Look::Over,
        }
    }

    /// It is over in that way: its version is free, and whoever sends it is told when it asks for more.
    pub(super) fn give_up(&self, end: End) {
        let relay = self.relay().take();
        if let Some(mut course) = relay.and_then(|mut relay| relay.course.take()) {
            course.ends(end);
        }
    }

    fn poll(self: &Arc<Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut place = self.relay();
        let Some(relay) = &mut *place else {
            return Poll::Ready(Some(Err("the answer was given up".into())));
        };
        let polled = relay.poll(context);
        relay.given = polled.is_ready();
        let first = relay.course.is_some() && !std::mem::replace(&mut relay.watched, true);
        drop(place);
        if first {
            guard::watch(self);
        }
        polled
    }
}

/// A version's body on its way to a client.
pub(super) struct Relay {
    incoming: Incoming,
    /// None when it is over.
    course: Option<Course>,
    /// What it comes on.
    carrier: Option<Carrier>,
    cut: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// HTTP/2 has no clock of its own on its connections to versions.
    silence: Option<(Waiting, Duration)>,
    /// Whether the client speaks HTTP/2, and what of a part did not go on yet.
    http2: bool,
    rest: Bytes,
    /// Parts that went on, and whether the last look found one.
    parts: u32,
    given: bool,
    /// Somebody looks after it.
    watched: bool,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("course", &self.course).finish_non_exhaustive()
    }
}

impl Relay {
    pub(super) fn new(incoming: Incoming, course: Course, carrier: Carrier, http2: bool) -> Self {
        let silence = matches!(carrier, Carrier::Shared { .. })
            .then(|| (Waiting::default(), course.client.proxy.limits.silence));
        Self {
            incoming,
            course: Some(course),
            carrier: Some(carrier),
            cut: None,
            silence,
            http2,
            rest: Bytes::new(),
            parts: 0,
            given: false,
            watched: false,
        }
    }

    /// All of it came: version and connection are free for the next request, though the client may have to take it yet.
    fn whole(&mut self) {
        let Some(mut course) = self.course.take() else { return };
        course.ends(End::Whole);
        // A long body may have taken longer than a connection is kept.
        let used = if self.parts > 1 { Instant::now() } else { course.latest() };
        if let (Some(Carrier::One(one)), Some(flight)) = (self.carrier.take(), &course.flight) {
            pool::keep(&flight.version, one, used, &course.client.proxy.limits);
        }
    }

    fn broken(&mut self, end: End, why: BoxError) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Some(mut course) = self.course.take() {
            course.ends(end);
        }
        self.carrier = None;
        Poll::Ready(Some(Err(why)))
    }

    /// Whether it has to end though its version might go on.
    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        let Some(flight) = self.course.as_ref().and_then(|course| course.flight.as_ref()) else {
            return false;
        };
        let cut = self.cut.get_or_insert_with(|| {
            let version = Arc::clone(&flight.version);
            Box::pin(async move { version.until_cut().await })
        });
        cut.as_mut().poll(context).is_ready()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.part())));
        }
        if self.course.is_none() {
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
            Some(Ok(frame)) => self.frame(frame),
            Some(Err(error)) => self.broken(End::Broken, error.into()),
            None => {
                self.whole();
                Poll::Ready(None)
            }
        }
    }

    fn frame(&mut self, frame: Frame<Bytes>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.parts = self.parts.wrapping_add(1);
        if let Some(course) = &mut self.course {
            course.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
            if course.is_cut() {
                return self.broken(End::Cut, "the version was drained".into());
            }
        }
        if self.incoming.is_end_stream() {
            self.whole();
        }
        if !self.http2 || frame.data_ref().is_none_or(|data| data.len() <= PART) {
            return Poll::Ready(Some(Ok(frame)));
        }
        self.rest = frame.into_data().unwrap_or_default();
        Poll::Ready(Some(Ok(self.part())))
    }

    /// As much of what did not go on yet as a client of HTTP/2 is seen to take at once.
    fn part(&mut self) -> Frame<Bytes> {
        self.parts = self.parts.wrapping_add(1);
        Frame::data(self.rest.split_to(self.rest.len().min(PART)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && (self.course.is_none() || self.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint =
            if self.course.is_none() { SizeHint::with_exact(0) } else { self.incoming.size_hint() };
        let rest = self.rest.len() as u64;
        if rest > 0 {
            let upper = hint.upper();
            hint = SizeHint::new();
            if let Some(upper) = upper {
                hint.set_upper(upper + rest);
            }
        }
        hint
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if self.incoming.is_end_stream() {
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
                if let Some(mut course) = course.take() {
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
            Self::Relay(relay) => relay.relay().as_ref().is_some_and(Relay::is_end_stream),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes, _) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Self::Relay(relay) => relay.relay().as_ref().map_or_else(SizeHint::new, Relay::size_hint),
        }
    }
}
