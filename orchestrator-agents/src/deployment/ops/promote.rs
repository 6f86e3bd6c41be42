//! `promote`: makes the candidate current, then ends the version before it.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::DeployError;
use super::halt::blocking;
use super::launch::secrets_of;
use super::place::Place;
use super::reinstate::{Reinstate, ReinstateInput};
use super::stop::{GRACE, StopInput, StopService, Which};
use super::{process, supervise};
use crate::deployment::{Current, Environment, Process, Seconds, Service, Version, What};

/// What becomes current.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteInput {
    /// Where.
    pub environment: Environment,
    /// The candidate's release.
    pub release: String,
    /// Seconds that the version before gets to end.
    #[serde(default = "grace")]
    pub grace: Seconds,
}

fn grace() -> Seconds {
    GRACE
}

/// What is current now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromoteOutput {
    /// Where.
    pub environment: Environment,
    /// Which version.
    pub version: Version,
    /// Its release.
    pub release: String,
    /// Its process.
    pub process: Process,
    /// Its port.
    pub port: u16,
    /// Where it answers.
    pub url: String,
    /// The version before, kept for a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    /// What could not be done after the switch, such as ending the version before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Makes the candidate current, then ends the version before it. Twice is as good as once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Promote;

#[async_trait]
impl Operation for Promote {
    const NAME: &'static str = "promote";
    const EFFECT: Effect = Effect::Publishes;
    type Input = PromoteInput;
    type Output = PromoteOutput;

    async fn call(
        &self,
        input: PromoteInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<PromoteOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let order = order.to_string();
        let secrets = secrets_of(&place, &input.release, site);
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            let current = current_or_candidate(&place, &input.release, &order, &secrets)?;
            Ok(settle(&place, &current, input.grace))
        })
        .await
    }

    async fn undo(&self, input: &PromoteInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let place = Place::new(site.state, &input.environment);
        Ok(vec![back(&place, &input.release)?])
    }

    async fn already(
        &self,
        input: &PromoteInput,
        _order: &OrderKey,
        site: &Site<'_>,
    ) -> Already<PromoteOutput> {
        match Place::new(site.state, &input.environment).current() {
            // What follows the switch may not have been done, so it is done again: all of it bears that.
            Ok(_) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

/// The action that makes current what is current now; where nothing is, the one that ends `release`.
pub(super) fn back(place: &Place, release: &str) -> Result<Action, BoxError> {
    let environment = place.environment.clone();
    let before = match place.current()? {
        Some(current) if current.service.release == release => {
            current.previous.map(|service| service.release)
        }
        current => current.map(|current| current.service.release),
    };
    if let Some(release) = before {
        Reinstate::action(&ReinstateInput { environment, release, grace: GRACE })
    } else {
        let which = Which::Release { release: release.to_owned() };
        StopService::action(&StopInput::new(Some(environment), which))
    }
}

/// The switch, unless it was made already.
fn current_or_candidate(
    place: &Place,
    release: &str,
    order: &str,
    secrets: &[String],
) -> Result<Current, DeployError> {
    let current = place.current()?;
    if let Some(current) = current.as_ref().filter(|current| current.service.release == release) {
        runs(place, &current.service, secrets)?;
        return Ok(current.clone());
    }
    let candidate = place.candidate()?;
    let Some(service) = candidate.as_ref().filter(|candidate| candidate.release == release) else {
        let found = candidate.map_or_else(|| "none".into(), |found| format!("`{}`", found.release));
        let (environment, release) = (place.environment.clone(), release.to_owned());
        return Err(DeployError::NoCandidate { environment, release, found });
    };
    let service = runs(place, service, secrets)?;
    switch(place, &service, current, What::Promoted, order)
}

/// The service as it runs: its supervisor may have started it again.
fn runs(place: &Place, service: &Service, secrets: &[String]) -> Result<Service, DeployError> {
    if let Some(process) = supervise::running(place, service) {
        return Ok(Service { process, ..service.clone() });
    }
    let Service { environment, release, .. } = service.clone();
    let tail = process::tail(&place.log(&release), secrets);
    Err(DeployError::Gone { environment, release, tail })
}

/// Makes a running service current: from the rename in here on it is.
pub(super) fn switch(
    place: &Place,
    service: &Service,
    before: Option<Current>,
    what: What,
    order: &str,
) -> Result<Current, DeployError> {
    // A release that is started again keeps the one that was before it.
    let previous = before.and_then(|before| {
        if before.service.release == service.release { before.previous } else { Some(before.service) }
    });
    let current = Current { service: service.clone(), previous };
    place.tell(what, &service.version, &service.release, Some(order))?;
    place.set_current(Some(&current))?;
    Ok(current)
}

/// All that follows the switch; may be repeated. What of it does not succeed is told and fails nothing: the release is
/// current already, and a failure would say that it is not.
pub(super) fn settle(place: &Place, current: &Current, grace: Seconds) -> PromoteOutput {
    let Current { service, previous } = current;
    let mut problems = Vec::new();
    let mut tried = |done: Result<(), DeployError>, what: &str| {
        problems.extend(done.err().map(|error| format!("{what}: {error}")));
    };
    tried(place.set_url(Some(&service.url)), "where it answers could not be written");
    tried(forget_candidate(place, &service.release), "it is still recorded as candidate");
    if let Some(previous) = previous.as_ref().filter(|previous| previous.release != service.release) {
        let Service { release, process, tag, .. } = previous;
        let ended = supervise::end(place, release, Some(process), tag, grace.duration());
        tried(ended.map(drop), &format!("{} could not be ended", previous.version));
    }
    let Service { environment, version, release, process, port, url, .. } = service.clone();
    let previous = previous.as_ref().map(|previous| previous.version.clone());
    PromoteOutput { environment, version, release, process, port, url, previous, problems }
}

fn forget_candidate(place: &Place, release: &str) -> Result<(), DeployError> {
    match place.candidate()? {
        Some(candidate) if candidate.release == release => place.set_candidate(None),
        _ => Ok(()),
    }
}
