//! The reverse proxy: routes requests to versions, swaps them without closing a connection, and counts what came of each.
//!
//! | file | is |
//! |---|---|
//! | [`live`] | the table that is served, swapped in one step; who is being drained |
//! | [`table`] | a checked table: which version gets a request |
//! | [`version`] | one version as requests meet it: who is under way, who is cut |
//! | [`tally`] | what came of requests, in counters that any thread adds to |
//! | `serve` | takes connections; [`workers`]: one thread a core that answers them |
//! | `forward` | one request: to whom, on which connection, again or not, and its answer (`headers`, `body`, `tunnel`; `course`: what is counted of it) |
//! | `plain` | requests without a body in HTTP/1.1 on both sides, which are most: as `forward`, but byte by byte |
//! | `pool` | connections to versions, kept for the next request (`upstream`: one of them) |
//! | `wire` | a client's connection: what is on it is checked before HTTP is made of it (`framing`, `head`), and nothing on it takes for ever |
//! | `guard` | answers that clients do not take; `files`: open files, so that there are always some left |
//! | `quiet` `clock` | waiting that costs nothing while nothing happens |
//! | `orphan` | the end of a proxy that nobody can reach any more |
//! | [`limits`] | what a client or a version may take |
//! | [`record`] | what is told of each request |
//! | [`stop`] | the two stages of an end |
//! | [`run`] | a process: everything together, from its start to its end |
//! | [`folder`] [`state`] | the lock, the control socket; the table, kept for the next process |
//! | `control` `desk` | clients of the control socket; what they are answered |
//! | `elder` | the process before it, which follows the table until nobody is left in it |
//! | `life` [`upgrade`] `family` | who may change something when; the successor of a process, and what it has started should it fail |
//! | [`tls`] [`metrics`] [`access_log`] | certificates, figures for Prometheus, one line a request (`recorder`) |
//!
//! Rules: a request goes to the table that is there when its head is complete, and stays with that version. What may have been acted on is never
//! sent twice. Each thread has its own connections to versions, so no request waits for another thread.

pub mod access_log;
mod body;
mod clock;
mod connection;
mod control;
mod course;
mod desk;
mod elder;
mod family;
mod files;
pub mod folder;
mod forward;
mod framing;
mod guard;
mod head;
mod headers;
mod life;
pub mod limits;
pub mod live;
pub mod metrics;
mod orphan;
mod plain;
mod pool;
mod quiet;
pub mod record;
mod recorder;
pub mod run;
mod serve;
pub mod state;
pub mod stop;
pub mod table;
pub mod tally;
pub mod tls;
mod tunnel;
pub mod upgrade;
mod upstream;
pub mod version;
mod wire;
pub mod workers;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

pub use limits::Limits;
pub use live::Live;
pub use record::{Record, Recorder};
pub use stop::{Stage, Stop};
pub use workers::{Listener, Workers};

/// A proxy: what it serves, within which limits, and whom it tells.
#[derive(Debug)]
pub struct Proxy {
    /// What is served.
    pub live: Live,
    /// What clients and versions may take.
    pub limits: Limits,
    /// Who is told of each request; nobody by default.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// Open connections of clients.
    pub connections: AtomicU64,
    /// Of them, those that wait for a request and take next to no memory.
    pub idle: AtomicU64,
}

impl Proxy {
    /// A proxy that serves nothing yet: whatever is asked is answered with 503 until a table is applied.
    pub fn new(limits: Limits, recorder: Option<Arc<dyn Recorder>>) -> Self {
        Self { live: Live::new(), limits, recorder, connections: AtomicU64::new(0), idle: AtomicU64::new(0) }
    }
}

#[cfg(test)]
mod tests;
