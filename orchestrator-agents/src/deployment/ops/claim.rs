//! `claim-environment`, `confirm-claim` and `release-environment`: one task at a time changes an environment, from its first action to
//! its last.
//!
//! The claim is a record, `claim.json`, not a lock: it outlives its process, so that a deployment which was killed is found. Whether its
//! owner lives is told by the lock of its run. Who claims an environment that a dead owner left, or that an earlier deployment left
//! unfinished, first puts all traffic on one healthy version.

mod confirm;
mod held;
mod owner;
mod release;

use async_trait::async_trait;
use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::local::ORDER_VARIABLE;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::error::DeployError;
use super::halt::{Halt, blocking};
use super::load;
use super::place::Place;
use super::process;
use super::steady::steady;
use super::supervise;
use super::traffic::{self, Keeping};
use crate::deployment::supervise::Supervisor;
use crate::deployment::{Claim, Environment, HostName, Service, Version};

use held::{Held, held};

pub use confirm::{ConfirmClaim, ConfirmInput};
pub(super) use confirm::{confirm, go_on, hold};
pub(super) use owner::{OWNER, owner, owner_in};
pub use release::{ReleaseEnvironment, ReleaseInput, ReleaseOutput};

/// What to claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimInput {
    /// Where.
    pub environment: Environment,
    /// The version that it is about.
    pub version: Version,
    /// The kept release that is to come back, where it is not about a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brings: Option<String>,
    /// Whether clients are to ask the version itself: a proxy of old that nobody keeps and that does not answer is forgotten.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
    /// What must serve there: that was seen, and relied on; whatever does by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expects: Option<Expected>,
    /// The host that it is, where the environment is on several: two of them with one folder are told by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
}

/// What must serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Its release; none where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
}

/// What was claimed, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClaimOutput {
    /// The claim.
    pub claim: Claim,
    /// Whose claim was taken over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_over: Option<Claim>,
    /// The version that serves, or that its supervisor is about to start again; none where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<Serving>,
    /// The version that counts and is down: nobody stopped it, so somebody may start it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Serving>,
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

impl From<Service> for Serving {
    fn from(service: Service) -> Self {
        Self { version: service.version, release: service.release }
    }
}

/// Claims an environment for the task that orders it. Twice is as good as once.
#[derive(Debug, Clone, Default)]
pub struct ClaimEnvironment {
    /// The program that keeps the proxy running, as in [`ServeTraffic`](super::ServeTraffic): one that died is started again, where it
    /// must be told.
    pub supervisor: Option<Supervisor>,
}

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
        let hosts = place.hosts()?;
        if let Some(record) = hosts.iter().find(|record| !record.ended) {
            let (environment, at) = (input.environment, format!("host `{}`", record.host.name));
            return Err(DeployError::Elsewhere { environment, at }.into());
        }
        if !hosts.is_empty() {
            place.forget_host()?;
        }
        let found = place.claim()?;
        if let Some(own) = found.as_ref().filter(|claim| claim.is_of(order) && claim.host != input.host) {
            let name = |host: &Option<HostName>| host.as_ref().map(ToString::to_string).unwrap_or_default();
            let (one, other) = (name(&own.host), name(&input.host));
            return Err(DeployError::OneFolder { environment: input.environment, one, other }.into());
        }
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
        let (keeping, own) = (Keeping::new(self.supervisor.as_ref(), site)?, order.clone());
        let claim = Claim {
            run: order.run.clone(),
            task: order.task.clone(),
            owner: owner(site),
            process: process::identity(std::process::id()).ok_or("this process is not in `/proc`")?,
            since: Timestamp::now(),
            version: input.version.clone(),
            host: input.host.clone(),
            heard: None,
            brings: input.brings.clone(),
        };
        let claimed = blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            // Whoever was faster has it, be it another task of the same run.
            if let Some(faster) = place.claim()?.filter(|now| Some(now) != found.as_ref() && !now.is_of(&own))
            {
                let next = "it was claimed this moment; wait for it with `wait: 10m`".to_owned();
                return Err(DeployError::Claimed {
                    environment: place.environment.clone(),
                    claim: Box::new(faster),
                    next,
                });
            }
            place.set_claim(Some(&claim))?;
            let entered = entered(&place, &input, &keeping, halt, claim, other.clone());
            if let Err(error) = &entered {
                // Who fails to claim has nothing. What a dead one left is not put right: then its claim says so yet.
                let left = other.as_ref().filter(|_| !matches!(error, DeployError::Changed(_)));
                let _ = place.set_claim(left);
            }
            entered
        });
        // Whoever was faster ends some time, and an engine that cannot be asked is not asked in vain for ever.
        claimed.await.map_err(|error| match error.downcast_ref() {
            Some(DeployError::Claimed { .. } | DeployError::NoEngine { .. } | DeployError::Engine { .. }) => {
                Transient(error).into()
            }
            _ => error,
        })
    }

    /// Whoever undoes it is another run: whose claim is released is said here.
    async fn undo(&self, input: &ClaimInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let (environment, run) = (input.environment.clone(), run_of(site));
        Ok(vec![ReleaseEnvironment::action(&ReleaseInput { environment, ended: None, run })?])
    }

    async fn already(&self, _: &ClaimInput, _: &OrderKey, _: &Site<'_>) -> Already<ClaimOutput> {
        // Claiming again is as good as having claimed, and looks again at what serves.
        Already::NotDone
    }
}

/// The run of the order that a site is for.
fn run_of(site: &Site<'_>) -> Option<RunId> {
    let (_, order) = site.env.iter().find(|(name, _)| name == ORDER_VARIABLE)?;
    let (_, key) = order.to_str()?.rsplit_once(':')?;
    RunId::new(key.split('/').next()?).ok()
}

/// Puts an environment right that was just claimed, and says what was found.
fn entered(
    place: &Place,
    input: &ClaimInput,
    keeping: &Keeping,
    halt: &Halt,
    claim: Claim,
    took_over: Option<Claim>,
) -> Result<ClaimOutput, DeployError> {
    // A load of whoever had it before proves nothing any more.
    load::end_any(place)?;
    if input.direct {
        traffic::forget(place)?;
    }
    let notes = steady(place, keeping, halt)?;
    let (serves, down) = serving(place)?;
    let now = serves.as_ref().map(|serving| &serving.release);
    if input.expects.as_ref().is_some_and(|expected| expected.release.as_ref() != now) {
        return Err(DeployError::Changed(place.environment.clone()));
    }
    Ok(ClaimOutput { claim, took_over, serves, down, notes })
}

/// The version that serves, which one that is about to be started again does, too; and the one that counts and is down. An error where
/// nobody can tell which of them it is.
pub(super) fn serving(place: &Place) -> Result<(Option<Serving>, Option<Serving>), DeployError> {
    let current = place.current()?.map(|current| current.service);
    let serves = current.clone().map(|service| supervise::stands(place, service)).transpose()?;
    let serves = serves.flatten().map(Serving::from);
    let down = current.map(Serving::from).filter(|_| serves.is_none());
    Ok((serves, down))
}
