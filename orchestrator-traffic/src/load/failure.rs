//! What can go wrong with a request: the server's doing, or a limit of this machine.

use std::error::Error;
use std::io;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// How a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// Nobody listened.
    Refused,
    /// The connection was reset before the answer began.
    Reset,
    /// The connection was closed before the answer began.
    Closed,
    /// It was not over in time.
    Timeout,
    /// The status was not one of those that are right.
    Status,
    /// The answer began and did not end as it should.
    Cut,
    /// The answer came whole and was the wrong one.
    Content,
    /// The answer was no HTTP.
    Garbage,
    /// The server's certificate is not one to trust: it is out of date, for another name, or signed by somebody unknown.
    Certificate,
    /// The connection could not be made a safe one for another reason.
    Handshake,
    /// The server could not be reached for another reason.
    Unreachable,
}

/// A limit of this machine that kept a request from being sent: it says nothing about the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnLimit {
    /// No more files may be open.
    Files,
    /// All ports of this machine towards that address are taken.
    Ports,
    /// No memory for another socket.
    Memory,
}

/// Why a request did not get its answer.
#[derive(Debug)]
pub(super) enum Trouble {
    Failed { kind: FailureKind, what: String },
    Own(OwnLimit),
}

impl Trouble {
    pub(super) fn new(kind: FailureKind, what: impl Into<String>) -> Self {
        Self::Failed { kind, what: what.into() }
    }

    /// Of opening a connection.
    pub(super) fn connecting(error: &io::Error) -> Self {
        match Errno::from_io_error(error) {
            Some(Errno::MFILE | Errno::NFILE) => return Self::Own(OwnLimit::Files),
            Some(Errno::ADDRNOTAVAIL) => return Self::Own(OwnLimit::Ports),
            Some(Errno::NOBUFS | Errno::NOMEM) => return Self::Own(OwnLimit::Memory),
            _ => {}
        }
        let kind = match error.kind() {
            io::ErrorKind::ConnectionRefused => FailureKind::Refused,
            kind => of_io(kind).unwrap_or(FailureKind::Unreachable),
        };
        Self::new(kind, error.to_string())
    }

    /// Of a request that was sent, before its answer began.
    pub(super) fn asking(error: &hyper::Error) -> Self {
        let kind = match io_cause(error).and_then(|cause| of_io(cause.kind())) {
            Some(kind) => kind,
            None if error.is_parse() => FailureKind::Garbage,
            None => FailureKind::Closed,
        };
        Self::new(kind, told(error))
    }

    /// Of an answer that had begun.
    pub(super) fn reading(error: &hyper::Error) -> Self {
        Self::new(FailureKind::Cut, told(error))
    }

    /// Of a stream that was taken over from HTTP.
    pub(super) fn talking(error: &io::Error) -> Self {
        Self::new(FailureKind::Cut, error.to_string())
    }
}

fn of_io(kind: io::ErrorKind) -> Option<FailureKind> {
    match kind {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            Some(FailureKind::Reset)
        }
        io::ErrorKind::TimedOut => Some(FailureKind::Timeout),
        _ => None,
    }
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref() {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// It and its causes in one line.
fn told(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}
