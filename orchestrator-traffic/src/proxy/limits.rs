//! What a client or a version may take.

use std::time::Duration;

/// Bounds on what is taken from clients and versions. Defaults are those of the fields' descriptions.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The most bytes of a request's head, and of its trailers: 16 KiB. More is refused with 431.
    pub head_bytes: usize,
    /// The most header lines: 100. More is refused with 431.
    pub headers: usize,
    /// The most bytes of what is asked for, path and query: 8 KiB. More is refused with 414.
    pub target_bytes: usize,
    /// The most bytes of a request's body; any number by default. More is refused with 413.
    pub body_bytes: Option<u64>,
    /// From the first byte of a head, or from the start of a connection, until the head is complete: 10 s. Later is answered with 408.
    pub head: Duration,
    /// How long a connection may lie idle: 75 s.
    pub idle: Duration,
    /// How long one may lie idle from the moment that the proxy is about to end: 5 s.
    pub idle_at_end: Duration,
    /// How long a client may pause in the middle of a body, or take nothing of an answer: 30 s.
    pub stall: Duration,
    /// Until a version has taken a connection: 5 s. Later is answered with 504.
    pub connect: Duration,
    /// How long a version that refuses connections is tried again: 0.5 s. Then 502.
    pub refused: Duration,
    /// Until the head of a version's answer: 60 s. Later is answered with 504.
    pub answer: Duration,
    /// How long a version may say nothing in the middle of an answer, and a tunnel nothing in either direction: 10 min.
    pub silence: Duration,
    /// The most connections of clients: 10,000. More are answered with 503 and closed.
    pub connections: u64,
    /// The most connections of clients and to versions together: by default as many as there are. A client that is one too many, and a
    /// request for which no connection to its version is left, is answered with 503. [`super::run`] takes what the limit of open files leaves.
    pub files: u64,
    /// The most requests at once on one connection of HTTP/2: 128.
    pub streams: u32,
    /// The most idle connections that a thread keeps to a version: 256.
    pub kept: usize,
    /// How long such a one is kept: 30 s.
    pub keep: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head_bytes: 16 << 10,
            headers: 100,
            target_bytes: 8 << 10,
            body_bytes: None,
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            idle_at_end: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            connect: Duration::from_secs(5),
            refused: Duration::from_millis(500),
            answer: Duration::from_mins(1),
            silence: Duration::from_mins(10),
            connections: 10_000,
            files: u64::MAX,
            streams: 128,
            kept: 256,
            keep: Duration::from_secs(30),
        }
    }
}
