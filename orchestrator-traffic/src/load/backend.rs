//! A server to load in tests and benches: says its version, is slow, fails or cuts on demand. HTTP/1.1 and HTTP/2 on one port.
//!
//! | path | answers |
//! |---|---|
//! | `/`, `/health` | JSON with `status`, `version`, `timestamp` |
//! | `/slow?ms=2000` | the same after that time |
//! | `/bytes?n=1000` | so many bytes |
//! | `/upload` | the number of bytes that it read, and their digest, also as the header `x-digest` |
//! | `/events?count=10&every_ms=100` | a stream of events |
//! | `/ws` | a websocket that echoes messages |
//! | `/fail?status=503` | that status |
//! | `/cut?n=1000` | half of so many bytes, then nothing more |
//! | `/wrong` | a header `x-digest` that is not that of the body |
//!
//! All say `x-version`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_TYPE, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use super::digest::Digest;
use super::websocket::{self, Opcode};

/// A server that runs until it is dropped.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    requests: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Backend {
    /// Starts one on a free port of this machine.
    pub async fn start(version: &str) -> io::Result<Self> {
        Self::on(TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?, version)
    }

    /// Starts one that accepts there.
    pub fn on(listener: TcpListener, version: &str) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let requests = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(serve(listener, version.to_owned(), requests.clone()));
        Ok(Self { address, requests, task })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Requests that it took so far.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Serves until its future is dropped; connections that are open then live on.
pub async fn serve(listener: TcpListener, version: String, requests: Arc<AtomicU64>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let (version, requests) = (version.clone(), requests.clone());
        // What goes wrong with one connection is its client's to see.
        tokio::spawn(async move { connection(stream, version, requests).await.ok() });
    }
}

async fn connection(
    stream: TcpStream,
    version: String,
    requests: Arc<AtomicU64>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut first = [0; 3];
    while stream.peek(&mut first).await? < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let service = service_fn(move |request| {
        requests.fetch_add(1, Ordering::Relaxed);
        let version = version.clone();
        async move {
            let mut response = answer(request, &version).await;
            if let Ok(version) = HeaderValue::from_str(&version) {
                response.headers_mut().insert("x-version", version);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let stream = TokioIo::new(stream);
    if &first == b"PRI" {
        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .serve_connection(stream, service)
            .await?;
    } else {
        hyper::server::conn::http1::Builder::new().serve_connection(stream, service).with_upgrades().await?;
    }
    Ok(())
}

async fn answer(request: Request<Incoming>, version: &str) -> Response<Reply> {
    let number = |key: &str, usual: u64| -> u64 {
        let pairs = request.uri().query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(name, _)| *name == key).find_map(|(_, value)| value.parse().ok()).unwrap_or(usual)
    };
    match request.uri().path() {
        "/slow" => {
            tokio::time::sleep(Duration::from_millis(number("ms", 2000))).await;
            told(version)
        }
        "/bytes" => Response::new(Reply::of(vec![b'x'; usize::try_from(number("n", 1000)).unwrap_or(0)])),
        "/upload" => upload(request, version, true).await,
        "/wrong" => upload(request, version, false).await,
        "/events" => events(number("count", 10), Duration::from_millis(number("every_ms", 100))),
        "/ws" => websocket(request),
        "/fail" => {
            let mut response = told(version);
            let status = u16::try_from(number("status", 503)).unwrap_or(503);
            *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            response
        }
        "/cut" => Response::new(Reply::Cut { declared: number("n", 1000), sleep: None }),
        _ => told(version),
    }
}

fn told(version: &str) -> Response<Reply> {
    let now = jiff::Timestamp::now().to_string();
    let body = serde_json::json!({ "status": "healthy", "timestamp": now, "version": version }).to_string();
    let mut response = Response::new(Reply::of(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

async fn upload(request: Request<Incoming>, version: &str, right: bool) -> Response<Reply> {
    let (mut digest, mut bytes, mut body) = (Digest::new(), 0, request.into_body());
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return refused(StatusCode::BAD_REQUEST) };
        if let Some(data) = frame.data_ref() {
            digest.add(data);
            bytes += data.len();
        }
    }
    if !right {
        digest.add(b"and more");
    }
    let text = digest.text();
    let said = serde_json::json!({ "version": version, "bytes": bytes, "digest": text }).to_string();
    let mut response = Response::new(Reply::of(said));
    if let Ok(text) = HeaderValue::from_str(&text) {
        response.headers_mut().insert("x-digest", text);
    }
    response
}

fn events(count: u64, every: Duration) -> Response<Reply> {
    let mut response = Response::new(Reply::Events { next: 0, count, every, sleep: None });
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn refused(status: StatusCode) -> Response<Reply> {
    let mut response = Response::new(Reply::of(""));
    *response.status_mut() = status;
    response
}

/// Takes only the key of the load client: what to answer to others is not worth a dependency here.
fn websocket(mut request: Request<Incoming>) -> Response<Reply> {
    let key = request.headers().get("sec-websocket-key");
    if key.is_none_or(|key| key != websocket::KEY) {
        return refused(StatusCode::BAD_REQUEST);
    }
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(stream) = upgrade.await {
            // It ends where the client goes away.
            echo(TokioIo::new(stream)).await.ok();
        }
    });
    let mut response = refused(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert("sec-websocket-accept", HeaderValue::from_static(websocket::ACCEPT));
    response
}

async fn echo(mut stream: TokioIo<hyper::upgrade::Upgraded>) -> io::Result<()> {
    loop {
        let (opcode, payload) = websocket::read(&mut stream).await?;
        match opcode {
            Opcode::Close => return websocket::write(&mut stream, Opcode::Close, &payload, None).await,
            Opcode::Ping => websocket::write(&mut stream, Opcode::Pong, &payload, None).await?,
            Opcode::Pong => {}
            Opcode::Text | Opcode::Binary => websocket::write(&mut stream, opcode, &payload, None).await?,
        }
    }
}

/// The body of an answer.
enum Reply {
    Whole(Option<Bytes>),
    Events { next: u64, count: u64, every: Duration, sleep: Option<Pin<Box<Sleep>>> },
    Cut { declared: u64, sleep: Option<Pin<Box<Sleep>>> },
}

impl Reply {
    fn of(body: impl Into<Bytes>) -> Self {
        Self::Whole(Some(body.into()).filter(|body| !body.is_empty()))
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Whole(body) => Poll::Ready(body.take().map(|body| Ok(Frame::data(body)))),
            Self::Events { next, count, .. } if next == count => Poll::Ready(None),
            Self::Events { next, every, sleep, .. } => {
                if let Some(sleep) = sleep {
                    ready!(sleep.as_mut().poll(context));
                }
                *next += 1;
                *sleep = Some(Box::pin(tokio::time::sleep(*every)));
                Poll::Ready(Some(Ok(Frame::data(format!("id: {next}\ndata: tick\n\n").into()))))
            }
            // A moment later, so that the half has gone out.
            Self::Cut { sleep: Some(sleep), .. } => {
                ready!(sleep.as_mut().poll(context));
                Poll::Ready(Some(Err(io::Error::other("cut on demand"))))
            }
            Self::Cut { declared, sleep } => {
                *sleep = Some(Box::pin(tokio::time::sleep(Duration::from_millis(10))));
                let half = usize::try_from(*declared / 2).unwrap_or(0);
                Poll::Ready(Some(Ok(Frame::data(vec![b'x'; half].into()))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => SizeHint::with_exact(body.as_ref().map_or(0, |body| body.len() as u64)),
            Self::Events { .. } => SizeHint::default(),
            Self::Cut { declared, .. } => SizeHint::with_exact(*declared),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }
}
