//! What one request of each kind does.

use std::time::{Duration, Instant};

use http::header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;

use super::connection::Connection;
use super::failure::{FailureKind, Trouble};
use super::mix::{Kind, Shape};
use super::outgoing::Outgoing;
use super::plan::{LoadError, Plan};
use super::pool::Pool;
use super::random::Random;
use super::websocket::{self, Opcode};

/// Pieces of uploads.
const PIECE: usize = 16 * 1024;
/// The most of a body that is kept to find a version in it.
const KEPT: usize = 64 * 1024;
/// How often a request is taken to another connection.
const MOVES: u64 = 8;

/// Sends requests; shared by all of them.
#[derive(Debug)]
pub(super) struct Sender {
    plan: Plan,
    pool: Pool,
    uris: Vec<Uri>,
    filling: Bytes,
}

/// What is known of a request so far; what stands here when its time is up is what is known.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) head: Option<Instant>,
    pub(super) version: Option<String>,
    pub(super) reused: bool,
    pub(super) moved: u64,
    pub(super) bytes: u64,
}

impl Sender {
    pub(super) fn new(plan: &Plan, pool: Pool) -> Result<Self, LoadError> {
        let uri = |shape: &Shape| {
            let http2 = plan.http2 && shape.kind != Kind::Websockets;
            pool.target().uri(shape.path.as_deref().or(shape.kind.path()), http2)
        };
        let uris = plan.mix.shapes.iter().map(uri).collect::<Result<_, _>>()?;
        let mut random = Random::new(plan.seed);
        let filling = (0..2 * PIECE / 8).flat_map(|_| random.number().to_le_bytes()).collect();
        Ok(Self { plan: plan.clone(), pool, uris, filling })
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Sends one request and reads its answer to the end. `number` tells bodies apart, `busy` is how many are under way.
    pub(super) async fn send(
        &self,
        shape: usize,
        number: u64,
        busy: usize,
        seen: &mut Seen,
    ) -> Result<(), Trouble> {
        let request =
            Attempt { sender: self, shape: &self.plan.mix.shapes[shape], uri: &self.uris[shape], busy };
        let long = Duration::from_millis(self.plan.timeout_ms);
        match tokio::time::timeout(long, request.perform(number, seen)).await {
            Ok(result) => result,
            Err(_) => {
                let part = if seen.head.is_some() { "the answer began and did not end" } else { "no answer" };
                Err(Trouble::new(FailureKind::Timeout, format!("{part} within {} ms", self.plan.timeout_ms)))
            }
        }
    }
}

/// One request under way.
struct Attempt<'a> {
    sender: &'a Sender,
    shape: &'a Shape,
    uri: &'a Uri,
    busy: usize,
}

impl Attempt<'_> {
    async fn perform(&self, number: u64, seen: &mut Seen) -> Result<(), Trouble> {
        match self.shape.kind {
            Kind::KeepAlive | Kind::NewConnections | Kind::Slow => {
                self.fetch(Outgoing::none(), None, seen).await
            }
            Kind::Uploads => {
                let from = usize::try_from(number % PIECE as u64).unwrap_or_default();
                let bytes = self.shape.bytes();
                let piece = bytes.div_ceil(self.shape.count() as usize).clamp(1, PIECE);
                let body = Outgoing::pieces(
                    self.sender.filling.slice(from..from + piece),
                    bytes,
                    self.shape.pause(),
                );
                let digest = body.digest().text();
                self.fetch(body, Some(digest), seen).await
            }
            Kind::Websockets => self.talk(number, seen).await,
            Kind::Events => self.listen(seen).await,
        }
    }

    fn request(&self, method: Method, body: Outgoing, http2: bool) -> Request<Outgoing> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        if !http2 {
            request.headers_mut().insert(HOST, self.sender.pool.target().host.clone());
        }
        request
    }

    /// Sends a request on a fitting connection. It goes to another one only where nothing of it went out.
    async fn ask(
        &self,
        mut request: Request<Outgoing>,
        http2: bool,
        seen: &mut Seen,
    ) -> Result<(Response<Incoming>, Connection), Trouble> {
        let own = self.shape.kind.is_apart();
        loop {
            let (mut connection, reused) = if own {
                (self.sender.pool.fresh(http2, self.busy).await?, false)
            } else {
                self.sender.pool.take(self.busy).await?
            };
            seen.reused = reused;
            match connection.send(request).await {
                Ok(response) => {
                    seen.head = Some(Instant::now());
                    let from = self.sender.plan.version_from.as_ref();
                    seen.version = from.and_then(|from| from.of_head(response.headers()));
                    return Ok((response, connection));
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if reused && seen.moved < MOVES => {
                        request = unsent;
                        seen.moved += 1;
                    }
                    _ => return Err(Trouble::asking(error.error())),
                },
            }
        }
    }

    fn check_status(&self, response: &Response<Incoming>) -> Result<(), Trouble> {
        let status = response.status();
        if self.sender.plan.accepts(status.as_u16()) {
            return Ok(());
        }
        Err(Trouble::new(FailureKind::Status, format!("status {status}")))
    }

    /// An ordinary exchange; `digest` is what the answer must say where it says one.
    async fn fetch(&self, body: Outgoing, digest: Option<String>, seen: &mut Seen) -> Result<(), Trouble> {
        let http2 = self.sender.plan.http2;
        let method = if self.shape.kind == Kind::Uploads { Method::POST } else { Method::GET };
        let mut request = self.request(method, body, http2);
        if self.shape.kind == Kind::Uploads {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        }
        let own = self.shape.kind == Kind::NewConnections;
        if own && !http2 {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let (response, connection) = self.ask(request, http2, seen).await?;
        let status = self.check_status(&response);
        let said = response.headers().get("x-digest").cloned();
        let read = self.read(response, seen, |_| ()).await;
        if read.is_ok() && !own {
            self.sender.pool.keep(connection);
        }
        status.and(read)?;
        match (digest, said) {
            (Some(sent), Some(said)) if said != sent => Err(Trouble::new(
                FailureKind::Content,
                format!(
                    "the server read a body with the digest {}, not {sent}",
                    said.to_str().unwrap_or("?")
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Reads a body to its end, finds the version in it where it is there, and shows each piece.
    async fn read(
        &self,
        response: Response<Incoming>,
        seen: &mut Seen,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), Trouble> {
        let from = self.sender.plan.version_from.as_ref().filter(|from| from.wants_body());
        let mut kept = Vec::new();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Trouble::reading(&error))?;
            let Some(data) = frame.data_ref() else { continue };
            seen.bytes += data.len() as u64;
            each(data);
            if from.is_some() && kept.len() + data.len() <= KEPT {
                kept.extend_from_slice(data);
            }
        }
        if let Some(from) = from {
            seen.version = from.of_body(&kept);
        }
        Ok(())
    }

    /// Reads a stream of events to its end; each event ends with an empty line.
    async fn listen(&self, seen: &mut Seen) -> Result<(), Trouble> {
        let http2 = self.sender.plan.http2;
        let (response, connection) =
            self.ask(self.request(Method::GET, Outgoing::none(), http2), http2, seen).await?;
        self.check_status(&response)?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        if !kind.starts_with("text/event-stream") {
            return Err(Trouble::new(FailureKind::Content, format!("no stream of events: `{kind}`")));
        }
        let mut events = Events::default();
        self.read(response, seen, |data| events.pass(data)).await?;
        self.sender.pool.keep(connection);
        let Events { count, .. } = events;
        if count < self.shape.count() {
            let what = format!("the stream ended after {count} of {} events", self.shape.count());
            return Err(Trouble::new(FailureKind::Cut, what));
        }
        Ok(())
    }

    /// Opens a websocket, wants each message back, closes it in good order.
    async fn talk(&self, number: u64, seen: &mut Seen) -> Result<(), Trouble> {
        let mut request = self.request(Method::GET, Outgoing::none(), false);
        let headers = request.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
        headers.insert("sec-websocket-key", HeaderValue::from_static(websocket::KEY));
        let (response, _connection) = self.ask(request, false, seen).await?;
        if response.status().as_u16() != 101 {
            return Err(Trouble::new(FailureKind::Status, format!("status {}, not 101", response.status())));
        }
        if response.headers().get("sec-websocket-accept").is_none_or(|accept| accept != websocket::ACCEPT) {
            return Err(Trouble::new(FailureKind::Content, "the server did not accept the websocket's key"));
        }
        let stream = hyper::upgrade::on(response).await.map_err(|error| Trouble::reading(&error))?;
        let mut stream = TokioIo::new(stream);
        for turn in 0..self.shape.count() {
            if turn > 0 && !self.shape.pause().is_zero() {
                tokio::time::sleep(self.shape.pause()).await;
            }
            let sent = message(number, turn, self.shape.bytes());
            self.echo(&mut stream, &sent, seen).await?;
        }
        let talking = |error| Trouble::talking(&error);
        websocket::write(&mut stream, Opcode::Close, &1000_u16.to_be_bytes(), Some([7; 4]))
            .await
            .map_err(talking)?;
        while websocket::read(&mut stream).await.map_err(talking)?.0 != Opcode::Close {}
        Ok(())
    }

    async fn echo(
        &self,
        stream: &mut TokioIo<hyper::upgrade::Upgraded>,
        sent: &[u8],
        seen: &mut Seen,
    ) -> Result<(), Trouble> {
        let talking = |error| Trouble::talking(&error);
        let mask = [sent[0], 1, 2, 3];
        websocket::write(stream, Opcode::Binary, sent, Some(mask)).await.map_err(talking)?;
        loop {
            let (opcode, said) = websocket::read(stream).await.map_err(talking)?;
            seen.bytes += said.len() as u64;
            match opcode {
                Opcode::Ping => {
                    websocket::write(stream, Opcode::Pong, &said, Some(mask)).await.map_err(talking)?;
                }
                Opcode::Pong => {}
                Opcode::Close => {
                    return Err(Trouble::new(FailureKind::Cut, "the websocket was closed in the middle"));
                }
                Opcode::Text | Opcode::Binary if said == sent => return Ok(()),
                Opcode::Text | Opcode::Binary => {
                    return Err(Trouble::new(FailureKind::Content, "a message came back as another one"));
                }
            }
        }
    }
}

/// Counts the events of a stream: each ends with an empty line, and lines with LF, CR or both (HTML, section 9.2.5).
#[derive(Default)]
struct Events {
    count: u32,
    /// Nothing of the line came yet, and there is one before it.
    fresh: bool,
    /// The line before ended with CR, so that an LF belongs to it.
    cr: bool,
}

impl Events {
    fn pass(&mut self, data: &[u8]) {
        for byte in data {
            let ends = *byte == b'\r' || *byte == b'\n' && !self.cr;
            if ends {
                self.count += u32::from(self.fresh);
            }
            self.fresh = ends || *byte == b'\n';
            self.cr = *byte == b'\r';
        }
    }
}

/// A message that no other is like.
fn message(number: u64, turn: u32, bytes: usize) -> Vec<u8> {
    let mut random = Random::new(number.wrapping_mul(1 << 16) ^ u64::from(turn));
    let mut text: Vec<u8> = Vec::with_capacity(bytes + 8);
    while text.len() < bytes {
        text.extend(random.number().to_le_bytes());
    }
    text.truncate(bytes);
    text
}
