//! `reinstate`: makes an earlier release current again, from its own folder.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{self, CheckHealthInput};
use super::claim;
use super::error::DeployError;
use super::halt::blocking;
use super::launch::{Launch, Surroundings};
use super::place::Place;
use super::promote::{Previous, PromoteOutput, back, settle, switch};
use super::stop::{self, GRACE};
use super::{port, supervise};
use crate::deployment::supervise::Supervisor;
use crate::deployment::{Current, Environment, Release, Seconds, Service, What};

/// What becomes current again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReinstateInput {
    /// Where.
    pub environment: Environment,
    /// Which release.
    pub release: String,
    /// Seconds that the version which is current gets to end.
    #[serde(default = "grace")]
    pub grace: Seconds,
    /// Whether the environment must be claimed by the task that orders it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
}

fn grace() -> Seconds {
    GRACE
}

/// Makes an earlier release current again: as it runs, or started from its folder and found healthy. The release that is
/// current is ended after that, and stays where it does not come to pass.
#[derive(Debug, Clone, Default)]
pub struct Reinstate {
    /// Who keeps it running; see [`StartService`](super::StartService).
    pub supervisor: Option<Supervisor>,
}

#[async_trait]
impl Operation for Reinstate {
    const NAME: &'static str = "reinstate";
    const EFFECT: Effect = Effect::Publishes;
    type Input = ReinstateInput;
    type Output = PromoteOutput;

    async fn call(
        &self,
        input: ReinstateInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<PromoteOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let ReinstateInput { environment, release, grace, claimed } = input;
        let Some(release) = place.release(&release)? else {
            return Err(DeployError::NoRelease { environment, release }.into());
        };
        let surroundings = Surroundings::new(&release.env, site)?;
        let (order, supervisor) = (order.clone(), self.supervisor.clone());
        site.progress.step(format!("bringing back {} in {environment}", release.version), None);
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            if claimed {
                claim::confirm(&place, &order)?;
            }
            let current = place.current()?;
            let (supervisor, surroundings) = (supervisor.as_ref(), &surroundings);
            let launch = Launch { place: &place, release: &release, surroundings, halt, supervisor };
            let current = match current {
                Some(current) if is(&place, &current, &release) => current,
                current => {
                    let service = running_or_started(&launch, current.as_ref())?;
                    let current = current.map(|current| Current { on_watch: false, ..current });
                    switch(&place, &service, current, What::Reinstated, &order.to_string())?
                }
            };
            Ok(settle(&place, &current, Previous::Ends(grace), halt))
        })
        .await
    }

    async fn undo(&self, input: &ReinstateInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        Ok(vec![back(&Place::new(site.state, &input.environment), &input.release)?])
    }

    async fn already(&self, _: &ReinstateInput, _: &OrderKey, _: &Site<'_>) -> Already<PromoteOutput> {
        // All of it bears being done again.
        Already::NotDone
    }
}

fn is(place: &Place, current: &Current, release: &Release) -> bool {
    current.service.release == release.name && supervise::running(place, &current.service).is_some()
}

fn running_or_started(launch: &Launch<'_>, current: Option<&Current>) -> Result<Service, DeployError> {
    let Launch { place, release, halt, .. } = *launch;
    let previous = current.and_then(|current| current.previous.as_ref());
    let known = previous.filter(|service| service.release == release.name);
    let running = known.and_then(|known| Some((known, supervise::running(place, known)?)));
    let service = match running {
        Some((known, process)) => Service { process, ..known.clone() },
        None => started(launch, known)?,
    };
    let (url, health, version) = (service.url.clone(), release.health.clone(), release.version.clone());
    let input = CheckHealthInput { url, health, version: Some(version), service: None };
    if let Err(error) = check::check(&input, None, halt) {
        let Service { release, process, tag, .. } = &service;
        supervise::end(place, release, Some(process), tag, GRACE.duration())?;
        return Err(error);
    }
    Ok(service)
}

/// Starts the release from its folder, on the port that it had where that is free.
fn started(launch: &Launch<'_>, known: Option<&Service>) -> Result<Service, DeployError> {
    stop::end_releases(launch.place, |name| name == launch.release.name, GRACE.duration())?;
    let port = known.map(|service| service.port).filter(|port| port::is_free(*port)).unwrap_or(0);
    launch.run(port, |_| Ok(()))
}
