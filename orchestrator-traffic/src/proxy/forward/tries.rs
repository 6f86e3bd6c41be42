//! One try to get an answer of a version: by which protocol, on which connection, and what comes of it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

use http::{Request, Response};
use hyper::body::Incoming;

use super::super::body::Upload;
use super::super::connection::Client;
use super::super::pool::{self, Carrier, One, Seat};
use super::super::upstream::Awaited;
use super::super::version::Version;
use super::super::{files, headers};
use super::errand::Errand;
use super::patience::in_time;

/// What came of one try.
pub(super) enum Tried {
    /// An answer.
    Answered(Response<Incoming>, Carrier),
    /// It was not sent, or may be sent again.
    Again(Request<Upload>),
    /// It was not sent, and its version was drained.
    Unsent(Request<Upload>),
    /// Nobody took a connection: the status that says so.
    Unreachable(Request<Upload>, u16),
    /// There will be no answer: the status that says so.
    Failed(u16),
    /// There will be no answer because of the client: the status that says so.
    Client(u16),
    /// Its version was drained.
    Cut,
}

/// What a request is sent on, and whether that was there already.
enum Way {
    One(One, bool),
    Shared(Seat, bool),
}

impl Errand {
    pub(super) async fn attempt(&self, mut request: Request<Upload>, fresh: bool) -> Tried {
        let Some(flight) = &self.course.flight else { return Tried::Failed(502) };
        let version = &flight.version;
        if !headers::adapt(&mut request, version.h2c) {
            return Tried::Client(400);
        }
        let way = tokio::select! {
            biased;
            way = self.way(version, fresh) => way,
            () = version.until_cut() => return Tried::Unsent(request),
        };
        let client = &self.course.client;
        tokio::select! {
            biased;
            tried = async {
                match way {
                    Ok(Way::One(one, reused)) => self.by_http1(one, reused, request).await,
                    Ok(Way::Shared(seat, reused)) => Box::pin(self.by_http2(seat, reused, request)).await,
                    Err(error) => Ok(Tried::Unreachable(request, unreachable(&error))),
                }
            } => tried.unwrap_or_else(|error| failed(client, &error)),
            () = version.until_cut() => Tried::Cut,
        }
    }

    /// A connection for it; nothing of the request is sent yet.
    async fn way(&self, version: &Arc<Version>, fresh: bool) -> io::Result<Way> {
        let limits = &self.course.client.proxy.limits;
        if version.h2c {
            let (seat, reused) = Box::pin(pool::shared(version, limits, fresh)).await?;
            return Ok(Way::Shared(seat, reused));
        }
        if !fresh && let Some(one) = pool::take(version, self.course.started, self.repeatable, limits) {
            return Ok(Way::One(one, true));
        }
        Ok(Way::One(Box::pin(pool::dial(version, limits)).await?, false))
    }

    async fn by_http1(
        &self,
        mut one: One,
        reused: bool,
        request: Request<Upload>,
    ) -> Result<Tried, hyper::Error> {
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

    async fn by_http2(
        &self,
        Seat { mut sender, stream }: Seat,
        reused: bool,
        mut request: Request<Upload>,
    ) -> Result<Tried, hyper::Error> {
        let limits = &self.course.client.proxy.limits;
        let copy = (reused && self.repeatable).then(|| copy(&request));
        let moved = request.body_mut().moved();
        request.body_mut().takes(&stream);
        match in_time(limits.answer, moved.clone(), sender.try_send_request(request)).await {
            Some(Ok(response)) => Ok(Tried::Answered(response, Carrier::Shared { _place: stream })),
            Some(Err(mut error)) => match error.take_message().or(copy) {
                Some(request) => Ok(Tried::Again(request)),
                None => match moved.and_then(|moved| moved.broke_off()) {
                    Some(status) => Ok(Tried::Client(self.fault(status))),
                    None => Err(error.into_error()),
                },
            },
            None => Ok(Tried::Failed(504)),
        }
    }

    /// The status for a body that broke off with that one. A connection of HTTP/1 may know why; on one of HTTP/2 that may be of another body.
    fn fault(&self, status: u16) -> u16 {
        match self.course.client.broken.load(SeqCst) {
            0 => status,
            _ if self.http2 => status,
            known => known,
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
