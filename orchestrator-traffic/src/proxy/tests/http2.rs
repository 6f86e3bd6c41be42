//! HTTP/2 without TLS, by prior knowledge: from clients, to versions, and both.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::client::conn::http2::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::rig::{LONG, Rig, Version, ok, table, until, value};
use crate::proxy::Limits;
use crate::proxy::record::End;

pub(super) fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(LONG, test).await.unwrap() });
}

async fn client(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// A client that takes nothing of an answer but its head.
async fn closed_client(address: SocketAddr) -> SendRequest<Full<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(0);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str, body: &'static [u8]) -> Request<Full<Bytes>> {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let uri = format!("http://shop.test{path}");
    Request::builder().method(method).uri(uri).body(Full::new(Bytes::from_static(body))).unwrap()
}

pub(super) async fn text(response: Response<Incoming>) -> (StatusCode, String) {
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

/// A version that speaks HTTP/2: answers with what it got, and with a trailer.
async fn version() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(|request: Request<Incoming>| async {
                let (parts, body) = request.into_parts();
                let body = body.collect().await?.to_bytes();
                let headers: Vec<String> = parts
                    .headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                    .collect();
                let text = format!(
                    "{:?} {} {}\n{}\n{body:?}",
                    parts.version,
                    parts.method,
                    parts.uri,
                    headers.join("\n")
                );
                let mut trailers = HeaderMap::new();
                trailers.insert("grpc-status", "0".parse().unwrap());
                let frames = [Frame::data(Bytes::from(text)), Frame::trailers(trailers)];
                Ok::<_, hyper::Error>(Response::new(Frames(frames.into_iter())))
            });
            let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}

/// A body that is there already.
struct Frames(std::array::IntoIter<Frame<Bytes>, 2>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        std::task::Poll::Ready(self.0.next().map(Ok))
    }
}

pub(super) fn serve_by_http2(rig: &Rig, address: SocketAddr) {
    let unused = Version::named("unused");
    let mut table = table(&[("2", &unused, 1)]);
    table.routes[0].backends[0].h2c = true;
    table.routes[0].backends[0].address = address;
    rig.apply_table(table, LONG);
}

#[test]
fn what_the_proxy_says_itself_has_no_body_where_the_head_alone_is_wanted() {
    let version = Version::named("1");
    let rig = Rig::before(&version);
    rig.apply_table(crate::protocol::Table::default(), LONG);
    run(async {
        let mut client = client(rig.address).await;
        for method in ["HEAD", "GET", "HEAD"] {
            let mut request = request("/", b"");
            *request.method_mut() = method.parse().unwrap();
            let response = client.send_request(request).await.unwrap();
            let length = response.headers()["content-length"].to_str().unwrap().to_owned();
            let (status, text) = text(response).await;
            assert_eq!((status.as_u16(), text.is_empty()), (503, method == "HEAD"), "{text}");
            assert_eq!(length, "24");
        }
    });
    let mut client = rig.client();
    client.send(b"HEAD / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx").unwrap();
    assert!(client.head().unwrap().unwrap().starts_with("HTTP/1.1 503"));
    assert!(rig.told(4).iter().all(|told| told.3 == End::Whole), "{:?}", rig.told(4));
}

#[test]
fn a_client_of_http2_is_answered_by_a_version_of_http1() {
    let version = Version::echo();
    let rig = Rig::before(&version);
    run(async {
        let mut client = client(rig.address).await;
        let mut all = Vec::new();
        for at in 0..20 {
            let mut request = request(&format!("/{at}"), b"hello");
            request.headers_mut().append("cookie", "a=b".parse().unwrap());
            request.headers_mut().append("cookie", "c=d".parse().unwrap());
            all.push(client.send_request(request));
        }
        for (at, response) in all.into_iter().enumerate() {
            let (status, got) = text(response.await.unwrap()).await;
            assert!(status == 200 && got.starts_with(&format!("POST /{at} HTTP/1.1\r\n")), "{got}");
            assert!(got.ends_with("\r\n\r\nhello"), "{got}");
            for (name, expected) in [
                ("host", "shop.test"),
                ("cookie", "a=b; c=d"),
                ("via", "2 orchestrate"),
                ("x-forwarded-host", "shop.test"),
            ] {
                assert_eq!(value(&got, name), Some(expected), "{got}");
            }
        }
    });
    assert_eq!((rig.counts("1").requests, rig.counts("1").errors), (20, 0));
}

#[test]
fn a_version_of_http2_answers_clients_of_both() {
    let rig = Rig::new();
    run(async {
        let address = version().await;
        serve_by_http2(&rig, address);
        let mut client = client(rig.address).await;
        let response = client.send_request(request("/a?b", b"hi")).await.unwrap();
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap().get("grpc-status").unwrap(), "0");
        let got = String::from_utf8_lossy(&collected.to_bytes()).into_owned();
        assert!(
            got.starts_with("HTTP/2.0 POST http://shop.test/a?b\n") && got.ends_with("\nb\"hi\""),
            "{got}"
        );

        let address = rig.address;
        let got = tokio::task::spawn_blocking(move || {
            let mut client = super::rig::Client::new(address);
            client
                .send(b"POST /c HTTP/1.1\r\nhost: x:1\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nho")
                .unwrap();
            let (status, _, body) = client.answer();
            assert_eq!(status, 200);
            body
        });
        let got = got.await.unwrap();
        assert!(got.starts_with("HTTP/2.0 POST http://x:1/c\n") && got.ends_with("\nb\"ho\""), "{got}");
        assert!(!got.contains("connection") && !got.contains("upgrade"), "{got}");
    });
    assert_eq!((rig.counts("2").requests, rig.counts("2").errors), (2, 0));
}

#[test]
fn limits_hold_for_http2() {
    let version = Version::echo();
    let rig = Rig::before_with(&version, Limits { headers: 20, body_bytes: Some(10), ..Limits::default() });
    run(async {
        let mut client = client(rig.address).await;
        let mut many = request("/", b"");
        for at in 0..21 {
            many.headers_mut().append("x-many", at.into());
        }
        assert_eq!(client.send_request(many).await.unwrap().status(), 431);
        let long = request(&format!("/{}", "a".repeat(9000)), b"");
        assert_eq!(client.send_request(long).await.unwrap().status(), 414);
        let large = request("/", b"more than ten bytes");
        assert_eq!(client.send_request(large).await.unwrap().status(), 413);
        assert_eq!(client.send_request(request("/", b"ten bytes!")).await.unwrap().status(), 200);
    });
    assert_eq!(rig.counts("1").requests, 1);
}

#[test]
fn streams_that_are_reset_at_once_harm_nobody() {
    let version = Version::answering(|_, _| {
        std::thread::sleep(Duration::from_millis(2));
        ok("fine")
    });
    let rig = Rig::before(&version);
    run(async {
        let mut attacker = client(rig.address).await;
        for _ in 0..2000 {
            if attacker.ready().await.is_err() {
                break;
            }
            let pending = attacker.send_request(request("/", b""));
            // It is sent, and taken back before it is answered.
            let _ = tokio::time::timeout(Duration::ZERO, pending).await;
            tokio::task::yield_now().await;
        }
        let mut client = client(rig.address).await;
        let (status, got) = text(client.send_request(request("/", b"")).await.unwrap()).await;
        assert_eq!((status.as_u16(), got.as_str()), (200, "fine"));
        drop(attacker);
    });
    until(|| rig.status("1").in_flight == 0);
    assert_eq!(rig.counts("1").errors, 0);
}

#[test]
fn an_end_lets_streams_end_first() {
    let version = Version::answering(|_, _| {
        std::thread::sleep(Duration::from_millis(100));
        ok("fine")
    });
    let rig = Rig::before(&version);
    run(async {
        let mut client = client(rig.address).await;
        let pending = client.send_request(request("/", b""));
        let pending = tokio::spawn(pending);
        while rig.status("1").in_flight == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        rig.stop.drain();
        assert_eq!(text(pending.await.unwrap().unwrap()).await.1, "fine");
        while !client.is_closed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

#[test]
fn a_version_is_free_once_it_has_said_all_whatever_the_client_takes() {
    let version = Version::named("fine");
    let rig = Rig::before(&version);
    run(async {
        let mut client = closed_client(rig.address).await;
        let answer = client.send_request(request("/", b"")).await.unwrap();
        assert_eq!(answer.status(), 200);
        eventually(|| rig.status("1").in_flight == 0).await;
        drop(answer);
    });
    assert_eq!((rig.counts("1").requests, rig.counts("1").errors), (1, 0));
}

/// A version whose answers never end.
fn endless() -> Version {
    Version::new(|mut client, _| {
        client.request()?;
        client.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        loop {
            client.send(&[format!("{:x}\r\n", 1 << 16).as_bytes(), &vec![1; 1 << 16], b"\r\n"].concat())?;
        }
    })
}

pub(super) async fn eventually(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn a_drain_cuts_clients_of_http2_that_take_nothing() {
    let (endless, fine) = (endless(), Version::named("fine"));
    let rig = Rig::before(&endless);
    run(async {
        let mut client = closed_client(rig.address).await;
        let answer = client.send_request(request("/a", b"")).await.unwrap();
        rig.apply(&[("2", &fine, 1)], Duration::from_millis(50));
        eventually(|| rig.status("1").drain.unwrap().took_ms.is_some()).await;
        let drain = rig.status("1").drain.unwrap();
        assert!(drain.cuts == 1 && drain.cut[0].starts_with("GET /a after"), "{drain:?}");
        drop(answer);
    });
}

#[test]
fn a_client_of_http2_that_takes_nothing_is_given_up() {
    let version = endless();
    let limits = Limits { stall: Duration::from_millis(150), ..Limits::default() };
    let rig = Rig::before_with(&version, limits);
    run(async {
        let mut client = closed_client(rig.address).await;
        let answer = client.send_request(request("/", b"")).await.unwrap();
        eventually(|| rig.status("1").in_flight == 0).await;
        drop(answer);
    });
    assert_eq!(rig.told(1)[0].3, End::Left);
    assert_eq!(rig.counts("1").errors, 0);
}

#[test]
fn connections_of_http2_without_requests_are_closed_though_they_ping() {
    let version = Version::named("fine");
    let limits = Limits { idle: Duration::from_millis(300), ..Limits::default() };
    let rig = Rig::before_with(&version, limits);
    run(async {
        let stream = TcpStream::connect(rig.address).await.unwrap();
        let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new());
        builder.keep_alive_interval(Duration::from_millis(50)).keep_alive_while_idle(true);
        let (mut sender, connection) =
            builder.handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(text(sender.send_request(request("/", b"")).await.unwrap()).await.1, "fine");
        }
        let _ = connection.await.unwrap();
    });
    until(|| rig.proxy.connections.load(SeqCst) == 0);
}

#[test]
fn one_host_is_meant_or_none() {
    let version = Version::echo();
    let rig = Rig::before(&version);
    run(async {
        let mut client = client(rig.address).await;
        for (uri, hosts, expected) in [
            ("/", ["public", "admin"].as_slice(), 400),
            ("/", &["a/b@c"], 400),
            ("/", &["a b"], 400),
            ("http://public/", &["admin"], 400),
            ("http://public/", &["public", "public"], 400),
            ("http://public/", &["public"], 200),
            ("/", &["public:80"], 200),
        ] {
            let mut request = Request::builder().uri(uri).body(Full::new(Bytes::new())).unwrap();
            for host in hosts {
                request.headers_mut().append("host", host.parse().unwrap());
            }
            let (status, got) = text(client.send_request(request).await.unwrap()).await;
            assert_eq!(status.as_u16(), expected, "{uri} {hosts:?}: {got}");
        }
    });
}

#[test]
fn a_host_that_http2_cannot_name_never_changes_what_is_asked_for() {
    let rig = Rig::new();
    run(async {
        serve_by_http2(&rig, version().await);
        let address = rig.address;
        let asked = tokio::task::spawn_blocking(move || {
            for host in ["a%b", "a:b:c", "[a"] {
                let mut client = super::rig::Client::new(address);
                let head = format!("DELETE /items/7 HTTP/1.1\r\nhost: {host}\r\n\r\n");
                client.send(head.as_bytes()).unwrap();
                let (status, _, body) = client.answer();
                assert!(status == 400 || body.contains("/items/7"), "{host}: {status} {body}");
            }
        });
        asked.await.unwrap();
    });
}

#[test]
fn an_upload_to_a_version_of_http2_may_take_longer_than_an_answer() {
    let rig = Rig::with(Limits { answer: Duration::from_millis(300), ..Limits::default() });
    run(async {
        serve_by_http2(&rig, version().await);
        let address = rig.address;
        let sent = tokio::task::spawn_blocking(move || {
            let mut client = super::rig::Client::new(address);
            client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n").unwrap();
            for _ in 0..10 {
                std::thread::sleep(Duration::from_millis(80));
                client.send(b"a").unwrap();
            }
            client.answer()
        });
        let (status, _, body) = sent.await.unwrap();
        assert!(status == 200 && body.ends_with("b\"aaaaaaaaaa\""), "{status} {body}");
    });
    assert_eq!((rig.counts("2").requests, rig.counts("2").errors), (1, 0));
}

#[test]
fn an_upload_that_breaks_off_is_no_failure_of_a_version_of_http2() {
    let (stall, body_bytes) = (Duration::from_millis(300), Some(10));
    let rig = Rig::with(Limits { body_bytes, stall, ..Limits::default() });
    run(async {
        serve_by_http2(&rig, version().await);
        let mut large = client(rig.address).await;
        let answer = large.send_request(request("/", b"more than ten bytes")).await.unwrap();
        assert_eq!(answer.status(), 413);
        let address = rig.address;
        let half = || {
            let mut client = super::rig::Client::new(address);
            client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nhalf").unwrap();
            client
        };
        let slow = half();
        let slow = tokio::task::spawn_blocking(move || {
            let mut slow = slow;
            (slow.answer().0, slow.is_closed())
        });
        assert_eq!(slow.await.unwrap(), (408, true));
        let gone = half();
        eventually(|| rig.status("2").in_flight == 1).await;
        drop(gone);
        eventually(|| rig.status("2").in_flight == 0).await;
    });
    let counts = rig.counts("2");
    assert_eq!((counts.requests - counts.left, counts.errors, counts.gateway), (0, 0, 0), "{counts:?}");
}
