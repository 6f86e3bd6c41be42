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

use super::claim;
use super::error::DeployError;
use super::halt::{Halt, blocking};
use super::place::Place;
use super::reinstate::{Reinstate, ReinstateInput};
use super::{containers, load, process, supervise, traffic};
use crate::deployment::{Current, Environment, Forgotten, Process, Seconds, Version, What};

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
    /// Whether the environment must be claimed by the task that orders it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
    /// Containers of which nobody can tell, since their engine does not answer: they count as ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forget: Vec<Forgotten>,
}

fn grace() -> Seconds {
    GRACE
}

impl StopInput {
    /// Ends those, with the default grace.
    pub fn new(environment: Option<Environment>, which: Which) -> Self {
        Self { environment, which, grace: GRACE, claimed: false, forget: Vec::new() }
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
    /// What could not be asked and counts as ended: it may run still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<Forgotten>,
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
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<StopOutput, BoxError> {
        let (state, order) = (site.state.to_owned(), order.clone());
        blocking(site, move |halt| stop(&state, &input, Some(&order), halt)).await
    }

    /// What is current and runs is started again from its release; a candidate is not: nobody has seen it.
    async fn undo(&self, input: &StopInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let places = Place::meant(site.state, input.environment.as_ref())?;
        let mut back = Vec::new();
        for place in places {
            let Some(Current { service, .. }) = place.current()? else { continue };
            let is_meant = match &input.which {
                Which::All => true,
                Which::Candidate { .. } => false,
                Which::Release { release } => service.release == *release,
                Which::Process { process } => service.process == *process,
            };
            // One of which nobody can tell may run.
            if is_meant && !matches!(supervise::running(&place, &service), Ok(None)) {
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
pub(super) fn stop(
    state: &Path,
    input: &StopInput,
    order: Option<&OrderKey>,
    halt: &Halt,
) -> Result<StopOutput, DeployError> {
    let places = Place::meant(state, input.environment.as_ref())?;
    let (mut stopped, mut forgotten, mut untold) = (Vec::new(), Vec::new(), None);
    for place in places {
        let _locked = place.lock(halt)?;
        if let Some(order) = order.filter(|_| input.claimed) {
            claim::confirm(&place, order)?;
        }
        if input.which == Which::All {
            load::end_any(&place)?;
            // First nobody is sent there any more.
            traffic::stop(&place, halt)?;
            forgotten.extend(containers::forget(&place, &input.forget, order)?);
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
        let ended = end_releases(&place, wanted, input.grace.duration());
        stopped.extend(ended.map_err(|error| pinned(error, input, &place))?);
        if input.which == Which::All {
            supervise::quit(&place, input.grace.duration())?;
            let told = containers::told(&place).map_err(|error| pinned(error, input, &place));
            untold = untold.or(told.err());
        }
    }
    // What could be ended is.
    untold.map_or(Ok(StopOutput { stopped, forgotten }), Err)
}

/// What cannot be ended since nobody can be asked keeps its place, and the error says how it loses that.
fn pinned(error: DeployError, input: &StopInput, place: &Place) -> DeployError {
    match error {
        DeployError::NoEngine { .. } if input.which == Which::All => {
            DeployError::Pinned { why: Box::new(error), environment: place.environment.clone() }
        }
        error => error,
    }
}

/// Ends every release of an environment that is `wanted`, recorded as running or not, and records that it does not
/// run. The lock is held.
pub(super) fn end_releases(
    place: &Place,
    wanted: impl Fn(&str) -> bool,
    grace: Duration,
) -> Result<Vec<Stopped>, DeployError> {
    let stopped = end_quietly(place, wanted, grace)?;
    for Stopped { version, release, .. } in &stopped {
        place.note(What::Stopped, version, release, None);
    }
    Ok(stopped)
}

/// The same without a line in the history.
pub(super) fn end_quietly(
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
    let contained = containers::there(place)?;
    // None where it cannot be read: the supervisor is asked then.
    let kept = place.roster().map(Option::unwrap_or_default).ok();
    let mut stopped = Vec::new();
    for (release, (version, tag, process)) in &all {
        let runs = live.contains_key(tag) || process.as_ref().is_some_and(process::is_alive);
        // One that is recorded is ended, or that it cannot be is an error: nobody forgets a container that may run.
        let is_recorded = || process.as_ref().is_some_and(Process::is_contained);
        let runs = runs || contained.contains(release) || is_recorded();
        let is_kept = kept.as_ref().is_none_or(|kept| kept.services.contains_key(release));
        if (runs || is_kept) && supervise::end(place, release, process.as_ref(), tag, grace)? {
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
