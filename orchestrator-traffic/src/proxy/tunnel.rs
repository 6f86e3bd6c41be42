//! A connection that speaks another protocol, a websocket for example: bytes go both ways until one side ends, or its version is drained.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};

use super::body::Outgoing;
use super::course::Course;
use super::headers;
use super::record::End;
use super::stop::Stage;

/// Passes on that a version agreed, and joins both sides. The request goes on until the tunnel ends.
pub(super) fn open(
    mut course: Course,
    client: OnUpgrade,
    mut response: Response<Incoming>,
) -> Response<Outgoing> {
    let version = hyper::upgrade::on(&mut response);
    let protocol = response.headers().get(UPGRADE).cloned();
    let (mut parts, _) = response.into_parts();
    headers::strip(&mut parts.headers);
    parts.extensions.clear();
    parts.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    if let Some(protocol) = protocol {
        parts.headers.insert(UPGRADE, protocol);
    }
    course.answered(StatusCode::SWITCHING_PROTOCOLS.as_u16());
    course.client.tunnel.store(true, SeqCst);
    tokio::spawn(async move { join(course, client, version).await });
    Response::from_parts(parts, Outgoing::Own(None, None))
}

async fn join(mut course: Course, client: OnUpgrade, version: OnUpgrade) {
    let Ok((client, version)) = tokio::try_join!(client, version) else {
        return course.ends(End::Broken);
    };
    let mut client = Counting { stream: TokioIo::new(client), bytes: 0 };
    let mut version = TokioIo::new(version);
    let Some(place) = course.flight.as_ref().map(|flight| Arc::clone(&flight.version)) else { return };
    let stop = course.client.stop.clone();
    let end = tokio::select! {
        biased;
        copied = copy_bidirectional(&mut client, &mut version) => if copied.is_ok() { End::Whole } else { End::Left },
        () = place.until_cut() => End::Cut,
        () = stop.reached(Stage::Cut) => End::Cut,
    };
    course.bytes = client.bytes;
    course.ends(end);
}

/// Counts what the client gets.
struct Counting {
    stream: TokioIo<Upgraded>,
    bytes: u64,
}

impl AsyncRead for Counting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Counting {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(count)) = &written {
            self.bytes += *count as u64;
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
