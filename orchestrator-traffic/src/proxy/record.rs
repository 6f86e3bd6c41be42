//! What is told of each request, for an access log.

use std::fmt::Debug;

/// One request that is over.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path, without the query. As the client sent it: whoever writes it down escapes it.
    pub path: &'a str,
    /// The host that it asked for; empty where it named none. As the client sent it.
    pub host: &'a str,
    /// From where it was linked, and the program of the client; empty where it said nothing or nobody wants it. As the client sent them.
    pub referer: &'a str,
    /// See `referer`.
    pub agent: &'a str,
    /// The address that it came from, without the port.
    pub client: &'a str,
    /// The status of the answer; 0 where it got none.
    pub status: u16,
    /// The route that took it; none where none did.
    pub route: Option<&'a str>,
    /// The version that answered, or should have; none where it went to none.
    pub version: Option<&'a str>,
    /// Bytes of the answer's body that were handed to the connection; of a tunnel, those to the client.
    pub bytes: u64,
    /// Microseconds until the head of the answer.
    pub head_us: u64,
    /// Microseconds until its end.
    pub total_us: u64,
    /// How it ended.
    pub end: End,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Whole.
    Whole,
    /// The client went away.
    Left,
    /// The version broke off in the middle of its answer, or took too long.
    Broken,
    /// The proxy cut it: its version was drained, or the proxy ended.
    Cut,
}

/// Takes records. Called on the threads that serve: it must not wait.
pub trait Recorder: Debug + Send + Sync {
    /// One request is over.
    fn record(&self, record: &Record<'_>);

    /// Whether it wants to know of referer and agent.
    fn wants_agent(&self) -> bool {
        false
    }
}
