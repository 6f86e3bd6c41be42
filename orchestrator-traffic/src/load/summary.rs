//! What came of a load: plain values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::failure::{FailureKind, OwnLimit};
use super::plan::Plan;

/// What came of a load. `due` = `sent` + what the client did not send; `sent` = `answered` + `failed` + `client.abandoned`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// What was wanted.
    pub plan: Plan,
    /// When the first request was due, RFC 3339.
    pub started: String,
    /// Milliseconds from then until the last request was over.
    pub took_ms: u64,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// Whether it is over: figures of a load that goes on are those so far.
    #[serde(default)]
    pub over: bool,
    /// Requests that were due.
    pub due: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Those with the right answer.
    pub answered: u64,
    /// Those without.
    pub failed: u64,
    /// How they failed.
    pub failures: BTreeMap<FailureKind, u64>,
    /// Of the failed, those on a connection that had been used before.
    pub failed_reused: u64,
    /// The 95 % upper bound of the share of failures (one-sided, Clopper and Pearson), from those that were over.
    pub failure_bound: f64,
    /// Requests a second that were really sent.
    pub rate: f64,
    /// From when requests were due until their answers were whole; those that timed out count as that long at least.
    pub latency: Times,
    /// From when they were sent.
    pub service: Times,
    /// Bytes of answers' bodies.
    pub bytes: u64,
    /// The same by what requests did.
    pub shapes: BTreeMap<String, ShapeSummary>,
    /// Versions that answered, by their first answer.
    pub versions: Vec<VersionSummary>,
    /// For how long each version answered together with the one before it.
    pub overlaps: Vec<Overlap>,
    /// How the client itself did.
    pub client: Client,
    /// The first failures.
    pub examples: Vec<Example>,
}

/// Quantiles of times, in microseconds with three digits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// The mean.
    pub mean_us: f64,
    /// The median.
    pub p50_us: u64,
    /// 95 of 100 took at most that.
    pub p95_us: u64,
    /// 99 of 100.
    pub p99_us: u64,
    /// 999 of 1000.
    pub p999_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// What came of the requests of one kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ShapeSummary {
    /// Requests with the right answer.
    pub answered: u64,
    /// Those without.
    pub failed: u64,
    /// From when they were due.
    pub latency: Times,
    /// From when they were sent.
    pub service: Times,
}

/// One version that answered. Times are milliseconds from the start of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VersionSummary {
    /// As the answers call it.
    pub version: String,
    /// Its right answers.
    pub answered: u64,
    /// Its answers that failed: wrong, cut or too late.
    pub failed: u64,
    /// Of those the ones that it gave itself: whole, and with the wrong status or content.
    #[serde(default)]
    pub wrong: u64,
    /// The head of its first answer.
    pub first_ms: f64,
    /// The head of its last answer.
    pub last_ms: f64,
    /// When the last request that it answered was sent.
    pub last_sent_ms: f64,
}

/// Two versions in turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Overlap {
    /// The one that answered first.
    pub from: String,
    /// The one that came after it.
    pub to: String,
    /// Milliseconds from the first answer of the later one to the last one of the earlier; negative: a gap.
    pub answers_ms: f64,
    /// The same for when requests were sent: above 0 only where requests that were sent after the switch got the old version.
    pub sent_ms: f64,
}

/// How the client itself did. What it could not do is no failure of the server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Client {
    /// How late it sent, waiting for free connections not counted.
    pub lag: Times,
    /// Requests that waited for a free connection.
    pub waited: u64,
    /// Requests that were due and not sent when time was up, as all connections were busy.
    pub unsent: u64,
    /// Requests that were under way when it was stopped.
    pub abandoned: u64,
    /// Requests that could not be sent, as this machine was at a limit.
    pub limits: BTreeMap<OwnLimit, u64>,
    /// Requests that were sent again on another connection, nothing of them having gone out on the first.
    pub moved: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Whether it sent what was due when it was due.
    pub kept_up: bool,
    /// Why not, and what would help.
    pub remarks: Vec<String>,
}

/// One failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// Milliseconds from the start of the load until it was sent.
    pub sent_ms: f64,
    /// And until it failed.
    pub failed_ms: f64,
    /// What the request did.
    pub shape: String,
    /// How it failed.
    pub kind: FailureKind,
    /// What is known of it.
    pub what: String,
}
