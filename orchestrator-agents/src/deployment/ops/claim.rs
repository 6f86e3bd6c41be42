//! `claim-environment`, `confirm-claim` and `release-environment`: one task at a time changes an environment, from its first action to
//! its last.
//!
//! The claim is a record, `claim.json`, not a lock: it outlives its process, so that a deployment which was killed is found. Whether its
//! owner lives is told by the lock of its run. Who claims an environment that a dead owner left, or that an earlier deployment left
//! unfinished, first puts all traffic on one healthy version.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::event::Stopped;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::layout::Layout;
use orchestrator_core::lock::Lock;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use orchestrator_core::plan::Plan;
use orchestrator_core::state::{RunState, RunStatus};
use orchestrator_core::store::{JsonlStore, Store};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::DeployError;
use super::halt::blocking;
use super::place::Place;
use super::process;
use super::steady::steady;
use super::supervise;
use crate::deployment::{Claim, Ended, Environment, Happening, Version, What};

/// What to claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimInput {
    /// Where.
    pub environment: Environment,
    /// The version that it is about.
    pub version: Version,
}

/// What was claimed, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimOutput {
    /// The claim.
    pub claim: Claim,
    /// Whose claim was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_over: Option<Claim>,
    /// The version that serves; none where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<Serving>,
    /// What was put right first, and what could not be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// The version that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Serving {
    /// Which.
    pub version: Version,
    /// Its release.
    pub release: String,
}

/// Claims an environment for the task that orders it. Twice is as good as once.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClaimEnvironment;

#[async_trait]
impl Operation for ClaimEnvironment {
    const NAME: &'static str = "claim-environment";
    // What a dead owner left is put right: traffic may move, services may end.
    const EFFECT: Effect = Effect::Publishes;
    type Input = ClaimInput;
    type Output = ClaimOutput;

    async fn call(
        &self,
        input: ClaimInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<ClaimOutput, BoxError> {
        let place = Place::new(site.state, &input.environment);
        let found = place.claim()?;
        let other = found.clone().filter(|claim| !claim.is_of(order));
        if let Some(claim) = &other
            && let Some(held) = held(site, claim).await
        {
            let taken = |next| DeployError::Claimed {
                environment: input.environment,
                claim: Box::new(claim.clone()),
                next,
            };
            return Err(match held {
                Held::Lives(next) => Transient(taken(next).into()).into(),
                Held::Waits(next) => taken(next).into(),
            });
        }
        let claim = Claim {
            run: order.run.clone(),
            task: order.task.clone(),
            owner: owner(site),
            process: process::identity(std::process::id()).ok_or("this process is not in `/proc`")?,
            since: Timestamp::now(),
            version: input.version.clone(),
        };
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            // Whoever was faster has it.
            if let Some(faster) =
                place.claim()?.filter(|now| Some(now) != found.as_ref() && now.run != claim.run)
            {
                let next = "it was claimed this moment; try again later".to_owned();
                return Err(DeployError::Claimed {
                    environment: place.environment.clone(),
                    claim: Box::new(faster),
                    next,
                });
            }
            place.set_claim(Some(&claim))?;
            let notes = steady(&place, halt)?;
            let serves = place.current()?.map(|current| current.service);
            let serves = serves.and_then(|service| supervise::as_it_runs(&place, service));
            let serves = serves.map(|service| Serving { version: service.version, release: service.release });
            Ok(ClaimOutput { claim, took_over: other, serves, notes })
        })
        .await
    }

    async fn undo(&self, input: &ClaimInput, _site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let environment = input.environment.clone();
        Ok(vec![ReleaseEnvironment::action(&ReleaseInput { environment, ended: None, run: None })?])
    }

    async fn already(&self, _: &ClaimInput, _: &OrderKey, _: &Site<'_>) -> Already<ClaimOutput> {
        // Claiming again is as good as having claimed, and looks again at what serves.
        Already::NotDone
    }
}

/// Why a claim is held, and what to do about it.
enum Held {
    /// Its owner lives: it ends some time.
    Lives(String),
    /// Its run stopped in order, and waits for a person.
    Waits(String),
}

/// Whether a claim is held; none where its owner is gone.
async fn held(site: &Site<'_>, claim: &Claim) -> Option<Held> {
    let layout = Layout::new(site.state);
    let run = &claim.run;
    if Lock::is_held(&layout.run_lock(run)) {
        let next = format!("wait for it with `wait: 10m`, or end it with `orchestrate cancel {run}`");
        return Some(Held::Lives(next));
    }
    if !layout.run_dir(run).exists() {
        // A run without a journal here is told by its process alone.
        let next = "wait for it with `wait: 10m`, or end that process".to_owned();
        return process::is_alive(&claim.process).then_some(Held::Lives(next));
    }
    // Whoever waited for it here would keep the checkout from it.
    let next = format!(
        "it waits for a person; see `orchestrate status {run}`, or give it up with `orchestrate cancel {run}`"
    );
    waits(site, run).await.then_some(Held::Waits(next))
}

/// Whether a run stopped in order, to go on when a person has answered. One that cannot be read does not.
async fn waits(site: &Site<'_>, run: &RunId) -> bool {
    let Ok(store) = JsonlStore::open(site.state) else { return false };
    let Ok(journal) = store.load(run).await else { return false };
    let Ok(plan) = serde_json::from_slice::<Plan>(&journal.plan) else { return false };
    let Ok(state) = RunState::fold(Arc::new(plan), journal.records) else { return false };
    matches!(state.status(), RunStatus::Stopped(Stopped::Waiting))
}

/// `user@host`, as far as it is known.
fn owner(site: &Site<'_>) -> String {
    let variable = |wanted: &str| {
        let value = site.env.iter().find(|(name, _)| name == wanted)?.1.to_str()?;
        Some(value.to_owned()).filter(|value| !value.is_empty())
    };
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    let user = user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    let plain: String = user.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("{plain}@{}", rustix::system::uname().nodename().to_string_lossy())
}

/// An error unless the environment is claimed by the task of that order. The lock is held, or nothing is changed.
pub(super) fn confirm(place: &Place, order: &OrderKey) -> Result<(), DeployError> {
    let holder = match place.claim()? {
        Some(claim) if claim.is_of(order) => return Ok(()),
        Some(claim) => format!("it is claimed by {claim} now"),
        None => "another run took it over and has released it".to_owned(),
    };
    Err(DeployError::Lost { environment: place.environment.clone(), holder })
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
        Ok(confirm(&Place::new(site.state, &input.environment), order)?)
    }

    async fn already(&self, _: &ConfirmInput, _: &OrderKey, _: &Site<'_>) -> Already<()> {
        Already::NotDone
    }
}

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
            let run = input.run.as_ref().unwrap_or(&order.run);
            let claim = place.claim()?;
            let own = claim
                .as_ref()
                .is_some_and(|claim| (input.run.is_some() || claim.task == order.task) && claim.run == *run);
            if let Some(ended) = input.ended.filter(|_| own || claim.is_none()) {
                tell(&place, &order, who, ended)?;
            }
            if own {
                place.set_claim(None)?;
            }
            Ok(ReleaseOutput { released: own, holder: claim.filter(|_| !own) })
        })
        .await
    }

    fn advice(&self, _: &ReleaseInput) -> Option<String> {
        Some("nothing: what is released can be claimed again".to_owned())
    }

    async fn already(&self, _: &ReleaseInput, _: &OrderKey, _: &Site<'_>) -> Already<ReleaseOutput> {
        Already::NotDone
    }
}

/// Adds how it ended to the history, once for each task of a run and release.
fn tell(place: &Place, order: &OrderKey, who: String, ended: Ended) -> Result<(), DeployError> {
    let Ended { version, release, verdict, why } = ended;
    let release = release.unwrap_or_default();
    let order = order.to_string();
    let same = |told: &Happening| {
        let task = |order: &str| order.split('#').next().map(str::to_owned);
        let known = told.order.as_deref();
        told.what == What::Ended && told.release == release && known.and_then(task) == task(&order)
    };
    if place.history()?.iter().any(same) {
        return Ok(());
    }
    let run = order.split('/').next().and_then(|run| RunId::new(run).ok());
    let (at, what, order) = (Timestamp::now(), What::Ended, Some(order));
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
