//! Clients that ask without a pause, and keep account of every failure.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::client::Connection;

/// What a client does, over and over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A connection for each question.
    New,
    /// One connection for as long as it may be kept.
    Kept,
    /// Answers that take a while.
    Slow,
    /// Bodies of half a megabyte.
    Upload,
}

/// Clients at work.
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    pub(crate) done: Arc<AtomicU64>,
    failures: Arc<Mutex<Vec<String>>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start(address: SocketAddr, kinds: &[Kind]) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let failures = Arc::new(Mutex::new(Vec::new()));
        let clients = kinds.iter().map(|kind| {
            let (stop, done, failures, kind) = (stop.clone(), done.clone(), failures.clone(), *kind);
            thread::spawn(move || {
                let mut connection = None;
                while !stop.load(SeqCst) {
                    match ask(address, kind, &mut connection) {
                        Ok(()) => {
                            done.fetch_add(1, SeqCst);
                        }
                        Err(error) => {
                            connection = None;
                            failures.lock().unwrap().push(format!("{kind:?}: {error}"));
                        }
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            })
        });
        let clients = clients.collect();
        Self { stop, done, failures, clients }
    }

    /// Waits until that many more answers have come.
    pub(crate) fn more(&self, count: u64) {
        let goal = self.done.load(SeqCst) + count;
        crate::until("answers come", || self.done.load(SeqCst) >= goal);
    }

    /// Ends it: how many answers came, and all that failed.
    pub(crate) fn end(mut self) -> (u64, Vec<String>) {
        self.stop.store(true, SeqCst);
        self.clients.drain(..).for_each(|client| client.join().unwrap());
        let failures = std::mem::take(&mut *self.failures.lock().unwrap());
        (self.done.load(SeqCst), failures)
    }
}

fn ask(address: SocketAddr, kind: Kind, connection: &mut Option<Connection>) -> io::Result<()> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => Connection::open(address)?,
    };
    let answer = match kind {
        Kind::New | Kind::Kept => open.get("/")?,
        Kind::Slow => open.get("/slow/150")?,
        Kind::Upload => {
            let body = vec![b'x'; 500_000];
            open.send(b"POST /upload HTTP/1.1\r\nhost: x\r\ncontent-length: 500000\r\n\r\n")?;
            for part in body.chunks(100_000) {
                open.send(part)?;
                thread::sleep(Duration::from_millis(5));
            }
            let answer = open.answer()?;
            if answer.body != "500000" {
                return Err(io::Error::other(format!("{answer:?}")));
            }
            answer
        }
    };
    if answer.status != 200 {
        return Err(io::Error::other(format!("{answer:?}")));
    }
    if answer.kept && !matches!(kind, Kind::New) {
        *connection = Some(open);
    }
    Ok(())
}
