//! HTTP/1.1 messages: requests are read within limits, and refused when they are malformed.

use crate::{clock, json, VERSION};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

/// The request line with all headers, in bytes.
pub const MAX_HEAD: usize = 8 * 1024;
pub const MAX_HEADERS: usize = 64;
pub const MAX_BODY: usize = 16 * 1024;
/// What `/echo` takes.
pub const MAX_ECHO: usize = 1024 * 1024;

/// A complete request.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    /// Without the query string.
    pub path: String,
    pub body: Vec<u8>,
    /// Whether the client may send another request on the same connection.
    pub keep_alive: bool,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
    /// A body that need not be text, instead of the other.
    pub bytes: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, content_type: &'static str, body: String) -> Self {
        Self { status, content_type, headers: Vec::new(), body, bytes: Vec::new() }
    }

    /// Bytes as they are.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::new(200, "application/octet-stream", String::new()) }
    }

    pub fn json(status: u16, body: String) -> Self {
        Self::new(status, "application/json", body)
    }

    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, json::object(&[("error", &json::quote(message))]))
    }

    pub fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The bytes to send; a HEAD request gets everything but the body.
    pub fn encode(&self, keep_alive: bool, head_only: bool) -> Vec<u8> {
        let body = if self.bytes.is_empty() { self.body.as_bytes() } else { &self.bytes };
        let mut text = self.head();
        if self.status != 204 {
            text += &format!("Content-Type: {}\r\n", self.content_type);
            text += &format!("Content-Length: {}\r\n", body.len());
        }
        text +=
            if keep_alive { "Connection: keep-alive\r\n\r\n" } else { "Connection: close\r\n\r\n" };
        let mut bytes = text.into_bytes();
        if !head_only && self.status != 204 {
            bytes.extend_from_slice(body);
        }
        bytes
    }

    /// The head of an answer that ends with the connection.
    pub fn encode_open(&self) -> Vec<u8> {
        let kind = self.content_type;
        let rest = "Cache-Control: no-store\r\nConnection: close\r\n\r\n";
        format!("{}Content-Type: {kind}\r\n{rest}", self.head()).into_bytes()
    }

    fn head(&self) -> String {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        text += &format!("Date: {}\r\n", clock::http_date(clock::now()));
        text += &format!("X-Version: {VERSION}\r\n");
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        text
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        409 => "Conflict",
        413 => "Content Too Large",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Unknown",
    }
}

/// One client. What it sent beyond the current request stays in the buffer for the next one.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    timeout: Duration,
}

impl Connection {
    pub fn new(stream: TcpStream, timeout: Duration) -> Self {
        let _ = stream.set_nodelay(true);
        Self { stream, buffer: Vec::new(), timeout }
    }

    /// The next request; `None` when the client is gone or stays idle, an error when what it sent
    /// is no request. After an error the connection cannot be used for another request.
    pub fn read_request(&mut self) -> Result<Option<Request>, Response> {
        if self.buffer.is_empty() && !matches!(self.fill(Instant::now() + self.timeout), Ok(1..)) {
            return Ok(None);
        }
        let deadline = Instant::now() + self.timeout;
        let end = loop {
            // Empty lines before a request are to be ignored (RFC 9112, section 2.2).
            let empty = self.buffer.chunks_exact(2).take_while(|pair| pair == b"\r\n").count();
            self.buffer.drain(..2 * empty);
            match head_end(&self.buffer)? {
                Some(end) if end <= MAX_HEAD => break end,
                None if self.buffer.len() <= MAX_HEAD => {}
                _ => return Err(Response::error(431, "the headers are too large")),
            }
            match self.fill(deadline) {
                Ok(0) if self.buffer.is_empty() => return Ok(None),
                more => complete(more)?,
            }
        };
        let head = crate::head::parse(&self.buffer[..end])?;
        let most = if head.path == "/echo" { MAX_ECHO } else { MAX_BODY };
        if head.content_length > most {
            return Err(Response::error(413, "the body is too large"));
        }
        self.buffer.drain(..end);
        if head.expects_continue && self.buffer.len() < head.content_length {
            let _ = self.send(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        while self.buffer.len() < head.content_length {
            complete(self.fill(deadline))?;
        }
        let body = self.buffer.drain(..head.content_length).collect();
        let (method, path) = (head.method, head.path);
        Ok(Some(Request { method, path, body, keep_alive: head.keep_alive }))
    }

    /// Reads whatever has arrived, and waits for it until the deadline.
    fn fill(&mut self, deadline: Instant) -> io::Result<usize> {
        let mut chunk = [0; 4096];
        loop {
            self.stream.set_read_timeout(Some(remaining(deadline)?))?;
            match self.stream.read(&mut chunk) {
                Ok(count) => {
                    self.buffer.extend_from_slice(&chunk[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes all bytes, or gives up on a client which does not take them.
    pub fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let deadline = Instant::now() + self.timeout;
        while !bytes.is_empty() {
            self.stream.set_write_timeout(Some(remaining(deadline)?))?;
            match self.stream.write(bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Closes in such a way that the client can still read the last answer: closing with unread
    /// input would reset the connection, so some of it is read and dropped.
    pub fn close(mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let deadline = Instant::now() + self.timeout.min(Duration::from_secs(1));
        for _ in 0..64 {
            self.buffer.clear();
            if !matches!(self.fill(deadline), Ok(1..)) {
                break;
            }
        }
    }
}

fn remaining(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// Turns an end of input within a request into the answer it deserves.
fn complete(read: io::Result<usize>) -> Result<(), Response> {
    match read {
        Ok(1..) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Err(Response::error(408, "the request took too long"))
        }
        Ok(0) | Err(_) => Err(Response::error(400, "the request is incomplete")),
    }
}

/// The length of the head, its final empty line included, once it is complete.
fn head_end(bytes: &[u8]) -> Result<Option<usize>, Response> {
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let line = &bytes[..=at];
        if !line.ends_with(b"\r\n") {
            return Err(Response::error(400, "a line does not end with CR LF"));
        }
        if line.ends_with(b"\r\n\r\n") {
            return Ok(Some(at + 1));
        }
    }
    Ok(None)
}
