//! Versions that speak HTTP/2: their connections are shared, and nobody takes the room of another on them.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http2::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

use super::http2::{eventually, run, serve_by_http2};
use super::rig::{Client, Rig};
use crate::proxy::Limits;

static BLOCK: [u8; 16 << 10] = [7; 16 << 10];

/// The body of an answer.
enum Answer {
    /// It has no end.
    Endless,
    /// It never begins.
    Silent,
    /// It is there.
    Text(Option<&'static str>),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Self::Endless => Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&BLOCK))))),
            Self::Silent => Poll::Pending,
            Self::Text(text) => {
                Poll::Ready(text.take().map(|text| Ok(Frame::data(Bytes::from_static(text.as_bytes())))))
            }
        }
    }
}

/// A version that takes so many requests at once on one connection, and how many connections it has.
async fn version(streams: u32) -> (SocketAddr, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, open) = (listener.local_addr().unwrap(), Arc::<AtomicU64>::default());
    let count = Arc::clone(&open);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| async move {
                Ok::<_, Infallible>(Response::new(match request.uri().path() {
                    "/endless" => Answer::Endless,
                    "/silent" => Answer::Silent,
                    _ => Answer::Text(Some("fine")),
                }))
            });
            let mut builder = Builder::new(TokioExecutor::new());
            builder.max_concurrent_streams(streams);
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            count.fetch_add(1, SeqCst);
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let _ = connection.await;
                count.fetch_sub(1, SeqCst);
            });
        }
    });
    (address, open)
}

/// So many clients that have the head of their answer, and take no more of it.
fn asking(proxy: SocketAddr, path: &str, count: usize) -> Vec<Client> {
    let one = |_| {
        let mut client = Client::new(proxy);
        client.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
        assert!(client.head().unwrap().unwrap().starts_with("HTTP/1.1 200 "));
        client
    };
    (0..count).map(one).collect()
}

fn is_answered(proxy: SocketAddr) {
    for _ in 0..4 {
        assert_eq!(Client::new(proxy).get("/"), (200, "fine".into()));
    }
}

#[test]
fn clients_that_read_nothing_take_nobody_elses_room() {
    let rig = Rig::new();
    run(async {
        serve_by_http2(&rig, version(200).await.0);
        let proxy = rig.address;
        let asked = spawn_blocking(move || {
            let slow = asking(proxy, "/endless", 12);
            // Until all room between is filled.
            std::thread::sleep(Duration::from_millis(500));
            is_answered(proxy);
            drop(slow);
        });
        asked.await.unwrap();
        eventually(|| rig.status("2").in_flight == 0).await;
    });
}

#[test]
fn more_requests_than_a_connection_takes_go_on_others() {
    let rig = Rig::with(Limits { keep: Duration::from_millis(300), ..Limits::default() });
    run(async {
        let (address, open) = version(2).await;
        serve_by_http2(&rig, address);
        let proxy = rig.address;
        let asked = spawn_blocking(move || {
            let events = asking(proxy, "/silent", 12);
            is_answered(proxy);
            events
        });
        let events = asked.await.unwrap();
        assert!(open.load(SeqCst) >= 6, "two at once on each");
        drop(events);
        eventually(|| rig.status("2").in_flight == 0).await;
        // Each thread keeps one for the next request.
        eventually(|| open.load(SeqCst) <= 2).await;
        spawn_blocking(move || is_answered(proxy)).await.unwrap();
    });
    assert_eq!(rig.counts("2").errors, 0);
}
