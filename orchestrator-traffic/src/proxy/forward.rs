//! One request: to whom, on which connection, again or not, and its answer.

mod errand;
mod patience;
mod tries;

use std::convert::Infallible;
use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use hyper::body::{Body, Bytes, Incoming};

use self::errand::Errand;
use super::body::Outgoing;
use super::connection::Client;
use super::course::{Course, host};
use super::live::Found;
use super::record::End;
use super::{Limits, Stage, headers};

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
    if let Some((flight, why)) = client.take_unreached() {
        course.started = flight.started;
        course.flight = Some(flight);
        return Ok(Errand::run(Box::new(Errand::unreached(course, request, why))).await);
    }
    let live = &client.proxy.live;
    let (headers, uri) = (request.headers(), request.uri());
    match live.take(course.started, host(uri, headers), uri.path(), headers, None) {
        Found::Flight(flight, why) => {
            course.flight = Some(flight);
            Ok(Errand::run(Box::new(Errand::new(course, request, why))).await)
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
    if request.version() == Version::HTTP_2 && !headers::is_of_one_host(request.uri(), request.headers()) {
        Some(400)
    } else if request.method() == Method::CONNECT {
        // It is a way to origins, not to whoever is named.
        Some(501)
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
fn own(status: u16, mut course: Course, close: bool) -> Response<Outgoing> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let text =
        Bytes::from(format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or_default()));
    let ending = course.client.stop.stage() != Stage::Serving;
    let length = text.len();
    let mut response = Response::new(if course.is_head() {
        // No byte follows, so nobody asks for one: it is over with its head.
        course.ends(End::Whole);
        Outgoing::Own(None, Some(Box::new(course)))
    } else {
        Outgoing::Own(Some(text), Some(Box::new(course)))
    });
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, length.into());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if close || ending {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
