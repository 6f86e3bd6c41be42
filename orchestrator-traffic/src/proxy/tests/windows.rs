//! Clients of HTTP/2 and what does not fit into a window yet: it is not lost, and takes nobody else's room.

use std::convert::Infallible;
use std::io::Read;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::http2::{eventually, run, text};
use super::rig::{LONG, Rig, Version, ok, table};
use crate::proxy::Limits;

/// A body without end, and how many parts of it were taken.
struct Endless(Arc<AtomicU64>);

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.fetch_add(1, SeqCst);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[7; 16 << 10])))))
    }
}

/// A client that has room for so many bytes of an answer.
async fn client(rig: &Rig, window: u32) -> SendRequest<BoxBody<Bytes, Infallible>> {
    let stream = TcpStream::connect(rig.address).await.unwrap();
    let mut builder = Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(window);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn post<B>(path: &str, body: B) -> Request<BoxBody<Bytes, Infallible>>
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Sync + 'static,
{
    Request::post(format!("http://shop.test{path}")).body(body.boxed()).unwrap()
}

#[test]
fn what_a_client_has_yet_to_take_is_not_lost_when_the_proxy_ends() {
    // All of it lies in what HTTP sends from, or a part still waits for that.
    for length in [6_000, 12_000] {
        let answer = ok(&"a".repeat(length));
        let version = Version::answering(move |_, _| answer.clone());
        let limits = Limits { idle_at_end: Duration::from_millis(200), ..Limits::default() };
        let rig = Rig::before_with(&version, limits);
        run(async {
            let mut client = client(&rig, 1 << 10).await;
            let answer = client.send_request(post("/", Full::default())).await.unwrap();
            eventually(|| rig.status("1").in_flight == 0).await;
            rig.stop.drain();
            tokio::time::sleep(Duration::from_millis(600)).await;
            let (status, got) = text(answer).await;
            assert_eq!((status.as_u16(), got.len()), (200, length));
        });
    }
}

#[test]
fn an_upload_that_is_stuck_takes_no_other_ones_room() {
    let (hold, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let stuck = Version::new(move |mut client, _| {
        client.head()?;
        let _ = held.lock().unwrap().recv();
        Ok(())
    });
    let echo = Version::echo();
    let rig = Rig::new();
    let (mut both, mut other) = (table(&[("1", &stuck, 1)]), table(&[("2", &echo, 1)]));
    (other.routes[0].name, other.routes[0].prefix) = ("echo".into(), "/echo".into());
    both.routes.append(&mut other.routes);
    rig.apply_table(both, LONG);
    run(async {
        let mut client = client(&rig, 1 << 20).await;
        let taken = Arc::<AtomicU64>::default();
        let pending = tokio::spawn(client.send_request(post("/", Endless(Arc::clone(&taken)))));
        // Until all room between is filled.
        let mut last = 0;
        while last == 0 || last != taken.load(SeqCst) {
            last = taken.load(SeqCst);
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        let body = Full::new(Bytes::from("b".repeat(100_000)));
        let (status, got) = text(client.send_request(post("/echo", body)).await.unwrap()).await;
        assert!(status == 200 && got.ends_with(&"b".repeat(100_000)), "{status}");
        assert!(!pending.is_finished());
        pending.abort();
    });
    drop(hold);
}

#[test]
fn a_client_that_is_gone_keeps_no_proxy_from_its_end() {
    let version = Version::named("fine");
    let limits = Limits { idle_at_end: Duration::from_millis(200), ..Limits::default() };
    let rig = Rig::before_with(&version, limits);
    let mut client = rig.client();
    // Its settings, and then nothing: it does not even answer a PING.
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    client.bytes(9).unwrap();
    rig.stop.drain();
    client.stream.read_to_end(&mut Vec::new()).unwrap();
}
