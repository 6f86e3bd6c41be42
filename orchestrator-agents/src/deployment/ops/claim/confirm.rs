//! `confirm-claim`: whoever lost its claim does nothing more.

use std::path::Path;

use async_trait::async_trait;
use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use orchestrator_core::stop::Stop;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::place::Place;
use crate::deployment::ops::process;
use crate::deployment::{Claim, Environment, Process};

/// An error unless the environment is claimed by the task of that order. The lock is held, or nothing is changed.
pub(in crate::deployment::ops) fn confirm(place: &Place, order: &OrderKey) -> Result<(), DeployError> {
    let holder = match place.claim()? {
        Some(claim) if claim.is_of(order) => return Ok(()),
        Some(claim) => format!("it is claimed by {claim} now"),
        None => "another run took it over and has released it".to_owned(),
    };
    Err(DeployError::Lost { environment: place.environment.clone(), holder })
}

/// After how many seconds a task that acts over connections is noted again.
const NOTED: i64 = 20;
/// For how many seconds its claim holds when the connection was cut: a minute, whenever it was noted.
pub(super) const LINGERS: i64 = NOTED + 60;

/// Lets the claims of that task name this process, through which it acts now, and say when that was. Of all environments: not every
/// operation is told which one it is about.
pub(in crate::deployment::ops) fn hold(
    state: &Path,
    order: &OrderKey,
    stop: &Stop,
) -> Result<(), DeployError> {
    let is_noted = |claim: &Claim, own: &Process| claim.process == *own && claim.is_heard_within(NOTED);
    note(state, Timestamp::now(), stop, |claim, own| claim.is_of(order) && !is_noted(claim, own))
}

/// The same for whatever is claimed through this process, whose other end was heard then: nothing need be asked for that.
pub(in crate::deployment::ops) fn go_on(
    state: &Path,
    heard: Timestamp,
    stop: &Stop,
) -> Result<(), DeployError> {
    let since = |at: Timestamp| heard.duration_since(at).as_secs();
    let is_noted = |claim: &Claim| claim.heard.is_some_and(|at| (0..NOTED / 2).contains(&since(at)));
    note(state, heard, stop, |claim, own| claim.process == *own && !is_noted(claim))
}

/// Notes in such claims that they are held through this process, and were at that time. One that cannot be read is judged by whoever
/// confirms it.
fn note(
    state: &Path,
    heard: Timestamp,
    stop: &Stop,
    wanted: impl Fn(&Claim, &Process) -> bool,
) -> Result<(), DeployError> {
    let Some(own) = process::identity(std::process::id()) else { return Ok(()) };
    let found = |place: &Place| place.claim().ok().flatten().filter(|claim| wanted(claim, &own));
    for place in Place::all(state)? {
        if found(&place).is_none() {
            continue;
        }
        let _locked = place.lock(&Halt::of(stop))?;
        if let Some(claim) = found(&place) {
            place.set_claim(Some(&Claim { process: own.clone(), heard: Some(heard), ..claim }))?;
        }
    }
    Ok(())
}

/// What must be claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmInput {
    /// Where.
    pub environment: Environment,
}

/// Fails where the task that orders it has lost its claim.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConfirmClaim;

#[async_trait]
impl Operation for ConfirmClaim {
    const NAME: &'static str = "confirm-claim";
    const EFFECT: Effect = Effect::Reads;
    type Input = ConfirmInput;
    type Output = ();

    async fn call(&self, input: ConfirmInput, order: &OrderKey, site: &Site<'_>) -> Result<(), BoxError> {
        confirm(&Place::new(site.state, &input.environment), order).map_err(|error| match error {
            DeployError::Lost { .. } => error.into(),
            // What cannot be read this time is not lost.
            error => Transient(error.into()).into(),
        })
    }

    async fn already(&self, _: &ConfirmInput, _: &OrderKey, _: &Site<'_>) -> Already<()> {
        Already::NotDone
    }
}
