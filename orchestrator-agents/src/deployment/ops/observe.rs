//! `observe`: one look at a watched version: what the proxy counted, what its health endpoint says, how its process is.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::Watched;
use super::error::DeployError;
use super::halt::{Halt, looking};
use super::place::Place;
use super::smoke;
use crate::deployment::analysis::{Answered, Decision, Sample, WatchConfig, Watcher};
use crate::deployment::{Health, Method, Seconds, SmokeTest, Version};
use crate::ops::http::{Ask, ask};

mod counts;
mod life;
mod recording;

pub use recording::{RecordDecision, RecordDecisionInput};

/// At what to look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObserveInput {
    /// The watched version.
    pub new: Watched,
    /// Where it answers itself, past any proxy, without a path.
    pub url: String,
    /// The version that its health endpoint must name, where `health.version` says how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The release of the version before; none where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// The proxy's route that both are backends of; none where no proxy stands before them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// When it counts as healthy.
    #[serde(default)]
    pub health: Health,
    /// Smoke tests to probe with, one with each look in turn; those that do more than read are passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<SmokeTest>,
    /// Seconds that each answer may take at most.
    #[serde(default = "two_seconds")]
    pub patience: Seconds,
    /// Which look it is, from 0.
    pub look: u64,
    /// What is watched for: with look 0, for the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<WatchConfig>,
    /// What the look before decided, for the recording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Decision>,
}

fn two_seconds() -> Seconds {
    Seconds::known(2)
}

impl ObserveInput {
    /// The next look, after that decision.
    #[must_use]
    pub fn after(mut self, watcher: &Watcher, decided: Decision) -> Self {
        self.look = watcher.looks();
        self.config = None;
        self.decided = Some(decided);
        self
    }
}

/// Looks once at a watched version. What cannot be seen is part of what it gives; it fails only where it is stopped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observe;

#[async_trait]
impl Operation for Observe {
    const NAME: &'static str = "observe";
    const EFFECT: Effect = Effect::Reads;
    type Input = ObserveInput;
    type Output = Sample;

    async fn call(
        &self,
        input: ObserveInput,
        _order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Sample, BoxError> {
        let place = Place::new(site.state, &input.new.environment);
        let probe = probe_of(&input, site)?;
        site.progress.step(format!("watching {}", input.new.release), None);
        looking(site, move |halt| {
            let mut sample = look(&place, &input, probe.as_ref(), halt)?;
            // A recording is for people: where it cannot be written, the watch goes on and says so.
            sample.unrecorded = recording::keep(&place, &input, &sample).err().map(|error| error.to_string());
            Ok(sample)
        })
        .await
    }

    /// A look that broke off is taken again.
    async fn already(&self, _: &ObserveInput, _: &OrderKey, _: &Site<'_>) -> Already<Sample> {
        Already::NotDone
    }
}

/// A smoke test whose turn it is, with what it needs.
type Probe = (SmokeTest, smoke::Ready);

fn probe_of(input: &ObserveInput, site: &Site<'_>) -> Result<Option<Probe>, BoxError> {
    let harmless: Vec<&SmokeTest> =
        input.probes.iter().filter(|test| test.effect() == Effect::Reads).collect();
    if harmless.is_empty() {
        return Ok(None);
    }
    let mut test = harmless[(input.look % harmless.len() as u64) as usize].clone();
    if test.timeout > input.patience {
        test.timeout = input.patience;
    }
    // One look is one answer.
    (test.repeat, test.retries) = (1, 0);
    let ready = smoke::ready(&test, site)?;
    Ok(Some((test, ready)))
}

fn look(
    place: &Place,
    input: &ObserveInput,
    probe: Option<&Probe>,
    halt: &Halt,
) -> Result<Sample, DeployError> {
    halt.check()?;
    let clock = life::clock();
    let traffic = counts::traffic(place, input);
    let process = life::life(place, &input.new);
    halt.check()?;
    let health = Some(health(input));
    halt.check()?;
    let probe = probe.map(|(test, ready)| smoke::alone(&input.url, test, ready, halt)).transpose()?;
    let probe = probe.map(|result| Answered {
        what: result.name,
        wrong: (!result.problems.is_empty()).then(|| result.problems.join("; ")),
        latency_ms: result.latency_ms,
    });
    Ok(Sample { clock, traffic, health, probe, process, unrecorded: None })
}

fn health(input: &ObserveInput) -> Answered {
    let ObserveInput { url, health, version, patience, .. } = input;
    let what = health.path.to_string();
    let timeout = health.request_timeout.duration().min(patience.duration());
    let url = format!("{url}{what}");
    match ask(&Ask { method: Method::Get, url: &url, headers: &[], body: None, timeout, redirects: 0 }) {
        Ok(answer) => {
            let problems = health.problems(&answer, version.as_ref());
            let wrong = (!problems.is_empty()).then(|| problems.join("; "));
            Answered { what, wrong, latency_ms: Some(answer.latency_ms) }
        }
        Err(error) => Answered { what, wrong: Some(error), latency_ms: None },
    }
}
