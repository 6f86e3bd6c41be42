//! `promote`: makes the candidate current, then ends the version before it.

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
use super::halt::blocking;
use super::launch::Given;
use super::place::Place;
use super::reinstate::{Reinstate, ReinstateInput};
use super::stop::{GRACE, StopInput, StopService, Which};
use super::traffic::{self, Switched};
use super::{containers, supervise};
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
    /// Whether the version before goes on running: it is watched over yet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_previous: bool,
    /// Whether the environment must be claimed by the task that orders it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
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
    /// What its proxy did, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Switched>,
    /// Of a release that came back: milliseconds until it ran and was healthy, before its traffic was switched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_ms: Option<f64>,
}

/// Gives the candidate all traffic and makes it current, then ends the version before it. Twice is as good as once. Where its traffic
/// cannot be switched it does not become current: nothing counts that clients do not get.
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
        let order = order.clone();
        let given = Given::to(&place, &input.release, site);
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            if input.claimed {
                claim::confirm(&place, &order)?;
            }
            let service = current_or_candidate(&place, &input.release, &given)?;
            supervise::keep(&place, &service.release)?;
            let traffic = traffic::only(&place, &service, halt)?;
            let current = counts(&place, &service, input.keep_previous, &order.to_string())?;
            let previous = if input.keep_previous { Previous::Stays } else { Previous::Ends(input.grace) };
            Ok(settle(&place, &current, previous, traffic))
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
        Reinstate::action(&ReinstateInput { environment, release, grace: GRACE, claimed: false })
    } else {
        let which = Which::Release { release: release.to_owned() };
        StopService::action(&StopInput::new(Some(environment), which))
    }
}

/// What is to be current, as it runs.
fn current_or_candidate(place: &Place, release: &str, given: &Given) -> Result<Service, DeployError> {
    let current = place.current()?.map(|current| current.service);
    if let Some(service) = current.filter(|service| service.release == release) {
        return runs(place, &service, given).map(|_| service);
    }
    let candidate = place.candidate()?;
    let Some(service) = candidate.as_ref().filter(|candidate| candidate.release == release) else {
        let found = candidate.map_or_else(|| "none".into(), |found| format!("`{}`", found.release));
        let (environment, release) = (place.environment.clone(), release.to_owned());
        return Err(DeployError::NoCandidate { environment, release, found });
    };
    runs(place, service, given)
}

/// The switch, unless it was made already.
fn counts(place: &Place, service: &Service, on_watch: bool, order: &str) -> Result<Current, DeployError> {
    let current = place.current()?;
    if let Some(current) = current.as_ref().filter(|current| current.service.release == service.release) {
        let now = Current { on_watch, ..current.clone() };
        if now != *current {
            place.set_current(Some(&now))?;
        }
        return Ok(now);
    }
    let before = current.map(|before| Current { on_watch, ..before });
    switch(place, service, before, What::Promoted, order)
}

/// The service as it runs: its supervisor may have started it again.
fn runs(place: &Place, service: &Service, given: &Given) -> Result<Service, DeployError> {
    if let Some(process) = supervise::running(place, service)? {
        return Ok(Service { process, ..service.clone() });
    }
    let Service { environment, release, .. } = service.clone();
    containers::bring_log(place, &release);
    let tail = given.tail(&place.log(&release));
    Err(DeployError::Gone { environment, release, tail })
}

/// Makes a running service current: from the rename in here on it is. Whether it is watched over is as it was.
pub(super) fn switch(
    place: &Place,
    service: &Service,
    before: Option<Current>,
    what: What,
    order: &str,
) -> Result<Current, DeployError> {
    let on_watch = before.as_ref().is_some_and(|before| before.on_watch);
    let (previous, went_back) = match before {
        None => (None, false),
        // A release that is started again keeps the one that was before it.
        Some(before) if before.service.release == service.release => (before.previous, before.went_back),
        // An order begins with its run, and that with its time.
        Some(before) => {
            let went_back = what == What::Reinstated && before.service.order > service.order;
            (Some(before.service), went_back)
        }
    };
    let current = Current { service: service.clone(), previous, on_watch, went_back };
    place.set_current(Some(&current))?;
    place.note(what, &service.version, &service.release, Some(order));
    Ok(current)
}

/// What becomes of the version before.
#[derive(Debug, Clone, Copy)]
pub(super) enum Previous {
    /// It goes on running.
    Stays,
    /// It ends, and is killed after that time.
    Ends(Seconds),
}

/// All that follows the switch; may be repeated. What of it does not succeed is told and fails nothing: the release is
/// current already, and a failure would say that it is not.
pub(super) fn settle(
    place: &Place,
    current: &Current,
    before: Previous,
    traffic: Option<Switched>,
) -> PromoteOutput {
    let Current { service, previous, on_watch: _, went_back: _ } = current;
    let mut problems: Vec<String> = traffic.iter().flat_map(|traffic| traffic.problems.clone()).collect();
    let public = traffic::public(place, service).unwrap_or_else(|_| service.url.clone());
    let mut tried = |done: Result<(), DeployError>, what: &str| {
        problems.extend(done.err().map(|error| format!("{what}: {error}")));
    };
    tried(place.set_url(Some(&public)), "where it answers could not be written");
    tried(forget_candidate(place, &service.release), "it is still recorded as candidate");
    let other = previous.as_ref().filter(|previous| previous.release != service.release);
    if let (Some(previous), Previous::Ends(grace)) = (other, before) {
        let Service { release, process, tag, .. } = previous;
        let ended = supervise::end(place, release, Some(process), tag, grace.duration());
        tried(ended.map(drop), &format!("{} could not be ended", previous.version));
    }
    let Service { environment, version, release, process, port, .. } = service.clone();
    let previous = previous.as_ref().map(|previous| previous.version.clone());
    let (url, ready_ms) = (public, None);
    PromoteOutput { environment, version, release, process, port, url, previous, problems, traffic, ready_ms }
}

pub(super) fn forget_candidate(place: &Place, release: &str) -> Result<(), DeployError> {
    match place.candidate()? {
        Some(candidate) if candidate.release == release => place.set_candidate(None),
        _ => Ok(()),
    }
}
