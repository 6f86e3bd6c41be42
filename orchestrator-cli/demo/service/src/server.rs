//! Accepting connections: one thread each, up to a limit.

use crate::http::{Connection, Request, Response};
use crate::{events, routes, App, Config};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many connections beyond the limit are told so, instead of being dropped.
const TURNED_AWAY: usize = 16;

/// A listening service.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    app: App,
    connections: AtomicUsize,
    stopping: AtomicBool,
}

impl Server {
    /// Listens on 127.0.0.1, without accepting anything yet.
    pub fn bind(config: Config) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, config.port))?;
        let address = listener.local_addr()?;
        let (connections, stopping) = (AtomicUsize::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { app: App::new(config), connections, stopping });
        Ok(Self { listener, address, shared })
    }

    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the handle of a spawned server stops it.
    pub fn run(self) {
        loop {
            let accepted = self.listener.accept();
            if self.shared.stopping.load(SeqCst) {
                return;
            }
            match accepted {
                Ok((stream, _)) => self.admit(stream),
                // Such as too many open files: give connections time to end.
                Err(_) => thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// Serves in a thread of its own.
    pub fn spawn(self) -> Handle {
        let (address, shared) = (self.address, Arc::clone(&self.shared));
        Handle { address, shared, thread: Some(thread::spawn(move || self.run())) }
    }

    fn admit(&self, stream: TcpStream) {
        let config = &self.shared.app.config;
        let before = self.shared.connections.fetch_add(1, SeqCst);
        let slot = Slot(Arc::clone(&self.shared));
        let connection = Connection::new(stream, config.timeout);
        let limit = config.max_connections;
        if before < limit {
            // When no thread can be had, the connection is dropped, and its slot with it.
            let _ = thread::Builder::new().spawn(move || serve(connection, &slot.0));
        } else if before < limit + TURNED_AWAY {
            let _ = thread::Builder::new().spawn(move || turn_away(connection, &slot.0));
        }
    }
}

/// Counts a connection for as long as it exists.
struct Slot(Arc<Shared>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, SeqCst);
    }
}

fn serve(mut connection: Connection, shared: &Shared) {
    let app = &shared.app;
    loop {
        let (response, mut keep_alive, head_only) = match connection.read_request() {
            Ok(None) => break,
            Ok(Some(request)) => {
                let response = answer(app, &request);
                if request.path == "/events" && request.method == "GET" && response.status == 200 {
                    app.metrics.record(200);
                    events::send(&mut connection, app, || shared.stopping.load(SeqCst));
                    break;
                }
                (response, request.keep_alive, request.method == "HEAD")
            }
            Err(refusal) => (refusal, false, false),
        };
        thread::sleep(app.config.slow);
        keep_alive &= !shared.stopping.load(SeqCst);
        let answered = app.metrics.record(response.status);
        let sent = connection.send(&response.encode(keep_alive, head_only));
        if (1..=answered).contains(&app.config.crash_after) {
            eprintln!("school: SCHOOL_CRASH_AFTER={} reached", app.config.crash_after);
            std::process::exit(70);
        }
        if sent.is_err() || !keep_alive {
            break;
        }
    }
    connection.close();
}

fn answer(app: &App, request: &Request) -> Response {
    if let Some(trouble) = app.trouble.meet(&app.config, &request.path) {
        return trouble;
    }
    catch_unwind(AssertUnwindSafe(|| routes::handle(app, request)))
        .unwrap_or_else(|_| Response::error(500, "internal error"))
}

fn turn_away(mut connection: Connection, shared: &Shared) {
    let response = Response::error(503, "too many connections");
    shared.app.metrics.record(response.status);
    let response = response.with_header("Retry-After", "1".to_owned());
    let _ = connection.send(&response.encode(false, false));
    connection.close();
}

/// A server that runs in a thread; dropping the handle stops it.
pub struct Handle {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Handle {
    /// Accepts nothing more, and gives the answers under way a moment to be sent.
    fn drop(&mut self) {
        self.shared.stopping.store(true, SeqCst);
        // Wakes the accepting thread.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let deadline = Instant::now() + Duration::from_millis(500);
        while self.shared.connections.load(SeqCst) > 0 && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
