//! Requests that only ask for something, in HTTP/1.1 on both sides: passed on byte by byte, without making HTTP messages of them.
//!
//! That is most of what a proxy does, and it costs half of what the general way does. What was checked by [`Wire`] is all that is relied on;
//! whatever is not as plain as this knows it is left where it is, for [`super::forward`] to take: bodies, other protocols, absolute
//! targets, versions that speak HTTP/2 or cannot be reached. A request is taken off the connection only when its answer is there, so
//! until then the general way may still have it.

mod answer;
mod asked;
mod body;
mod exchange;
mod line;

use std::future::poll_fn;
use std::io;
use std::sync::Arc;

use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite};

use self::asked::Asked;
use self::exchange::{Exchange, Lost};
pub(super) use self::line::Line;
use super::connection::Client;
use super::course::Course;
use super::live::Found;
use super::record::End;
use super::table::Why;
use super::version::Version;
use super::wire::Wire;
use super::{Stage, pool};

/// What became of a connection of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It waits for the next request.
    Next,
    /// It is over.
    Over,
    /// What it asks for is not plain.
    Other,
}

/// Answers the next request, if it is a plain one.
pub(super) async fn answer<S>(wire: &mut Wire<S>, client: &Arc<Client>) -> Then
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(errand) = Errand::begin(wire, client) else { return Then::Other };
    errand.run(wire).await
}

/// A request on its way.
struct Errand {
    course: Course,
    version: Arc<Version>,
    why: Why,
    /// What its version gets.
    request: Vec<u8>,
    /// Bytes that it takes on the client's connection.
    length: usize,
    /// It asks for the head only.
    head: bool,
    /// The connection is closed after the answer.
    close: bool,
}

impl Errand {
    /// None where it is not plain, or nobody gets it.
    fn begin<S>(wire: &Wire<S>, client: &Arc<Client>) -> Option<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let asked = Asked::read(wire.asked()?, client)?;
        let recorded = client.proxy.recorder.is_some();
        let mut course = Course::begin(
            Arc::clone(client),
            asked.method(),
            Some(asked.target.clone()),
            if recorded { http::HeaderValue::from_bytes(asked.host).ok() } else { None },
            &asked.fields,
        );
        let live = &client.proxy.live;
        let found = live.take(course.started, asked.named(), asked.target.path(), &asked.fields, None);
        let Found::Flight(flight, why) = found else {
            course.forget();
            return None;
        };
        // One that is told to keep its place gets a line more.
        if flight.version.h2c || matches!(why, Why::Share(Some(_))) {
            course.forget();
            return None;
        }
        let version = Arc::clone(&flight.version);
        course.flight = Some(flight);
        let Asked { request, length, head, close, .. } = asked;
        Some(Self { course, version, why, request, length, head, close })
    }

    async fn run<S>(mut self, wire: &mut Wire<S>) -> Then
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let limits = &self.course.client.proxy.limits;
        let kept = pool::take_plain(&self.version, self.course.started, limits);
        let reused = kept.is_some();
        let line = match kept {
            Some(line) => line,
            None => {
                let dialed = tokio::select! {
                    biased;
                    dialed = Box::pin(pool::dial_plain(&self.version, limits)) => dialed,
                    () = self.version.until_cut() => Err(io::ErrorKind::ConnectionAborted.into()),
                    () = poll_fn(|context| wire.poll_gone(context)) => {
                        return self.without(Lost::Client, Vec::new(), wire).await;
                    }
                };
                match dialed {
                    Ok(line) => line,
                    Err(error) => return self.unreached(&error),
                }
            }
        };
        let mut exchange = Exchange::new(line, std::mem::take(&mut self.request), self.head);
        let answered = tokio::select! {
            biased;
            answered = exchange.head(wire) => answered,
            () = self.version.until_cut() => Err(Lost::Cut),
        };
        match answered {
            Ok(()) => {}
            Err(lost) => {
                // It may have been closed meanwhile, and the request may be sent again.
                if lost == Lost::Version && reused && !exchange.is_half_told() {
                    self.course.forget();
                    return Then::Other;
                }
                return self.without(lost, exchange.untold(), wire).await;
            }
        }
        self.close |= self.course.client.stop.stage() != Stage::Serving;
        // What came with the head goes on with it; where that makes no sense, nothing has.
        if let Err(lost) = exchange.open(self.close) {
            return self.without(lost, exchange.untold(), wire).await;
        }
        self.take(wire);
        self.course.answered(exchange.status());
        self.relay(exchange, wire).await
    }

    /// The general way goes on from here: it may find another version. One that took no connection in time is not waited for once more.
    fn unreached(mut self, error: &io::Error) -> Then {
        if error.kind() == io::ErrorKind::TimedOut
            && let Some(flight) = self.course.flight.take()
        {
            self.course.client.leave_unreached(flight, self.why);
        }
        self.course.forget();
        Then::Other
    }

    /// Takes the request off the client's connection.
    fn take<S>(&self, wire: &mut Wire<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        wire.taken(self.length);
        self.course.client.count();
    }

    /// Passes the body on.
    async fn relay<S>(mut self, mut exchange: Exchange, wire: &mut Wire<S>) -> Then
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        if !exchange.is_whole() {
            let passed = tokio::select! {
                biased;
                passed = exchange.body(wire) => passed,
                () = self.version.until_cut() => Err(Lost::Cut),
            };
            self.course.bytes = exchange.bytes();
            match passed {
                Ok(()) => {}
                Err(lost) => {
                    match lost {
                        Lost::Client => {}
                        Lost::Cut => self.course.ends(End::Cut),
                        Lost::Version | Lost::Late | Lost::Senseless => self.course.ends(End::Broken),
                    }
                    return Then::Over;
                }
            }
        }
        self.course.bytes = exchange.bytes();
        self.course.ends(End::Whole);
        let rest = exchange.part(&self.version, self.course.latest(), &self.course.client.proxy.limits);
        self.finish(rest, wire).await
    }

    /// The request is over, whether the client takes the rest of the answer or not.
    async fn finish<S>(self, rest: exchange::Rest, wire: &mut Wire<S>) -> Then
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let close = self.close;
        drop(self);
        if rest.send(wire).await.is_ok() && !close { Then::Next } else { Then::Over }
    }

    /// There is no answer of its version: it gets one of the proxy.
    async fn without<S>(mut self, lost: Lost, untold: Vec<u8>, wire: &mut Wire<S>) -> Then
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.take(wire);
        let status = match lost {
            Lost::Client => return Then::Over,
            Lost::Cut => {
                self.course.cut(503);
                self.close = true;
                StatusCode::SERVICE_UNAVAILABLE
            }
            Lost::Late => {
                self.course.failed(504);
                StatusCode::GATEWAY_TIMEOUT
            }
            Lost::Version | Lost::Senseless => {
                self.course.failed(502);
                StatusCode::BAD_GATEWAY
            }
        };
        self.close |= self.course.client.stop.stage() != Stage::Serving;
        let text = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or_default());
        self.course.bytes = if self.head { 0 } else { text.len() as u64 };
        self.course.ends(End::Whole);
        let rest = exchange::Rest::own(untold, status, &text, self.head, self.close);
        self.finish(rest, wire).await
    }
}
