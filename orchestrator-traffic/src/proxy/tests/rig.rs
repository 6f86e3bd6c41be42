//! A proxy on loopback, versions that answer as a test says, and clients that send bytes.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::protocol::{Backend, Response, Route, Table, VersionCounts, VersionStatus};
use crate::proxy::record::End;
use crate::proxy::{Limits, Listener, Proxy, Record, Recorder, Stage, Stop, Workers};

/// Nothing takes that long unless it hangs.
pub(super) const LONG: Duration = Duration::from_secs(20);

/// Method and path, status, version, end and bytes of a request.
type One = (String, u16, String, End, u64);

/// What was told of requests.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<Vec<One>>);

impl Recorder for Told {
    fn record(&self, record: &Record<'_>) {
        self.0.lock().unwrap().push((
            format!("{} {}", record.method, record.path),
            record.status,
            record.version.unwrap_or("-").into(),
            record.end,
            record.bytes,
        ));
    }
}

pub(super) struct Rig {
    pub(super) proxy: Arc<Proxy>,
    pub(super) address: SocketAddr,
    pub(super) stop: Stop,
    pub(super) told: Arc<Told>,
    workers: Option<Workers>,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let told = Arc::<Told>::default();
        let proxy = Arc::new(Proxy::new(limits, Some(Arc::clone(&told) as Arc<dyn Recorder>)));
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Stop::new();
        let workers = Workers::start(&[Listener { socket, tls: None }], &proxy, &stop, 2).unwrap();
        thread::spawn({
            let (proxy, stop) = (Arc::clone(&proxy), stop.clone());
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(async {
                    tokio::select! {
                        () = proxy.live.drain() => {}
                        () = stop.reached(Stage::Cut) => {}
                    }
                });
            }
        });
        Self { proxy, address, stop, told, workers: Some(workers) }
    }

    /// In front of one version, called `1`.
    pub(super) fn before(version: &Version) -> Self {
        Self::before_with(version, Limits::default())
    }

    pub(super) fn before_with(version: &Version, limits: Limits) -> Self {
        let rig = Self::with(limits);
        rig.apply(&[("1", version, 1)], LONG);
        rig
    }

    pub(super) fn apply(&self, shares: &[(&str, &Version, u32)], drain: Duration) {
        self.apply_table(table(shares), drain);
    }

    pub(super) fn apply_table(&self, table: Table, drain: Duration) {
        let applied = self.proxy.live.apply(None, table, drain, |_, _| Ok(()));
        assert!(matches!(applied, Response::Applied { .. }), "{applied:?}");
    }

    pub(super) fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub(super) fn counts(&self, version: &str) -> VersionCounts {
        let counts = self.proxy.live.counts().versions;
        counts.into_iter().find(|counts| counts.version == version).unwrap_or_default()
    }

    pub(super) fn status(&self, version: &str) -> VersionStatus {
        self.proxy.live.status().2.into_iter().find(|status| status.version == version).unwrap()
    }

    /// What was told, once it is that many.
    pub(super) fn told(&self, count: usize) -> Vec<One> {
        until(|| self.told.0.lock().unwrap().len() >= count);
        self.told.0.lock().unwrap().clone()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cut();
        if let Some(workers) = self.workers.take()
            && !thread::panicking()
        {
            workers.join().unwrap();
        }
    }
}

pub(super) fn table(shares: &[(&str, &Version, u32)]) -> Table {
    let backends = shares
        .iter()
        .map(|(version, backend, weight)| Backend {
            version: (*version).into(),
            address: backend.address,
            weight: *weight,
            h2c: false,
        })
        .collect();
    Table {
        routes: vec![Route {
            name: "web".into(),
            host: None,
            prefix: "/".into(),
            backends,
            canary: None,
            sticky: None,
        }],
    }
}

/// Waits until something holds.
pub(super) fn until(holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < LONG, "it never came to hold");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A version: a server whose connections are each given to a function, with their number from 0.
pub(super) struct Version {
    pub(super) address: SocketAddr,
    pub(super) connections: Arc<AtomicU64>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Version {
    pub(super) fn new(serve: impl Fn(Client, u64) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), serve)
    }

    pub(super) fn on(
        address: SocketAddr,
        serve: impl Fn(Client, u64) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, ends) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let thread = thread::spawn({
            let (connections, ends) = (Arc::clone(&connections), Arc::clone(&ends));
            let serve = Arc::new(serve);
            move || {
                for stream in listener.incoming() {
                    if ends.load(SeqCst) {
                        return;
                    }
                    let number = connections.fetch_add(1, SeqCst);
                    let serve = Arc::clone(&serve);
                    let client = Client::of(stream.unwrap());
                    thread::spawn(move || {
                        // What goes wrong here is seen by the test at the other end.
                        let _ = serve(client, number);
                    });
                }
            }
        });
        Self { address, connections, ends, thread: Some(thread) }
    }

    /// Answers each request with what a function makes of its head and body.
    pub(super) fn answering(answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::new(move |mut client, _| {
            while let Some((head, body)) = client.request()? {
                client.send(&answer(&head, &body))?;
            }
            Ok(())
        })
    }

    /// Answers everything with its name, and keeps connections.
    pub(super) fn named(name: &str) -> Self {
        let answer = ok(name);
        Self::answering(move |_, _| answer.clone())
    }

    /// Answers with the head and the body that it got.
    pub(super) fn echo() -> Self {
        Self::answering(|head, body| {
            let mut text = head.to_owned().into_bytes();
            text.extend_from_slice(body);
            let mut answer =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len()).into_bytes();
            answer.extend_from_slice(&text);
            answer
        })
    }

    pub(super) fn connections(&self) -> u64 {
        self.connections.load(SeqCst)
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        self.ends.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An answer of 200 with that text.
pub(super) fn ok(text: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

/// One end of a connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    held: Vec<u8>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).unwrap())
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.set_write_timeout(Some(LONG)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, held: Vec::new() }
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Reads more; false at the end.
    fn more(&mut self) -> io::Result<bool> {
        let mut space = [0; 16384];
        let count = self.stream.read(&mut space)?;
        self.held.extend_from_slice(&space[..count]);
        Ok(count > 0)
    }

    pub(super) fn bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.held.len() < count {
            if !self.more()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.held.drain(..count).collect())
    }

    /// Up to and with that end; none where the connection ends before anything came.
    pub(super) fn upto(&mut self, end: &[u8]) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.held.windows(end.len()).position(|window| window == end) {
                return Ok(Some(self.held.drain(..at + end.len()).collect()));
            }
            if !self.more()? {
                return if self.held.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    pub(super) fn head(&mut self) -> io::Result<Option<String>> {
        Ok(self.upto(b"\r\n\r\n")?.map(|head| String::from_utf8_lossy(&head).into_owned()))
    }

    /// The body after that head, chunks put together.
    pub(super) fn body(&mut self, head: &str) -> io::Result<Vec<u8>> {
        if let Some(length) = value(head, "content-length") {
            return self.bytes(length.parse().unwrap());
        }
        let mut body = Vec::new();
        if value(head, "transfer-encoding") == Some("chunked") {
            loop {
                let line = String::from_utf8(self.upto(b"\r\n")?.unwrap()).unwrap();
                let size = usize::from_str_radix(line.trim(), 16).unwrap();
                if size == 0 {
                    while self.upto(b"\r\n")?.is_some_and(|line| line != b"\r\n") {}
                    return Ok(body);
                }
                body.extend(self.bytes(size)?);
                self.bytes(2)?;
            }
        }
        Ok(body)
    }

    /// A request: its head and body.
    pub(super) fn request(&mut self) -> io::Result<Option<(String, Vec<u8>)>> {
        let Some(head) = self.head()? else { return Ok(None) };
        let body = self.body(&head)?;
        Ok(Some((head, body)))
    }

    /// An answer: its status, head and body.
    pub(super) fn answer(&mut self) -> (u16, String, String) {
        let head = self.head().unwrap().expect("the connection was closed without an answer");
        let status = head[9..12].parse().unwrap();
        let without = status < 200 || status == 204 || status == 304;
        let body = if without { Vec::new() } else { self.body(&head).unwrap() };
        (status, head, String::from_utf8_lossy(&body).into_owned())
    }

    pub(super) fn get(&mut self, path: &str) -> (u16, String) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n").as_bytes()).unwrap();
        let (status, _, body) = self.answer();
        (status, body)
    }

    /// Whether nothing more comes, and the other side has closed it or cut it.
    pub(super) fn is_closed(&mut self) -> bool {
        let waits =
            |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        self.held.is_empty() && self.more().map_or_else(|error| !waits(&error), |more| !more)
    }
}

/// The value of a header line.
pub(super) fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
