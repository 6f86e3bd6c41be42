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
use crate::deployment::analysis::{Answered, Decision, Observed, Sample, WatchConfig, Watcher};
use crate::deployment::{Health, Method, Seconds, SmokeTest, Version};
use crate::ops::http::{Ask, ask};

use looks::looks;

mod counts;
mod life;
mod looks;
mod recording;

pub(super) use life::clock;
pub(super) use looks::{Heard, pause, until_news};
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
    /// Smoke tests to probe with, one with each look in turn; those that cannot be sent alone are passed over.
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
    /// How many looks it is at most, a second from each other: they end as soon as there is anything to decide or to hear.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub looks: u32,
    /// Who judges whether there is; without it one look is all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub watcher: Option<Box<Watcher>>,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_one(looks: &u32) -> bool {
    *looks == 1
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

/// Looks at a watched version, once or some times. What cannot be seen is part of what it gives; it fails only where it is stopped.
#[derive(Debug, Clone, Copy, Default)]
pub struct Observe;

#[async_trait]
impl Operation for Observe {
    const NAME: &'static str = "observe";
    const EFFECT: Effect = Effect::Reads;
    type Input = ObserveInput;
    type Output = Observed;

    async fn call(
        &self,
        input: ObserveInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Observed, BoxError> {
        let place = Place::new(site.state, &input.new.environment);
        let probes = probes_of(&input, site);
        let heard = Heard::now(&place, order, site);
        site.progress.step(said(&input), None);
        looking(site, move |halt| looks(&place, input, &probes, &heard, halt)).await
    }

    /// A look that broke off is taken again.
    async fn already(&self, _: &ObserveInput, _: &OrderKey, _: &Site<'_>) -> Already<Observed> {
        Already::NotDone
    }
}

/// How it stands, in a line: what the look before decided.
fn said(input: &ObserveInput) -> String {
    let name = input.version.as_ref().map_or(input.new.release.as_str(), |version| version.as_str());
    match &input.decided {
        Some(decided) => format!("watching {name}: {}", decided.line()),
        None => format!("watching {name}"),
    }
}

/// A smoke test whose turn it is, with what it needs, or why that could not be had.
type Probe = (SmokeTest, Result<smoke::Ready, String>);

/// The probes of the looks that are to come, in turn; none where there are none.
fn probes_of(input: &ObserveInput, site: &Site<'_>) -> Vec<Probe> {
    let alone: Vec<&SmokeTest> =
        input.probes.iter().filter(|test| test.depends(&input.probes).is_none()).collect();
    let turns = (u64::from(input.looks)).min(alone.len() as u64);
    let turn = |look: u64| {
        let mut test = alone[(look % alone.len() as u64) as usize].clone();
        if test.timeout > input.patience {
            test.timeout = input.patience;
        }
        // One look is one answer.
        (test.repeat, test.retries) = (1, 0);
        let ready = smoke::ready(&test, site).map_err(|error| format!("`{}`: {error}", test.name));
        (test, ready)
    };
    (0..turns).map(|turn_of| turn(input.look + turn_of)).collect()
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
    let process = life::life(place, &input.new, input.patience.duration());
    halt.check()?;
    // At once: a version that hangs takes both as long as they may, and each look would take as long as the two together.
    let (health, answered) = std::thread::scope(|scope| {
        let health = scope.spawn(|| health(input));
        let answered = match probe {
            Some((test, Ok(ready))) => probed(&input.url, test, ready, halt).map(Some),
            _ => Ok(None),
        };
        (health.join(), answered)
    });
    let health = health.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    // What is wrong there is no fault of the version.
    let unsent = probe.and_then(|(_, ready)| ready.as_ref().err().cloned());
    Ok(Sample { clock, traffic, health: Some(health), probe: answered?, unsent, process, unrecorded: None })
}

fn probed(url: &str, test: &SmokeTest, ready: &smoke::Ready, halt: &Halt) -> Result<Answered, DeployError> {
    let result = smoke::alone(url, test, ready, halt)?;
    let wrong = (!result.problems.is_empty()).then(|| result.problems.join("; "));
    Ok(Answered { what: result.name, wrong, latency_ms: result.latency_ms })
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
