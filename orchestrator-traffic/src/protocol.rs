//! What is said to a proxy over its control socket: one JSON line a question, one JSON line an answer. Plain values.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// A question or an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// What it serves, and what is still being drained.
    Status,
    /// Replaces the table in one step. Same table: nothing changes, and it says so.
    Apply {
        /// The generation that it must replace; none for whatever is there.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<u64>,
        /// What is served from now on.
        table: Table,
        /// Milliseconds that requests under way at versions that are left out get before they are cut.
        drain_ms: u64,
    },
    /// What came of the requests, by route and version, since the proxy started.
    Counts,
    /// Starts a successor from its own program, or from that one, and hands its sockets over to it.
    Upgrade {
        /// The successor's program; its own by default.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<String>,
    },
    /// Asked by the next keeper: lends its sockets, and the connection is the channel to it from then on (`sockets::adopt`).
    Lend,
    /// Takes no more connections, drains, and ends.
    Stop {
        /// Milliseconds until what is left is cut.
        drain_ms: u64,
    },
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Response {
    /// To `status`.
    Status(Status),
    /// To `apply`: the generation that is served now.
    Applied {
        /// Grows by one with each change.
        generation: u64,
        /// Whether the table differs from the one before.
        changed: bool,
    },
    /// To `counts`.
    Counts(Counts),
    /// To `upgrade` and `stop`: it is under way.
    Done {
        /// The process that serves now; none where none does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pid: Option<u32>,
    },
    /// It was not done.
    Refused {
        /// Why, and what would help.
        why: String,
    },
}

/// What a proxy serves. The longest matching prefix wins; a route with a host wins over one without.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Its routes.
    pub routes: Vec<Route>,
}

/// One route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Names it in counts and logs.
    pub name: String,
    /// The host that it is about, without a port; any by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The path that it is about, and all below it.
    #[serde(default = "root")]
    pub prefix: String,
    /// Who answers. Weights are shares of their sum; 0 gets only what `canary` sends there.
    pub backends: Vec<Backend>,
    /// Requests that are sent to one version whatever the weights say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// The name of a cookie by which clients keep their place among the shares: with two versions, whoever was given one stays with it while that
    /// keeps its share or gets more. With more versions that holds for the first and the last of `backends`; those between them have places that move
    /// when shares before them change. Each request is drawn anew by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<String>,
}

fn root() -> String {
    "/".into()
}

/// A version that answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// What it is called in counts, logs and canaries; a release, so that the same version deployed twice is told apart.
    pub version: String,
    /// Where it answers.
    pub address: SocketAddr,
    /// Its share.
    pub weight: u32,
    /// Whether it is spoken to in HTTP/2 without TLS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub h2c: bool,
}

/// Who is sent to one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Canary {
    /// Which version.
    pub version: String,
    /// Requests with this header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<Pair>,
    /// Requests with this cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie: Option<Pair>,
}

/// A name and the value that it must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// The state of a proxy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Its process.
    pub pid: u32,
    /// The version of its program.
    pub program: String,
    /// Where it listens.
    pub listens: Vec<SocketAddr>,
    /// Grows by one with each change of the table.
    pub generation: u64,
    /// What it serves.
    pub table: Table,
    /// Open connections of clients, those of the processes before it included.
    pub connections: u64,
    /// The processes before it that still have somebody to answer, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<u32>,
    /// Each version that is served, or that was left out and is not drained yet or was drained not long ago; what is under way in
    /// processes before it included.
    pub versions: Vec<VersionStatus>,
}

/// How one version of a route stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionStatus {
    /// The route.
    pub route: String,
    /// The version.
    pub version: String,
    /// Where it answers.
    pub address: SocketAddr,
    /// Requests under way.
    pub in_flight: u64,
    /// Microseconds from the change that brought it traffic until the first byte of its first answer; none before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_answer_us: Option<u64>,
    /// Since it was left out: how its drain went.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<Drain>,
}

/// How draining a version went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    /// Milliseconds that it took; none while it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Whom it cut: method, path without its query, and milliseconds under way. At most a hundred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<String>,
    /// How many it cut.
    #[serde(default)]
    pub cuts: u64,
}

/// What came of requests. All figures only grow while `boot` stays the same; but a version that is in no table any more is forgotten when 256 others
/// were served since, and should it come back, its figures begin at 0. While it is in a table it is never forgotten.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Differs when counting began anew.
    pub boot: String,
    /// Milliseconds since counting began, by a clock that only goes forward.
    pub at_ms: u64,
    /// By route and version.
    pub versions: Vec<VersionCounts>,
}

/// What came of the requests to one version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VersionCounts {
    /// The route.
    pub route: String,
    /// The version.
    pub version: String,
    /// Answered or failed requests; websockets count when they are accepted.
    pub requests: u64,
    /// Those with a status from 500 up, those cut off in the middle and those that the proxy had to answer itself.
    pub errors: u64,
    /// Of the errors, those that the proxy had to answer: nobody listened, no answer in time, no HTTP.
    pub gateway: u64,
    /// Times until the head of the answer, in buckets: the upper bound in microseconds, and how many. Only those with any, in order.
    pub latency: Vec<(u64, u64)>,
    /// All these times together, in microseconds.
    #[serde(default)]
    pub latency_us: u64,
    /// Of the requests, those whose client gave up before the head of an answer. How long they waited is among the times, since they would have
    /// taken longer; they are no errors.
    #[serde(default)]
    pub left: u64,
}
