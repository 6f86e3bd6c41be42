//! A request on its way: to whom, again or to another one, until it has its answer.

use std::sync::Arc;
use std::time::Instant;

use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue, SET_COOKIE, TRANSFER_ENCODING};
use http::{Method, Request, Response, StatusCode, Version};
use hyper::body::{Body, Incoming};
use hyper::upgrade::OnUpgrade;

use super::super::body::{Outgoing, Relay, Shared, Upload};
use super::super::course::{Course, host};
use super::super::live::Found;
use super::super::pool::{Carrier, One};
use super::super::table::Why;
use super::super::{Stage, headers, tunnel};
use super::own;
use super::patience::Patience;
use super::tries::Tried;

/// The most tries of a request that was not sent because its connection was closed meanwhile.
const TRIES: u32 = 4;

/// A request on its way to a version.
pub(super) struct Errand {
    pub(super) course: Course,
    request: Option<Request<Upload>>,
    why: Why,
    /// The client's side of a tunnel, should it become one.
    upgrade: Option<OnUpgrade>,
    /// Whether the client speaks HTTP/2.
    pub(super) http2: bool,
    /// It has no body and only asks for something, so that it may be sent again.
    pub(super) repeatable: bool,
    /// Its version has taken no connection in time already.
    unreached: bool,
}

impl Errand {
    pub(super) fn new(course: Course, mut request: Request<Incoming>, why: Why) -> Self {
        let wanted = headers::upgrade(request.headers()).is_some();
        let upgrade = wanted.then(|| hyper::upgrade::on(&mut request));
        let http2 = request.version() == Version::HTTP_2;
        let (mut parts, body) = request.into_parts();
        headers::forward(&mut parts, &course.client);
        let asks = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE);
        let repeatable = asks && body.is_end_stream() && !wanted;
        let upload = Upload::new(body, &course.client, http2);
        let request = Some(Request::from_parts(parts, upload));
        Self { course, request, why, upgrade, http2, repeatable, unreached: false }
    }

    /// One whose version has taken no connection in time: it goes on from there.
    pub(super) fn unreached(course: Course, request: Request<Incoming>, why: Why) -> Self {
        Self { unreached: true, ..Self::new(course, request, why) }
    }

    pub(super) async fn run(mut self: Box<Self>) -> Response<Outgoing> {
        let mut closed = 0;
        let mut patience = Patience::default();
        while let Some(request) = self.request.take() {
            let tried = if std::mem::take(&mut self.unreached) {
                Tried::Unreachable(request, 504)
            } else {
                self.attempt(request, closed > 0).await
            };
            match tried {
                Tried::Answered(response, carrier) => return self.relay(response, carrier),
                Tried::Again(request) if closed < TRIES => {
                    closed += 1;
                    self.request = Some(request);
                }
                Tried::Again(_) => return self.fail(502),
                Tried::Unsent(request) => {
                    self.request = Some(request);
                    self.look_again(None);
                    if self.course.is_cut() {
                        return self.cut();
                    }
                }
                Tried::Unreachable(request, status) => {
                    self.request = Some(request);
                    if status == 502
                        && Box::pin(patience.waits(self.course.client.proxy.limits.refused)).await
                    {
                        // As long as it is served, its failures are its own: drawing again would hide them.
                        if self.course.flight.as_ref().is_some_and(|flight| flight.version.has_left()) {
                            self.look_again(None);
                        }
                    } else if status == 503 {
                        // For want of something of this machine's: nobody else is to blame.
                        self.course.refused(status);
                        return own(status, self.course, false);
                    } else if !self.turn_to_another(status) {
                        return self.fail(status);
                    }
                }
                Tried::Failed(status) => return self.fail(status),
                Tried::Client(status) => {
                    self.course.refused(status);
                    return own(status, self.course, true);
                }
                Tried::Cut => return self.cut(),
            }
        }
        self.fail(502)
    }

    fn fail(mut self, status: u16) -> Response<Outgoing> {
        self.course.failed(status);
        own(status, self.course, false)
    }

    fn cut(mut self) -> Response<Outgoing> {
        self.course.cut(503);
        own(503, self.course, true)
    }

    /// Finds who gets it by the table that is there by now.
    fn look_again(&mut self, not: Option<u64>) {
        let (Some(request), Some(old)) = (&self.request, &self.course.flight) else { return };
        let (headers, uri) = (request.headers(), request.uri());
        let live = &self.course.client.proxy.live;
        if let Found::Flight(mut flight, why) =
            live.take(Instant::now(), host(uri, headers), uri.path(), headers, not)
        {
            if flight.version.id == old.version.id {
                flight.started = old.started;
            }
            self.course.flight = Some(flight);
            self.why = why;
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
        if self.why == Why::Canary {
            return false;
        }
        self.look_again(Some(id));
        // Once, and nobody keeps a place that is of no use at the moment.
        self.why = Why::Canary;
        let turned = self.course.flight.as_ref().is_some_and(|flight| flight.version.id != id);
        if turned {
            tally.failed(status, started.elapsed());
        }
        turned
    }

    fn relay(mut self, response: Response<Incoming>, carrier: Carrier) -> Response<Outgoing> {
        let status = response.status();
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return match self.upgrade.take() {
                Some(upgrade) => tunnel::open(self.course, upgrade, response),
                None => self.fail(502),
            };
        }
        // Which of the two holds is not for the proxy to guess (RFC 9112, section 6.3).
        let mut codings = response.headers().get_all(TRANSFER_ENCODING).iter();
        if let Some(coding) = codings.next() {
            // Of others, the client would get the bytes and not know what they are.
            let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
            if !chunked || response.headers().contains_key(CONTENT_LENGTH) {
                return self.fail(502);
            }
        }
        let (mut parts, incoming) = response.into_parts();
        let carrier = match carrier {
            Carrier::One(one) => {
                Carrier::One(One { keep: headers::kept_for(&parts.headers).or(one.keep), ..one })
            }
            shared @ Carrier::Shared { .. } => shared,
        };
        headers::strip(&mut parts.headers);
        parts.version = Version::HTTP_11;
        if !self.http2 && self.course.client.stop.stage() != Stage::Serving {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        parts.extensions.clear();
        if let Why::Share(Some(place)) = self.why {
            parts.headers.append(SET_COOKIE, place);
        }
        self.course.answered(status.as_u16());
        let relay = Relay::new(incoming, self.course, carrier, self.http2);
        Response::from_parts(parts, Outgoing::Relay(Shared::new(relay)))
    }
}
