//! One try to get an answer of a version: by which protocol, on which connection, and what comes of it.

use std::io;
use std::sync::atomic::Ordering::SeqCst;

use http::{Request, Response};
use hyper::body::Incoming;

use super::super::body::Upload;
use super::super::connection::Client;
use super::super::pool::{self, Carrier, Seat};
use super::super::upstream::Awaited;
use super::super::{files, headers};
use super::errand::Errand;
use super::patience::in_time;

/// What came of one try.
pub(super) enum Tried {
    /// An answer.
    Answered(Response<Incoming>, Carrier),
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
    pub(super) async fn attempt(&self, mut request: Request<Upload>, fresh: bool) -> Tried {
        let Some(flight) = &self.course.flight else { return Tried::Failed(502) };
        let version = &flight.version;
        if !headers::adapt(&mut request, version.h2c) {
            return Tried::Client(400);
        }
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
                Ok(Tried::Answered(response, Carrier::One(one)))
            }
            Err(mut error) => match error.take_message().or(copy) {
                Some(request) if !is_late(error.error()) => Ok(Tried::Again(request)),
                _ => Err(error.into_error()),
            },
        }
    }

    async fn by_http2(&self, mut request: Request<Upload>, fresh: bool) -> Result<Tried, hyper::Error> {
        let Some(flight) = &self.course.flight else { return Ok(Tried::Failed(502)) };
        let limits = &self.course.client.proxy.limits;
        let (Seat { mut sender, stream }, reused) = match pool::shared(&flight.version, limits, fresh).await {
            Ok(shared) => shared,
            Err(error) => return Ok(Tried::Unreachable(request, unreachable(&error))),
        };
        let copy = (reused && self.repeatable).then(|| copy(&request));
        let moved = request.body_mut().moved();
        request.body_mut().takes(&stream);
        match in_time(limits.answer, moved, sender.try_send_request(request)).await {
            Some(Ok(response)) => Ok(Tried::Answered(response, Carrier::Shared { _place: stream })),
            Some(Err(mut error)) => match error.take_message().or(copy) {
                Some(request) => Ok(Tried::Again(request)),
                None => Err(error.into_error()),
            },
            None => Ok(Tried::Failed(504)),
        }
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

fn unreachable(error: &io::Error) -> u16 {
    match error.kind() {
        io::ErrorKind::TimedOut => 504,
        _ if files::is_own(error) => 503,
        _ => 502,
    }
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
