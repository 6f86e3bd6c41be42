//! One request: to whom, on which connection, again or not, and its answer.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body, Bytes, Incoming};
use hyper::upgrade::OnUpgrade;

use super::body::{Outgoing, Relay, Upload};
use super::connection::Client;
use super::course::{Course, host};
use super::live::Found;
use super::pool::{self, One};
use super::upstream::Awaited;
use super::{Limits, Stage, headers, tunnel};

/// The longest pause between two tries to reach a version that refuses connections.
const PAUSE: Duration = Duration::from_millis(50);
/// The most tries of a request that was not sent because its connection was closed meanwhile.
const TRIES: u32 = 4;

/// Answers a request of a client.
pub(super) async fn answer(
    client: Arc<Client>,
    mut request: Request<Incoming>,
) -> Result<Response<Outgoing>, Infallible> {
    if let Some(status) = client.count() {
        *request.method_mut() = Method::from_bytes(b"-").unwrap_or_default();
        *request.uri_mut() = Uri::from_static("*");
        let mut course = Course::new(client, &request);
        course.refused(status);
        return Ok(own(status, course, true));
    }
    let mut course = Course::new(Arc::clone(&client), &request);
    if let Some(status) = refusal(&client.proxy.limits, &request) {
        course.refused(status);
        return Ok(own(status, course, true));
    }
    let live = &client.proxy.live;
    let (headers, uri) = (request.headers(), request.uri());
    match live.take(course.started, host(uri, headers), uri.path(), headers, None) {
        Found::Flight(flight, by_share) => {
            course.flight = Some(flight);
            Ok(Errand::run(Box::new(Errand::new(course, request, by_share))).await)
        }
        Found::NoRoute => {
            course.refused(404);
            Ok(own(404, course, false))
        }
        Found::Empty => {
            course.refused(503);
            Ok(own(503, course, false))
        }
    }
}

/// Why a request goes nowhere. Of HTTP/1, most of that was seen to before it came here.
fn refusal(limits: &Limits, request: &Request<Incoming>) -> Option<u16> {
    let target = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let expects = || {
        request
            .headers()
            .get(EXPECT)
            .is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
    };
    let length = request.body().size_hint().lower();
    if request.method() == Method::CONNECT {
        Some(405)
    } else if target > limits.target_bytes {
        Some(414)
    } else if request.headers().len() > limits.headers {
        Some(431)
    } else if length > limits.body_bytes.unwrap_or(u64::MAX) {
        Some(413)
    } else if expects() {
        Some(417)
    } else if headers::is_loop(request.headers()) {
        Some(508)
    } else {
        None
    }
}

/// An answer of the proxy itself.
fn own(status: u16, course: Course, close: bool) -> Response<Outgoing> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let text =
        Bytes::from(format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or_default()));
    let ending = course.client.stop.stage() != Stage::Serving;
    let mut response = Response::new(Outgoing::Own(Some(text), Some(Box::new(course))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if close || ending {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A request on its way to a version.
struct Errand {
    course: Course,
    request: Option<Request<Upload>>,
    by_share: bool,
    /// The client's side of a tunnel, should it become one.
    upgrade: Option<OnUpgrade>,
    http2: bool,
    /// It has no body and only asks for something, so that it may be sent again.
    repeatable: bool,
}

/// What came of one try.
enum Tried {
    /// An answer.
    Answered(Response<Incoming>, Option<One>),
    /// It was not sent, or may be sent again.
    Again(Request<Upload>),
    /// Nobody took a connection: the status that says so.
    Unreachable(Request<Upload>, u16),
    /// There will be no answer: the status that says so.
    Failed(u16),
    /// There will be no answer because of the client: the status that says so.
    Client(u16),
    /// Its version was drained.
    Cut,
}

impl Errand {
    fn new(course: Course, mut request: Request<Incoming>, by_share: bool) -> Self {
        let wanted = headers::upgrade(request.headers()).is_some();
        let upgrade = wanted.then(|| hyper::upgrade::on(&mut request));
        let http2 = request.version() == Version::HTTP_2;
        let (mut parts, body) = request.into_parts();
        headers::forward(&mut parts, &course.client);
        let asks = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        let repeatable = asks && body.is_end_stream() && !wanted;
        let upload = Upload::new(body, &course.client, http2);
        let request = Some(Request::from_parts(parts, upload));
        Self { course, request, by_share, upgrade, http2, repeatable }
    }

    async fn run(mut self: Box<Self>) -> Response<Outgoing> {
        let mut closed = 0;
        let mut patience = Patience::default();
        while let Some(request) = self.request.take() {
            match self.attempt(request, closed > 0).await {
                Tried::Answered(response, one) => return self.relay(response, one),
                Tried::Again(request) if closed < TRIES => {
                    closed += 1;
                    self.request = Some(request);
                }
                Tried::Again(_) => return self.fail(502),
                Tried::Unreachable(request, status) => {
                    self.request = Some(request);
                    if status == 502
                        && Box::pin(patience.waits(self.course.client.proxy.limits.refused)).await
                    {
                        // As long as it is served, its failures are its own: drawing again would hide them.
                        if self.course.flight.as_ref().is_some_and(|flight| flight.version.has_left()) {
                            self.look_again(None);
                        }
                    } else if !self.turn_to_another(status) {
                        return self.fail(status);
                    }
                }
                Tried::Failed(status) => return self.fail(status),
                Tried::Client(status) => {
                    self.course.refused(status);
                    return own(status, self.course, true);
                }
                Tried::Cut => {
                    self.course.cut(503);
                    return own(503, self.course, true);
                }
            }
        }
        self.fail(502)
    }

    fn fail(mut self, status: u16) -> Response<Outgoing> {
        self.course.failed(status);
        own(status, self.course, false)
    }

    /// Finds who gets it by the table that is there by now.
    fn look_again(&mut self, not: Option<u64>) {
        let (Some(request), Some(old)) = (&self.request, &self.course.flight) else { return };
        let (headers, uri) = (request.headers(), request.uri());
        let live = &self.course.client.proxy.live;
        if let Found::Flight(mut flight, by_share) =
            live.take(Instant::now(), host(uri, headers), uri.path(), headers, not)
        {
            if flight.version.id == old.version.id {
                flight.started = old.started;
            }
            self.course.flight = Some(flight);
            self.by_share = by_share;
        }
    }

    /// Where its version cannot be reached and it was meant for no version in particular: counts that, and turns to another one, once.
    fn turn_to_another(&mut self, status: u16) -> bool {
        let Some((id, tally, started)) = self
            .course
            .flight
            .as_ref()
            .map(|flight| (flight.version.id, Arc::clone(&flight.version.tally), flight.started))
        else {
            return false;
        };
        if !self.by_share {
            return false;
        }
        self.look_again(Some(id));
        self.by_share = false;
        let turned = self.course.flight.as_ref().is_some_and(|flight| flight.version.id != id);
        if turned {
            tally.failed(status, started.elapsed());
        }
        turned
    }

    async fn attempt(&self, mut request: Request<Upload>, fresh: bool) -> Tried {
        let Some(flight) = &self.course.flight else { return Tried::Failed(502) };
        let version = &flight.version;
        headers::adapt(&mut request, version.h2c);
        let client = &self.course.client;
        tokio::select! {
            biased;
            tried = async {
                if version.h2c {
                    Box::pin(self.by_http2(request, fresh)).await
                } else {
                    self.by_http1(request, fresh).await
                }
            } => tried.unwrap_or_else(|error| failed(client, &error)),
            () = version.until_cut() => Tried::Cut,
        }
    }

    async fn by_http1(&self, request: Request<Upload>, fresh: bool) -> Result<Tried, hyper::Error> {
        let Some(flight) = &self.course.flight else { return Ok(Tried::Failed(502)) };
        let limits = &self.course.client.proxy.limits;
        let kept = if fresh {
            None
        } else {
            pool::take(&flight.version, self.course.started, self.repeatable, limits)
        };
        let reused = kept.is_some();
        let mut one = match kept {
            Some(one) => one,
            None => match Box::pin(pool::dial(&flight.version, limits)).await {
                Ok(one) => one,
                Err(error) => return Ok(Tried::Unreachable(request, unreachable(&error))),
            },
        };
        let copy = (reused && self.repeatable).then(|| copy(&request));
        one.awaiting.set(Awaited::Head);
        match one.sender.try_send_request(request).await {
            Ok(response) => {
                one.awaiting.set(Awaited::More);
                Ok(Tried::Answered(response, Some(one)))
            }
            Err(mut error) => match error.take_message().or(copy) {
                Some(request) if !is_late(error.error()) => Ok(Tried::Again(request)),
                _ => Err(error.into_error()),
            },
        }
    }

    async fn by_http2(&self, request: Request<Upload>, fresh: bool) -> Result<Tried, hyper::Error> {
        let Some(flight) = &self.course.flight else { return Ok(Tried::Failed(502)) };
        let limits = &self.course.client.proxy.limits;
        let (mut sender, reused) = match pool::shared(&flight.version, limits, fresh).await {
            Ok(shared) => shared,
            Err(error) => return Ok(Tried::Unreachable(request, unreachable(&error))),
        };
        let copy = (reused && self.repeatable).then(|| copy(&request));
        match tokio::time::timeout(limits.answer, sender.try_send_request(request)).await {
            Ok(Ok(response)) => Ok(Tried::Answered(response, None)),
            Ok(Err(mut error)) => match error.take_message().or(copy) {
                Some(request) => Ok(Tried::Again(request)),
                None => Err(error.into_error()),
            },
            Err(_) => Ok(Tried::Failed(504)),
        }
    }

    fn relay(mut self, response: Response<Incoming>, one: Option<One>) -> Response<Outgoing> {
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return match self.upgrade.take() {
                Some(upgrade) => tunnel::open(self.course, upgrade, response),
                None => self.fail(502),
            };
        }
        // Which of the two holds is not for the proxy to guess (RFC 9112, section 6.3).
        if response.headers().contains_key(TRANSFER_ENCODING)
            && response.headers().contains_key(CONTENT_LENGTH)
        {
            return self.fail(502);
        }
        let (mut parts, incoming) = response.into_parts();
        let one = one.map(|one| One { keep: kept_for(&parts.headers).or(one.keep), ..one });
        headers::strip(&mut parts.headers);
        parts.version = Version::HTTP_11;
        if !self.http2 && self.course.client.stop.stage() != Stage::Serving {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        parts.extensions.clear();
        self.course.answered(status.as_u16());
        Response::from_parts(parts, Outgoing::Relay(Box::new(Relay::new(incoming, self.course, one))))
    }
}

/// The same request again; it has no body.
fn copy(request: &Request<Upload>) -> Request<Upload> {
    let mut copy = Request::new(Upload::EMPTY);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.version_mut() = request.version();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// How long a version keeps a connection, where it says so: a second less, since its clock began earlier.
fn kept_for(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get("keep-alive")?.to_str().ok()?;
    let seconds =
        value.split(',').find_map(|one| one.trim().strip_prefix("timeout="))?.parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds.saturating_sub(1)))
}

fn unreachable(error: &io::Error) -> u16 {
    if error.kind() == io::ErrorKind::TimedOut { 504 } else { 502 }
}

fn is_late(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(one) = source {
        if one.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return true;
        }
        source = one.source();
    }
    false
}

fn failed(client: &Client, error: &hyper::Error) -> Tried {
    if error.is_user() {
        let status = client.broken.load(SeqCst);
        return Tried::Client(if status == 0 { 400 } else { status });
    }
    Tried::Failed(if is_late(error) { 504 } else { 502 })
}

/// How long a version that refuses connections is tried again.
#[derive(Default)]
struct Patience {
    since: Option<Instant>,
    pause: Duration,
}

impl Patience {
    /// Waits for a moment; false where that went on for long enough.
    async fn waits(&mut self, limit: Duration) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= limit {
            return false;
        }
        self.pause = (self.pause * 2).clamp(Duration::from_millis(2), PAUSE);
        tokio::time::sleep(self.pause).await;
        true
    }
}
