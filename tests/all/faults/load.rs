//! Clients that ask all the while: some with a connection for each request, some that keep theirs.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a client waits for an answer. Nothing is asserted about time: this ends what hangs, and it counts as failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(6);
/// The most requests of a client.
const MOST: u32 = 40_000;

/// What clients met.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) sent: u32,
    /// Greetings by version.
    pub(super) greeted: BTreeMap<String, u32>,
    /// Everything else.
    pub(super) failed: Vec<String>,
    /// Connections that nobody took; they are among those that failed.
    pub(super) refused: u32,
}

impl Tally {
    fn add(&mut self, asked: io::Result<Answer>) {
        self.sent += 1;
        match asked {
            Ok(answer) => match answer.version() {
                Some(version) => *self.greeted.entry(version.to_owned()).or_default() += 1,
                None => self.failed.push(format!("{} {}", answer.status, answer.body)),
            },
            Err(error) => {
                self.refused += u32::from(error.kind() == ErrorKind::ConnectionRefused);
                self.failed.push(error.to_string());
            }
        }
    }
}

/// Requests under way until [`Load::over`].
pub(super) struct Load {
    over: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Tally>>,
}

impl Load {
    pub(super) fn on(port: u16) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let client = |keeps: bool| {
            let over = over.clone();
            std::thread::spawn(move || {
                let (mut tally, mut kept) = (Tally::default(), None);
                while !over.load(Ordering::SeqCst) && tally.sent < MOST {
                    tally.add(if keeps { ask_again(port, &mut kept) } else { ask(port) });
                    std::thread::sleep(PAUSE);
                }
                tally
            })
        };
        let clients = [false, false, true].map(client).into();
        Self { over, clients }
    }

    /// Ends it.
    pub(super) fn over(mut self) -> Tally {
        self.over.store(true, Ordering::SeqCst);
        let mut all = Tally::default();
        for client in std::mem::take(&mut self.clients) {
            let Tally { sent, greeted, failed, refused } = client.join().unwrap();
            all.sent += sent;
            all.refused += refused;
            all.failed.extend(failed);
            for (version, count) in greeted {
                *all.greeted.entry(version).or_default() += count;
            }
        }
        all
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    /// The version that greeted; none where this is no greeting.
    pub(super) fn version(&self) -> Option<&str> {
        self.body.strip_prefix("hello from ").filter(|_| self.status == 200)
    }
}

/// One request on a connection of its own.
pub(super) fn ask(port: u16) -> io::Result<Answer> {
    send(&mut connect(port)?, "close")
}

/// One request on a connection that is kept. One that was closed while it lay idle is made anew, as every client does.
fn ask_again(port: u16, kept: &mut Option<TcpStream>) -> io::Result<Answer> {
    if let Some(mut stream) = kept.take() {
        match send(&mut stream, "keep-alive") {
            Ok(answer) => {
                *kept = Some(stream);
                return Ok(answer);
            }
            // Without a byte of an answer.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::WriteZero
                ) => {}
            Err(error) => return Err(error),
        }
    }
    let mut stream = connect(port)?;
    let answer = send(&mut stream, "keep-alive");
    *kept = answer.is_ok().then_some(stream);
    answer
}

pub(super) fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn send(stream: &mut TcpStream, connection: &str) -> io::Result<Answer> {
    let request = format!("GET /hello HTTP/1.1\r\nhost: a\r\nconnection: {connection}\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    read(stream)
}

/// Reads one answer with a length.
pub(super) fn read(stream: &mut TcpStream) -> io::Result<Answer> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            if body.len() >= length {
                let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
                let status = status.ok_or_else(|| io::Error::other("this is no answer"))?;
                return Ok(Answer { status, body: body[..length].to_owned() });
            }
        }
        match stream.read(&mut chunk)? {
            0 if bytes.is_empty() => return Err(io::Error::new(ErrorKind::ConnectionReset, "no answer")),
            0 => return Err(io::Error::new(ErrorKind::UnexpectedEof, "half an answer")),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
