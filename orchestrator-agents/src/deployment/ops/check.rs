//! `check-health`: asks until a service is healthy or its time is up.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::DeployError;
use super::halt::{Halt, looking};
use super::launch::Given;
use super::place::Place;
use super::{containers, process, supervise};
use crate::deployment::{Environment, Health, Method, Process, Seconds, Service, Version};
use crate::ops::http::{Ask, ask};

/// What to ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckHealthInput {
    /// Where the service answers, without a path.
    pub url: String,
    /// When it counts as healthy.
    #[serde(default)]
    pub health: Health,
    /// The version that it must name, where `health.version` says how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// The service itself: when it exits there is nothing to wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Watched>,
}

/// A deployed service whose end is noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Watched {
    /// Where.
    pub environment: Environment,
    /// Which release.
    pub release: String,
    /// Its process; none where it is not one of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckHealthOutput {
    /// What was asked.
    pub url: String,
    /// Milliseconds of the answer that was healthy.
    pub latency_ms: f64,
    /// How often it was asked.
    pub probes: u32,
    /// Milliseconds until it was healthy.
    pub took_ms: f64,
}

/// Asks until a service is healthy.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckHealth;

#[async_trait]
impl Operation for CheckHealth {
    const NAME: &'static str = "check-health";
    const EFFECT: Effect = Effect::Reads;
    type Input = CheckHealthInput;
    type Output = CheckHealthOutput;

    async fn call(
        &self,
        input: CheckHealthInput,
        _order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<CheckHealthOutput, BoxError> {
        site.progress.step(format!("asking {}{}", input.url, input.health.path), None);
        let watch = input.service.as_ref().map(|watched| Watch::new(watched, site));
        looking(site, move |halt| check(&input, watch.as_ref(), halt)).await
    }

    async fn already(
        &self,
        _input: &CheckHealthInput,
        _order: &OrderKey,
        _site: &Site<'_>,
    ) -> Already<CheckHealthOutput> {
        Already::NotDone
    }
}

/// The pause after the first probe; doubles from then on.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

pub(super) fn check(
    input: &CheckHealthInput,
    watch: Option<&Watch>,
    halt: &Halt,
) -> Result<CheckHealthOutput, DeployError> {
    let CheckHealthInput { url, health, version, service: _ } = input;
    let url = format!("{url}{}", health.path);
    let begun = Instant::now();
    let limit = health.timeout.duration();
    let (mut probes, mut pause) = (0, FIRST_PAUSE);
    let mut told = None;
    loop {
        halt.check()?;
        probes += 1;
        let left = limit.saturating_sub(begun.elapsed()).max(Duration::from_millis(1));
        let (asked, cut) = (Instant::now(), left < health.request_timeout.duration());
        let answer = probe(&url, health, version.as_ref(), left);
        // A probe that had less than its time and no answer in it says less than those before.
        let answer = answer.map_err(|why| match told.take() {
            Some(before) if cut && asked.elapsed() >= left => before,
            _ => why,
        });
        // Of one that answers, too: it may have ended and be back. An engine that cannot be asked now may say so in a moment.
        let stands = match watch.map_or(Ok(()), Watch::check) {
            Err(error @ (DeployError::NoEngine { .. } | DeployError::Engine { .. })) => {
                Err(error.to_string())
            }
            stands => Ok(stands?),
        };
        let last = match (answer, stands) {
            (Ok(latency_ms), Ok(())) => {
                let took_ms = begun.elapsed().as_secs_f64() * 1e3;
                return Ok(CheckHealthOutput { url, latency_ms, probes, took_ms });
            }
            (Err(problems), _) | (Ok(_), Err(problems)) => problems,
        };
        if begun.elapsed() + pause >= limit {
            return Err(DeployError::Unhealthy { url, seconds: health.timeout.to_string(), probes, last });
        }
        told = Some(last);
        halt.pause(pause)?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Asks once, within that time at most; milliseconds until a healthy answer, or what is wrong with it.
fn probe(url: &str, health: &Health, version: Option<&Version>, left: Duration) -> Result<f64, String> {
    let timeout = health.request_timeout.duration().min(left);
    let answer = ask(&Ask { method: Method::Get, url, headers: &[], body: None, timeout, redirects: 0 })?;
    match health.problems(&answer, version).join("; ") {
        problems if problems.is_empty() => Ok(answer.latency_ms),
        problems => Err(problems),
    }
}

/// How long a service may take to show by its answers that it runs, where nobody else can tell.
const SHOWS: Seconds = Seconds::known(5);

/// Whether a service answers its health check: one whose container's engine cannot be asked runs then.
pub(super) fn answers(place: &Place, service: &Service) -> bool {
    let health = place.release(&service.release).ok().flatten().map(|release| release.health);
    let mut health = health.unwrap_or_default();
    if health.timeout > SHOWS {
        health.timeout = SHOWS;
    }
    let (url, version) = (service.url.clone(), Some(service.version.clone()));
    check(&CheckHealthInput { url, health, version, service: None }, None, &Halt::default()).is_ok()
}

/// Whether somebody is behind the port of a service: what it answers does not matter. That the port is open shows nothing where an engine
/// holds and forwards it; a connection that nobody takes inside is closed at once.
pub(super) fn speaks(url: &str, health: &Health) -> bool {
    let url = format!("{url}{}", health.path);
    let (begun, timeout) = (Instant::now(), health.request_timeout.duration());
    let asked = ask(&Ask { method: Method::Get, url: &url, headers: &[], body: None, timeout, redirects: 0 });
    asked.is_ok() || begun.elapsed() >= timeout
}

/// A deployed service with what is needed to tell its end.
pub(super) struct Watch {
    watched: Watched,
    place: Place,
    log: PathBuf,
    given: Given,
}

impl Watch {
    pub(super) fn new(watched: &Watched, site: &Site<'_>) -> Self {
        let place = Place::new(site.state, &watched.environment);
        let given = Given::to(&place, &watched.release, site);
        Self { watched: watched.clone(), log: place.log(&watched.release), place, given }
    }

    /// An error with the end of its log where the service is not running any more.
    pub(super) fn check(&self) -> Result<(), DeployError> {
        let Watched { environment, release, process } = self.watched.clone();
        if process.is_none_or(|process| process::is_alive(&process)) {
            return Ok(());
        }
        // One that is started again is the same candidate: whether it is healthy is what the answers say.
        let stands = match containers::never_failed(&self.place, &release) {
            Some(failed) => failed?.map_or(Ok(()), |how| Err(Some(how))),
            None => supervise::comes_back(&self.place, &release),
        };
        let Err(stands) = stands else { return Ok(()) };
        containers::bring_log(&self.place, &release);
        let tail = self.given.tail(&self.log);
        let tail = stands.map(|stands| format!("{tail}\n({stands})")).unwrap_or(tail);
        Err(DeployError::Gone { environment, release, tail })
    }
}
