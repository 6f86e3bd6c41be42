//! `release-environment`: tells the history how a deployment ended, and gives its claim up.

use async_trait::async_trait;
use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::owner::owner;
use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::halt::blocking;
use crate::deployment::ops::place::Place;
use crate::deployment::{Claim, Ended, Environment, Happening, What};

/// What to release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseInput {
    /// Where.
    pub environment: Environment,
    /// How the deployment ended, for the history; nothing is told where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
    /// The run whose claim it is; that of the order by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// What was released.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReleaseOutput {
    /// Whether it was claimed by that run.
    pub released: bool,
    /// Who has it instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<Claim>,
    /// Why the history does not tell of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<String>,
}

/// Tells the history how a deployment ended, and lets others claim its environment. The claim of another run stays.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReleaseEnvironment;

#[async_trait]
impl Operation for ReleaseEnvironment {
    const NAME: &'static str = "release-environment";
    const EFFECT: Effect = Effect::Writes;
    type Input = ReleaseInput;
    type Output = ReleaseOutput;

    async fn call(
        &self,
        input: ReleaseInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<ReleaseOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let (order, who) = (order.clone(), owner(site));
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            let claim = place.claim()?;
            let own = claim.as_ref().is_some_and(|claim| is_own(claim, &input, &order));
            // Who has lost the claim did nothing to tell of. A disk that is full keeps nobody from releasing it.
            let told = input.ended.filter(|_| own).map_or(Ok(()), |ended| tell(&place, &order, who, ended));
            if own {
                place.set_claim(None)?;
            }
            let untold = told.err().map(|error| error.to_string());
            Ok(ReleaseOutput { released: own, holder: claim.filter(|_| !own), untold })
        })
        .await
    }

    fn advice(&self, _: &ReleaseInput) -> Option<String> {
        Some("nothing: what is released can be claimed again".to_owned())
    }

    async fn already(
        &self,
        input: &ReleaseInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Already<ReleaseOutput> {
        let place = Place::new(site.state, &input.environment);
        let (Some(ended), Ok(claim)) = (&input.ended, place.claim()) else { return Already::NotDone };
        let told = is_told(&place, order, ended.release.as_deref().unwrap_or_default());
        if claim.is_some_and(|claim| is_own(&claim, input, order)) || !told.unwrap_or_default() {
            return Already::NotDone;
        }
        // Only who has the claim tells of an end: asked again after a cut, it was not taken over before.
        Already::Done(ReleaseOutput { released: true, ..ReleaseOutput::default() })
    }
}

fn is_own(claim: &Claim, input: &ReleaseInput, order: &OrderKey) -> bool {
    let run = input.run.as_ref().unwrap_or(&order.run);
    (input.run.is_some() || claim.task == order.task) && claim.run == *run
}

/// Whether the history has the end of that task and release.
fn is_told(place: &Place, order: &OrderKey, release: &str) -> Result<bool, DeployError> {
    let order = order.to_string();
    let task = |order: &str| order.split('#').next().map(str::to_owned);
    let same = |told: &Happening| {
        let known = told.order.as_deref();
        told.what == What::Ended && told.release == release && known.and_then(task) == task(&order)
    };
    Ok(place.history()?.iter().any(same))
}

/// Adds how it ended to the history, once for each task of a run and release.
fn tell(place: &Place, order: &OrderKey, who: String, ended: Ended) -> Result<(), DeployError> {
    let Ended { version, release, verdict, why } = ended;
    let release = release.unwrap_or_default();
    if is_told(place, order, &release)? {
        return Ok(());
    }
    let (at, what, order, run) =
        (Timestamp::now(), What::Ended, Some(order.to_string()), Some(order.run.clone()));
    place.tell_all(&Happening {
        at,
        what,
        version,
        release,
        order,
        who: Some(who),
        run,
        verdict: Some(verdict),
        why,
    })
}
