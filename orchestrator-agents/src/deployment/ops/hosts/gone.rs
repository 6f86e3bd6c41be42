//! `ask-host` says whether a host is reached, and changes nothing; `forget-host` takes one that is not off the list of its environment.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::stop::StopLevel;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::act::{AT_ONCE, connected};
use super::error::HostError;
use super::reach::Reach;
use super::script::run;
use crate::deployment::hosts::wire::Request;
use crate::deployment::hosts::{Host, HostRecord, quoted};
use crate::deployment::ops::claim;
use crate::deployment::ops::halt::{Halt, blocking};
use crate::deployment::ops::place::Place;
use crate::deployment::{Environment, Forgotten, GoneHost};

/// How long a host that is to be forgotten is tried: whoever says so knows that it is away.
const TRIED: Duration = Duration::from_secs(10);

/// Which host is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskHostInput {
    /// The host.
    pub host: Host,
    /// The environment that is recorded to be there.
    pub environment: Environment,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskHostOutput {
    /// Why it was not reached; none where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreached: Option<String>,
}

/// Looks whether a host is reached, and what of ours is there answers.
#[derive(Debug, Clone, Copy, Default)]
pub struct AskHost;

#[async_trait]
impl Operation for AskHost {
    const NAME: &'static str = "ask-host";
    const EFFECT: Effect = Effect::Reads;
    type Input = AskHostInput;
    type Output = AskHostOutput;

    async fn call(
        &self,
        input: AskHostInput,
        _: &OrderKey,
        site: &Site<'_>,
    ) -> Result<AskHostOutput, BoxError> {
        site.progress.step(format!("asking {}", input.host.name), None);
        let asking = Asking::of(&input, site)?;
        let asked = connected(site, move |halt| asking.unreached(TRIED, halt));
        let asked = tokio::select! {
            biased;
            () = site.stop.at_least(StopLevel::Graceful) => Err("stopped on request".into()),
            asked = asked => asked,
        };
        asked.map(|unreached| AskHostOutput { unreached })
    }

    async fn already(&self, _: &AskHostInput, _: &OrderKey, _: &Site<'_>) -> Already<AskHostOutput> {
        Already::NotDone
    }
}

/// How it is asked.
struct Asking {
    reach: Reach,
    environment: Environment,
}

impl Asking {
    fn of(input: &AskHostInput, site: &Site<'_>) -> Result<Self, BoxError> {
        let AskHostInput { host, environment } = input.clone();
        let record = Place::new(site.state, &environment).known(&host)?;
        // Nothing is brought: the program there is the one that was brought before.
        let reach = Reach::of(&host, None, record.as_ref(), site).map_err(HostError::boxed)?;
        Ok(Self { reach, environment })
    }

    /// Why it is not reached; none where it is.
    fn unreached(&self, patience: Duration, halt: &Halt) -> Result<Option<String>, HostError> {
        let request = Request::Standing { environment: Some(self.environment.clone()) };
        match self.reach.ask(&request, patience, halt) {
            // What it cannot do is said where it is to do something.
            Ok(_) | Err(HostError::Said { .. }) => Ok(None),
            Err(error @ HostError::Absent { .. }) if self.is_recorded(halt)? => Err(error),
            Err(error) if error.is_unreached() => Ok(Some(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

impl Asking {
    /// Whether records of the environment are there. Where only the program is gone, as whoever cleans caches removes it, services run
    /// still, and the next deployment brings it.
    fn is_recorded(&self, halt: &Halt) -> Result<bool, HostError> {
        let place = format!("{}/.orchestrate/deploy/{}", self.reach.host.folder, self.environment);
        let script = format!("cd && if [ -d {} ]; then echo recorded; fi", quoted(&place));
        let said = run(&self.reach, &script, "looking for what is deployed", None, halt)?;
        Ok(said.lines().any(|line| line == "recorded"))
    }
}

/// Takes a host that is not reached off the list of its environment, and remembers it. Nothing there is ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct ForgetHost;

#[async_trait]
impl Operation for ForgetHost {
    const NAME: &'static str = "forget-host";
    const EFFECT: Effect = Effect::Writes;
    type Input = AskHostInput;
    type Output = Forgotten;

    async fn call(
        &self,
        input: AskHostInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Forgotten, BoxError> {
        let asking = Asking::of(&input, site)?;
        // It may have come back while somebody thought it over.
        let Some(why) = connected(site, move |halt| asking.unreached(AT_ONCE, halt)).await? else {
            let AskHostInput { host, environment } = &input;
            let stop = format!("orchestrate deploy stop --environment {environment} --host {}", host.name);
            return Err(
                format!("host `{}` answers: it is not forgotten, end it with `{stop}`", host.name).into()
            );
        };
        let (place, run, who) =
            (Place::new(site.state, &input.environment), order.run.clone(), claim::owner(site));
        blocking(site, move |halt| {
            let _locked = place.lock(halt)?;
            let fresh = || HostRecord::fresh(input.host.clone());
            let record = place.known(&input.host)?.unwrap_or_else(fresh);
            let gone = GoneHost { record, at: Timestamp::now(), who, run, why, over: false };
            let forgotten = forgotten(&input.environment, &gone);
            place.forget(gone)?;
            Ok(forgotten)
        })
        .await
    }

    fn advice(&self, input: &AskHostInput) -> Option<String> {
        let name = &input.host.name;
        Some(format!("name `{name}` in `target.hosts` and deploy: what is there is found and replaced"))
    }

    async fn already(&self, input: &AskHostInput, order: &OrderKey, site: &Site<'_>) -> Already<Forgotten> {
        let place = Place::new(site.state, &input.environment);
        let (Ok(record), Ok(gone)) = (place.host(&input.host), place.gone()) else { return Already::Unknown };
        let own = gone.iter().rev().find(|gone| gone.run == order.run && gone.record.host.is_at(&input.host));
        match own {
            Some(own) if record.is_none() => Already::Done(forgotten(&input.environment, own)),
            // What is forgotten is not forgotten twice: it is no harm to be asked again.
            _ => Already::NotDone,
        }
    }
}

fn forgotten(environment: &Environment, gone: &GoneHost) -> Forgotten {
    let HostRecord { host, counts, .. } = gone.record.clone();
    let (environment, why) = (environment.clone(), gone.why.clone());
    Forgotten::Host { environment, host: host.name, folder: host.folder, version: counts, why }
}
