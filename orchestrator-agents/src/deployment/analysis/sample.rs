//! What one look at a watched version saw: plain readings, as they were read. Differences are made by the watcher.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one look saw.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Sample {
    /// When.
    pub clock: Clock,
    /// What came of the requests to both versions.
    pub traffic: Traffic,
    /// What the health endpoint said; none where it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Answered>,
    /// What came of the smoke test that was sent as a probe; none where none was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<Answered>,
    /// Why the probe whose turn it was could not even be made ready; none where it was sent, or none was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsent: Option<String>,
    /// How the process of the version is; none where nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Life>,
    /// Why the look is not in the recording; none where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unrecorded: Option<String>,
}

/// A time that no change of the wall clock moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Clock {
    /// Which boot of the machine it counts from.
    pub boot: String,
    /// Milliseconds since then, those asleep too.
    pub ms: u64,
}

/// What the proxy counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Traffic {
    /// No proxy stands before this environment: traffic cannot be seen.
    Unseen,
    /// The proxy did not say.
    Unanswered {
        /// Why not.
        why: String,
    },
    /// It said this.
    Counted(Counted),
}

/// What the proxy counted since it began to count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counted {
    /// Differs when counting began anew.
    pub boot: String,
    /// Milliseconds since counting began.
    pub at_ms: u64,
    /// Of the watched version.
    pub new: Figures,
    /// Of the version before; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Figures>,
}

/// What came of requests to one version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figures {
    /// How many there were.
    pub requests: u64,
    /// How many of them failed: status 500 and up, cut off, or no answer at all.
    pub errors: u64,
    /// Of the errors, those that the proxy had to answer itself.
    pub gateway: u64,
    /// Times until answers began: the most microseconds, and how many, in order.
    pub latency: Vec<(u64, u64)>,
}

/// An answer to a health check or a probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Answered {
    /// What was asked: the path, or the name of the smoke test.
    pub what: String,
    /// What was wrong with it; none where it was as expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
    /// Milliseconds until the whole answer was there; none where there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<f64>,
}

/// How the process of a version is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Life {
    /// Whether it runs.
    pub alive: bool,
    /// Whether somebody starts it again when it ends.
    #[serde(default)]
    pub supervised: bool,
    /// How often it was started again since it was deployed.
    #[serde(default)]
    pub restarts: u64,
    /// It crashed too often to be started again.
    #[serde(default)]
    pub crash_loop: bool,
    /// KiB of resident memory; none where it was not to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_kib: Option<u64>,
}
