//! A version that answers: a small server of HTTP/1.1 in threads of this process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use crate::process::any;

/// It answers with its name: `/`, `/slow/MS` after that time, `/upload` with the number of bytes it got, `/events` with one line each
/// 20 ms until the client goes, and whoever asks for `Upgrade: echo` gets back what it sends.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl Origin {
    pub(crate) fn new(name: &'static str) -> Self {
        let listener = TcpListener::bind(any()).unwrap();
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let stop = ended.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                thread::spawn(move || {
                    // Clients of a test come and go.
                    let _ = attend(stream, name);
                });
            }
        });
        Self { address, ended }
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.ended.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn attend(stream: TcpStream, name: &str) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let (mut head, mut line) = (String::new(), String::new());
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            head.push_str(&line);
        }
        let lower = head.to_lowercase();
        let field = |name: &str| {
            let found = lower.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found.map(|value| value.trim().to_owned())
        };
        let path = head.split([' ', '?']).nth(1).unwrap_or("/");
        let mut got = 0;
        if field("transfer-encoding").is_some_and(|coding| coding == "chunked") {
            loop {
                line.clear();
                reader.read_line(&mut line)?;
                let size = u64::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
                std::io::copy(&mut (&mut reader).take(size + 2), &mut std::io::sink())?;
                got += size;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = field("content-length") {
            got = length.parse().map_err(std::io::Error::other)?;
            std::io::copy(&mut (&mut reader).take(got), &mut std::io::sink())?;
        }
        if field("upgrade").is_some_and(|to| to == "echo") {
            stream.write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n",
            )?;
            std::io::copy(&mut reader, &mut stream)?;
            return Ok(());
        }
        if path == "/events" {
            stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            )?;
            loop {
                let event = format!("data: {name}\n\n");
                stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
                thread::sleep(Duration::from_millis(20));
            }
        }
        if let Some(ms) = path.strip_prefix("/slow/") {
            thread::sleep(Duration::from_millis(ms.parse().unwrap_or(0)));
        }
        let body = if path == "/upload" { got.to_string() } else { name.to_owned() };
        let length = body.len();
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes())?;
    }
}
