//! `stop-service`: ends deployed services whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::DeployError;
use super::halt::{Halt, blocking};
use super::place::Place;
use super::reinstate::{Reinstate, ReinstateInput};
use super::{process, supervise, traffic};
use crate::deployment::{Current, Environment, Process, Seconds, Version, What};

/// How long a service gets to end before it is killed.
pub(super) const GRACE: Seconds = Seconds::known(10);

/// What to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StopInput {
    /// Where; everywhere by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Which of its services; all by default.
    #[serde(default)]
    pub which: Which,
    /// Seconds that each gets to end before it is killed.
    #[serde(default = "grace")]
    pub grace: Seconds,
}

fn grace() -> Seconds {
    GRACE
}

impl StopInput {
    /// Ends those, with the default grace.
    pub fn new(environment: Option<Environment>, which: Which) -> Self {
        Self { environment, which, grace: GRACE }
    }
}

/// Which services of an environment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// All of them.
    #[default]
    All,
    /// The candidate, if it has this version. Never what is current.
    Candidate {
        /// Its version.
        version: Version,
    },
    /// One release, candidate or current.
    Release {
        /// Its name.
        release: String,
    },
    /// The service with this very process.
    Process {
        /// Which one.
        process: Process,
    },
}

/// What was ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StopOutput {
    /// The services that ran.
    pub stopped: Vec<Stopped>,
}

/// A service that was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stopped {
    /// Where.
    pub environment: Environment,
    /// Which version.
    pub version: Version,
    /// Its release.
    pub release: String,
}

/// Ends deployed services whole: each with all processes that it started.
#[derive(Debug, Clone, Copy, Default)]
pub struct StopService;

#[async_trait]
impl Operation for StopService {
    const NAME: &'static str = "stop-service";
    const EFFECT: Effect = Effect::Publishes;
    type Input = StopInput;
    type Output = StopOutput;

    async fn call(
        &self,
        input: StopInput,
        _order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<StopOutput, BoxError> {
        let state = site.state.to_owned();
        blocking(site, move |halt| stop(&state, &input, halt)).await
    }

    /// What is current and runs is started again from its release; a candidate is not: nobody has seen it.
    async fn undo(&self, input: &StopInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let places = match &input.environment {
            Some(environment) => vec![Place::new(site.state, environment)],
            None => Place::all(site.state)?,
        };
        let mut back = Vec::new();
        for place in places {
            let Some(Current { service, .. }) = place.current()? else { continue };
            let is_meant = match &input.which {
                Which::All => true,
                Which::Candidate { .. } => false,
                Which::Release { release } => service.release == *release,
                Which::Process { process } => service.process == *process,
            };
            if is_meant && supervise::running(&place, &service).is_some() {
                let (environment, release) = (place.environment.clone(), service.release);
                back.push(Reinstate::action(&ReinstateInput {
                    environment,
                    release,
                    grace: GRACE,
                    claimed: false,
                })?);
            }
        }
        Ok(back)
    }

    fn advice(&self, _: &StopInput) -> Option<String> {
        Some("deploy it again".to_owned())
    }

    async fn already(&self, _: &StopInput, _: &OrderKey, _: &Site<'_>) -> Already<StopOutput> {
        // What is ended is not ended twice.
        Already::NotDone
    }
}

/// Ends what `input` names.
pub(super) fn stop(state: &Path, input: &StopInput, halt: &Halt) -> Result<StopOutput, DeployError> {
    let places = match &input.environment {
        Some(environment) => vec![Place::new(state, environment)],
        None => Place::all(state)?,
    };
    let mut stopped = Vec::new();
    for place in places {
        let _locked = place.lock(halt)?;
        if input.which == Which::All {
            // First nobody is sent there any more.
            traffic::stop(&place, halt)?;
        }
        let candidate = place.candidate()?;
        let current = place.current()?.map(|current| current.service);
        let is_current = |name: &str| current.as_ref().is_some_and(|current| current.release == name);
        let known = || candidate.iter().chain(&current);
        let wanted = |name: &str| match &input.which {
            Which::All => true,
            Which::Candidate { version } => {
                !is_current(name)
                    && candidate.as_ref().is_some_and(|c| c.release == name && c.version == *version)
            }
            Which::Release { release } => name == release,
            Which::Process { process } => {
                known().any(|known| known.release == name && known.process == *process)
            }
        };
        stopped.extend(end_releases(&place, wanted, input.grace.duration())?);
        if input.which == Which::All {
            supervise::quit(&place, input.grace.duration())?;
        }
    }
    Ok(StopOutput { stopped })
}

/// Ends every release of an environment that is `wanted`, recorded as running or not, and records that it does not
/// run. The lock is held.
pub(super) fn end_releases(
    place: &Place,
    wanted: impl Fn(&str) -> bool,
    grace: Duration,
) -> Result<Vec<Stopped>, DeployError> {
    let candidate = place.candidate()?.filter(|service| wanted(&service.release));
    let current = place.current()?.map(|current| current.service).filter(|service| wanted(&service.release));
    // By release: its version, its tag, its process where one is recorded.
    let mut all: BTreeMap<String, (Version, String, Option<Process>)> = BTreeMap::new();
    for release in place.releases()?.into_iter().filter(|release| wanted(&release.name)) {
        let tag = release.tag();
        all.insert(release.name, (release.version, tag, None));
    }
    for service in candidate.iter().chain(&current).cloned() {
        all.insert(service.release, (service.version, service.tag, Some(service.process)));
    }
    let live = process::tagged(all.values().map(|(_, tag, _)| tag.as_str()));
    // None where it cannot be read: the supervisor is asked then.
    let kept = place.roster().map(Option::unwrap_or_default).ok();
    let mut stopped = Vec::new();
    for (release, (version, tag, process)) in &all {
        let runs = live.contains_key(tag) || process.as_ref().is_some_and(process::is_alive);
        let is_kept = kept.as_ref().is_none_or(|kept| kept.services.contains_key(release));
        if (runs || is_kept) && supervise::end(place, release, process.as_ref(), tag, grace)? {
            place.tell(What::Stopped, version, release, None)?;
            let (version, release) = (version.clone(), release.clone());
            stopped.push(Stopped { environment: place.environment.clone(), version, release });
        }
    }
    if candidate.is_some() {
        place.set_candidate(None)?;
    }
    if current.is_some() {
        place.set_current(None)?;
        place.set_url(None)?;
    }
    Ok(stopped)
}
