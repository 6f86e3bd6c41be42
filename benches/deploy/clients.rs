//! Clients of what is deployed.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use jiff::Timestamp;

/// What takes longer has failed.
pub(crate) const LONGEST: Duration = Duration::from_mins(1);

pub(crate) fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("it is bound")
}

/// What is answered there, on a connection of its own.
fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LONGEST))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Asks again and again until the answer ends like that; when that was.
pub(crate) fn until_answered(address: SocketAddr, path: &str, end: &str) -> Instant {
    let since = Instant::now();
    while since.elapsed() < LONGEST {
        if ask(address, path).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") && answer.contains(end)) {
            return Instant::now();
        }
        thread::sleep(Duration::from_micros(500));
    }
    panic!("`{end}` was never answered at {address}{path}");
}

/// Clients that ask one question after the other, and when which answer came.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<(Timestamp, String)>>>,
}

impl Clients {
    /// So many at once.
    pub(crate) fn start(address: SocketAddr, path: &'static str, count: usize) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let one = || {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                let mut seen = Vec::new();
                while !stop.load(SeqCst) {
                    // Who cannot connect has no answer, which is for the watch to see.
                    if let Ok(answer) = ask(address, path) {
                        let body = answer.rsplit_once("\r\n").map_or("", |(_, body)| body);
                        seen.push((Timestamp::now(), body.to_owned()));
                    }
                    thread::sleep(Duration::from_millis(1));
                }
                seen
            })
        };
        let threads = (0..count).map(|_| one()).collect();
        Self { stop, threads }
    }

    /// All answers, in the order in which they came.
    pub(crate) fn end(self) -> Vec<(Timestamp, String)> {
        self.stop.store(true, SeqCst);
        let all = self.threads.into_iter().flat_map(|thread| thread.join().expect("a client does not panic"));
        let mut all: Vec<_> = all.collect();
        all.sort();
        all
    }
}
