//! `hold-claims-on-host`: hosts that a deployment has claimed, and does nothing on for a while, hear that it goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::stop::StopLevel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::OnHostInput;
use crate::deployment::Environment;
use crate::deployment::hosts::Host;
use crate::deployment::hosts::wire::{Ordered, Request};
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::{ConfirmClaim, ConfirmInput};

/// How long each of them gets: whoever waits for this does not watch meanwhile.
const MOST: Duration = Duration::from_secs(10);
/// How long a connection that turns out to be cut is made anew.
const PATIENT: Duration = Duration::from_secs(1);

/// Which hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldInput {
    /// What is claimed there.
    pub environment: Environment,
    /// The hosts.
    pub hosts: Vec<Host>,
}

/// Who heard of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldOutput {
    /// Each host that did not, or whose claim is lost, and why: `web2: ..`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unheard: Vec<String>,
}

/// Asks each of the hosts, all at the same time, whether it is claimed yet by the task that orders it: hearing that renews the claim, and
/// a connection that was cut is made anew. It fails for no host: whoever acts there finds out.
#[derive(Debug, Clone, Default)]
pub struct HoldClaims {
    /// As in [`ActOnHost`](super::ActOnHost).
    pub program: Option<PathBuf>,
}

#[async_trait]
impl Operation for HoldClaims {
    const NAME: &'static str = "hold-claims-on-host";
    const EFFECT: Effect = Effect::Reads;
    type Input = HoldInput;
    type Output = HoldOutput;

    async fn call(
        &self,
        input: HoldInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<HoldOutput, BoxError> {
        let HoldInput { environment, hosts } = input;
        let halt = Halt::of(site.stop);
        let _leaving = halt.leaving();
        let (confirm, mut asked) =
            (Json::of(&ConfirmInput { environment: environment.clone() })?, Vec::new());
        for host in hosts {
            let (operation, input) = (ConfirmClaim::NAME.to_owned(), confirm.clone());
            let (brings, secrets) = (Vec::new(), BTreeSet::new());
            let there =
                OnHostInput { host, environment: environment.clone(), operation, input, brings, secrets };
            let reach = there.reach(self.program.as_ref(), site)?;
            let OnHostInput { host, operation, input, .. } = there;
            let order = Ordered { key: Some(order.clone()), operation, input, secrets: BTreeMap::new() };
            let halt = halt.clone();
            let ask = move || reach.ask(&Request::Call { order, reads: true }, PATIENT, &halt).map(drop);
            asked.push((host.name, tokio::task::spawn_blocking(ask)));
        }
        let until = tokio::time::Instant::now() + MOST;
        let mut unheard = Vec::new();
        for (host, asked) in asked {
            let heard = tokio::select! {
                biased;
                () = site.stop.at_least(StopLevel::Graceful) => return Err("stopped on request".into()),
                heard = tokio::time::timeout_at(until, asked) => heard,
            };
            match heard {
                Ok(Ok(Ok(()))) => {}
                Ok(Ok(Err(error))) => unheard.push(format!("{host}: {error}")),
                Ok(Err(panic)) => return Err(panic.into()),
                Err(_) => unheard.push(format!("{host}: it did not answer within {} s", MOST.as_secs())),
            }
        }
        Ok(HoldOutput { unheard })
    }

    async fn already(&self, _: &HoldInput, _: &OrderKey, _: &Site<'_>) -> Already<HoldOutput> {
        Already::NotDone
    }
}
