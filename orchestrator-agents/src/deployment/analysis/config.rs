//! How a version is watched: what people may configure, with what is sensible by default.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::share::Share;
use crate::deployment::Seconds;

/// How a version is watched after it got its first traffic, and what sends it back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WatchConfig {
    /// Seconds that it must do well with all of the traffic before it is promoted.
    pub seconds: Seconds,
    /// Percentages of the traffic that it gets before it gets all, each more than the one before; none by default.
    #[serde(deserialize_with = "ascending")]
    #[schemars(inner(range(min = 1, max = 99)), length(max = 20))]
    pub canary: Vec<u32>,
    /// Seconds that each of those steps takes at least.
    pub step_seconds: Seconds,
    /// Requests that it must have answered before it is promoted; a step needs as many in proportion, five at least.
    pub min_requests: u64,
    /// The share of its requests that may fail: a version under it is healthy.
    pub objective: Share,
    /// The probability at most that a healthy version is sent back by statistics, over the whole watch and all of its looks.
    pub alpha: Share,
    /// Seconds in which only the hard guards count: a cold start is slow and says little.
    pub warm_up: u32,
    /// When it is too slow beside the version before; null for never.
    pub slower: Option<Slower>,
    /// What sends it back whatever the statistics say.
    pub guards: Guards,
    /// Seconds that it is watched at most for want of traffic; three times `seconds` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_hold: Option<Seconds>,
    /// What happens then.
    pub on_inconclusive: OnInconclusive,
    /// Whether it is only told what would be done: time alone moves traffic on.
    pub shadow: bool,
    /// Whether smoke tests that only read are sent to it during the watch, one with each look. They never count as traffic.
    pub probe: bool,
}

impl Default for WatchConfig {
    fn default() -> Self {
        Self {
            seconds: Seconds::known(600),
            canary: Vec::new(),
            step_seconds: Seconds::known(60),
            min_requests: 100,
            objective: Share::known(0.01),
            alpha: Share::known(0.001),
            warm_up: 5,
            slower: Some(Slower::default()),
            guards: Guards::default(),
            max_hold: None,
            on_inconclusive: OnInconclusive::Hold,
            shadow: false,
            probe: true,
        }
    }
}

/// The most steps of a canary.
const MOST_STEPS: usize = 20;

/// Steps of a canary: each more than the one before, and none of them nobody or everybody.
fn ascending<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<u32>, D::Error> {
    let steps = Vec::<u32>::deserialize(from)?;
    let wrong = |why: String| Err(serde::de::Error::custom(format!("`canary` {why}")));
    if steps.len() > MOST_STEPS {
        return wrong(format!("has {} steps; at most {MOST_STEPS} are taken", steps.len()));
    }
    if let Some(step) = steps.iter().find(|step| !(1..=99).contains(*step)) {
        return wrong(format!("has a step of {step} %: each is from 1 to 99, and 100 comes by itself"));
    }
    if let Some((from, to)) = steps.iter().zip(steps.iter().skip(1)).find(|(from, to)| from >= to) {
        return wrong(format!("goes from {from} % to {to} %: each step is more than the one before"));
    }
    Ok(steps)
}

/// When a version is too slow: a slow request is one that takes longer than 95 % of the requests to the version before did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Slower {
    /// The share of its requests that may be slow. Of the version before it is 0.05.
    pub share: Share,
    /// A request is slow over that many times the 95th percentile of the version before.
    #[schemars(range(min = 1.0, max = 100.0))]
    pub factor: f64,
    /// A request that takes no more milliseconds is never slow.
    pub least_ms: u32,
}

impl Default for Slower {
    fn default() -> Self {
        Self { share: Share::known(0.1), factor: 1.2, least_ms: 10 }
    }
}

/// What sends a version back whatever the statistics say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Guards {
    /// Health checks, or probes, that fail one after the other.
    #[schemars(range(min = 1))]
    pub health_failures: u32,
    /// Restarts during the watch. A crash loop sends it back at once.
    #[schemars(range(min = 1))]
    pub crashes: u32,
    /// Looks one after the other with ten requests or more, all of which failed.
    #[schemars(range(min = 2))]
    pub outage: u32,
    /// Too many errors for too long; null for never.
    pub error_rate: Option<RateGuard>,
    /// Too slow for too long; null for never.
    pub p95_ms: Option<LatencyGuard>,
    /// Requests that a guard over time must have seen in its time.
    pub min_requests: u64,
    /// MiB of resident memory that it may use; a leak is only told by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_mb: Option<u64>,
    /// MiB an hour by which its memory may keep growing: more than that is shown at a level of one in ten thousand, by a minute of looks or
    /// more after the warm-up. None by default: a leak is only told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub leak_mb_per_hour: Option<u64>,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            health_failures: 3,
            crashes: 3,
            outage: 2,
            error_rate: Some(RateGuard::default()),
            p95_ms: Some(LatencyGuard::default()),
            min_requests: 100,
            rss_mb: None,
            leak_mb_per_hour: None,
        }
    }
}

/// A share of failed requests that must not last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateGuard {
    /// The share.
    pub over: Share,
    /// Seconds.
    #[serde(rename = "for")]
    pub during: Seconds,
}

impl Default for RateGuard {
    fn default() -> Self {
        Self { over: Share::known(0.01), during: Seconds::known(300) }
    }
}

/// A 95th percentile of the times until answers begin that must not last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LatencyGuard {
    /// Milliseconds.
    #[schemars(range(min = 1))]
    pub over: u32,
    /// Seconds.
    #[serde(rename = "for")]
    pub during: Seconds,
}

impl Default for LatencyGuard {
    fn default() -> Self {
        Self { over: 500, during: Seconds::known(300) }
    }
}

/// What happens when there was too little traffic to tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnInconclusive {
    /// A person is waited for; both versions stay, and the watch goes on.
    #[default]
    Hold,
    /// The version goes back and the deployment fails.
    Fail,
}
