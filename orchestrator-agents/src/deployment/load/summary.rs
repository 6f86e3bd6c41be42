//! What came of a load, as its client writes it. Pure.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of a load. Times are milliseconds, from when requests were due until their answers were whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadSummary {
    /// When the first request was due, RFC 3339.
    pub started: String,
    /// From then until the last one was over.
    pub took_ms: u64,
    /// Whether the client ended in order; else these are its figures of at most a second before it died.
    pub over: bool,
    /// Whether it was over, by its limit of time or by a signal, before the deployment ended it: nothing was sent from then on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub early: bool,
    /// Requests a second that were sent.
    pub rate: f64,
    /// Requests that were sent.
    pub sent: u64,
    /// Those with the right answer.
    pub answered: u64,
    /// Those without.
    pub failed: u64,
    /// Of the failed, those that no version answered with a failure of its own: what was dropped, cut, timed out, or refused on the way.
    pub dropped: u64,
    /// How they failed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<String, u64>,
    /// The 95 % upper bound of the share of failures.
    pub failure_bound: f64,
    /// Requests that were due and not sent, for want of connections, files or ports of the client.
    #[serde(default)]
    pub unsent: u64,
    /// Requests under way when the client was ended.
    #[serde(default)]
    pub abandoned: u64,
    /// The median.
    pub p50_ms: f64,
    /// 95 of 100 took at most that.
    pub p95_ms: f64,
    /// 99 of 100.
    pub p99_ms: f64,
    /// 999 of 1000.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Who answered, in the order of first answers; empty where answers do not name their version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<LoadVersion>,
    /// From the first answer of the last version that came until the last one of the version before it; negative: a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap_ms: Option<f64>,
    /// The first failures of each kind; at most five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// What the client says of itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// A version that answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadVersion {
    /// As its answers call it.
    pub version: String,
    /// Its right answers.
    pub answered: u64,
    /// Its wrong ones: whole, with the wrong status or content. What was cut counts among the dropped.
    pub failed: u64,
}

/// What the client writes, as far as it is read.
#[derive(Debug, Deserialize)]
struct Written {
    started: String,
    took_ms: u64,
    #[serde(default)]
    over: bool,
    /// Whether somebody stopped it; none where the client does not say.
    #[serde(default)]
    stopped: Option<bool>,
    rate: f64,
    sent: u64,
    answered: u64,
    failed: u64,
    failures: BTreeMap<String, u64>,
    failure_bound: f64,
    latency: Latency,
    versions: Vec<Answering>,
    overlaps: Vec<Overlap>,
    client: Client,
    examples: Vec<Example>,
}

#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the names and units of the client's summary")]
struct Latency {
    p50_us: u64,
    p95_us: u64,
    p99_us: u64,
    p999_us: u64,
    max_us: u64,
}

#[derive(Debug, Deserialize)]
struct Answering {
    version: String,
    answered: u64,
    failed: u64,
    /// Clients of before do not tell what was wrong from what was cut.
    #[serde(default)]
    wrong: Option<u64>,
}

impl From<Answering> for LoadVersion {
    fn from(answering: Answering) -> Self {
        let Answering { version, answered, failed, wrong } = answering;
        Self { version, answered, failed: wrong.unwrap_or(failed) }
    }
}

#[derive(Debug, Deserialize)]
struct Overlap {
    answers_ms: f64,
}

#[derive(Debug, Deserialize)]
struct Client {
    unsent: u64,
    abandoned: u64,
    #[serde(default)]
    limits: BTreeMap<String, u64>,
    remarks: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Example {
    sent_ms: f64,
    shape: String,
    kind: String,
    what: String,
}

impl LoadSummary {
    /// Reads what the client wrote.
    pub(in crate::deployment) fn read(json: &[u8]) -> Result<Self, serde_json::Error> {
        let written: Written = serde_json::from_slice(json)?;
        let Written { started, took_ms, over, stopped, rate, sent, answered, failed, failures, .. } = written;
        let Written { failure_bound, latency, versions, overlaps, client, examples, .. } = written;
        let versions: Vec<LoadVersion> = versions.into_iter().map(LoadVersion::from).collect();
        let own: u64 = versions.iter().map(|version| version.failed).sum();
        // Each kind of failure once, by its first.
        let mut kinds: BTreeMap<(&str, &str), &Example> = BTreeMap::new();
        for example in examples.iter().rev() {
            kinds.insert((&example.kind, &example.what), example);
        }
        let ms = |us: u64| us as f64 / 1e3;
        let example = |example: &Example| {
            let Example { sent_ms, shape, kind, what } = example;
            format!("{shape} after {:.1} s: {kind}: {what}", sent_ms / 1e3)
        };
        Ok(Self {
            started,
            took_ms,
            over,
            early: over && stopped == Some(false),
            rate,
            sent,
            answered,
            failed,
            dropped: failed.saturating_sub(own),
            failures,
            failure_bound,
            unsent: client.unsent + client.limits.values().sum::<u64>(),
            abandoned: client.abandoned,
            p50_ms: ms(latency.p50_us),
            p95_ms: ms(latency.p95_us),
            p99_ms: ms(latency.p99_us),
            p999_ms: ms(latency.p999_us),
            max_ms: ms(latency.max_us),
            versions,
            overlap_ms: overlaps.last().map(|overlap| overlap.answers_ms),
            examples: kinds.into_values().take(5).map(example).collect(),
            remarks: client.remarks,
        })
    }

    /// Failures that a version answered itself.
    pub fn of(&self, version: &str) -> u64 {
        self.versions.iter().filter(|known| known.version == version).map(|known| known.failed).sum()
    }

    /// `0 of 750 requests failed`.
    pub fn line(&self) -> String {
        let own: Vec<String> = self
            .versions
            .iter()
            .filter(|version| version.failed > 0)
            .map(|version| format!("{} answered by {} itself", version.failed, version.version))
            .collect();
        let own = if own.is_empty() { String::new() } else { format!(" ({})", own.join(", ")) };
        let early = if self.early { ", until the load ended too soon" } else { "" };
        format!("{} of {} requests failed{own}{early}", self.failed, self.sent)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn failures_that_nobody_answered_are_told_apart() {
        let mut written = json!({
            "started": "2026-01-01T00:00:00Z", "took_ms": 1000, "over": true, "rate": 100.0, "due": 100, "sent": 100,
            "answered": 90, "failed": 10, "failures": { "status": 8, "reset": 2 }, "failure_bound": 0.16,
            "latency": { "count": 100, "mean_us": 1.0, "p50_us": 1500, "p95_us": 2000, "p99_us": 3000, "p999_us": 4000, "max_us": 5000 },
            "versions": [
                { "version": "1", "answered": 80, "failed": 0, "first_ms": 1.0, "last_ms": 900.0, "last_sent_ms": 1.0 },
                { "version": "2", "answered": 10, "failed": 8, "first_ms": 500.0, "last_ms": 950.0, "last_sent_ms": 1.0 }],
            "overlaps": [{ "from": "1", "to": "2", "answers_ms": 400.0, "sent_ms": 0.0 }],
            "client": { "unsent": 1, "abandoned": 0, "limits": { "files": 2 }, "remarks": [] },
            "examples": [{ "sent_ms": 1500.0, "failed_ms": 1.0, "shape": "keep-alive", "kind": "status", "what": "500" }],
        });
        let summary = LoadSummary::read(written.to_string().as_bytes()).unwrap();
        assert_eq!((summary.failed, summary.dropped, summary.of("2"), summary.unsent), (10, 2, 8, 3));
        assert_eq!((summary.p50_ms, summary.max_ms, summary.overlap_ms), (1.5, 5.0, Some(400.0)));
        assert_eq!(summary.line(), "10 of 100 requests failed (8 answered by 2 itself)");
        assert_eq!(summary.examples, ["keep-alive after 1.5 s: status: 500"]);
        written["failed"] = json!("many");
        assert!(
            LoadSummary::read(written.to_string().as_bytes()).is_err(),
            "what makes no sense is no figure"
        );
    }
}
