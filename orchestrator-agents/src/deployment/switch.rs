//! The agent that brings a kept release back: what `orchestrate deploy switch` and `deploy rollback` run.

use std::collections::BTreeSet;
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::deploy::{program, ten_seconds};
use super::hosts::Host;
use super::ops::{
    ActOnHost, ClaimEnvironment, ClaimInput, LookOnHost, MOVED, PrepareHost, PrepareHostInput, PromoteOutput,
    Reinstate, ReinstateInput, ReleaseEnvironment, ReleaseInput, StopService,
};
use super::supervise::Supervisor;
use super::targets::{OnHostOf, on};
use super::{Ended, Ending, Environment, HostName, Patience, Seconds, Version};
use crate::said::outcome;

/// Gives all traffic to a kept release: as it runs, or started from its folder and found healthy.
#[derive(Debug, Clone, Default)]
pub struct SwitchDeployment {
    /// The program that keeps services running, as in [`Deploy`](super::Deploy).
    pub supervisor: Option<Supervisor>,
}

/// What gets the traffic.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwitchDeploymentConfig {
    /// Where.
    pub environment: Environment,
    /// Which version.
    pub version: Version,
    /// Its release; `orchestrate deploy history` lists them.
    pub release: String,
    /// Seconds that the version which is current gets to end.
    #[serde(default = "ten_seconds")]
    pub grace: Seconds,
    /// How long another deployment of the environment is waited for, such as `10m`; by default it is an error at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Patience>,
    /// The host that it is on; none where it is on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<OnHost>,
}

/// Where a release is kept, when that is not this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OnHost {
    /// The host.
    pub host: Host,
    /// Names of the secrets that its services may be given.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// The other hosts of the environment; each is given its own release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beside: Vec<HostName>,
}

/// What counts now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SwitchedDeployment {
    /// Where.
    pub environment: Environment,
    /// Which version.
    pub version: Version,
    /// Its release.
    pub release: String,
    /// Where it answers: the proxy where there is one.
    pub url: String,
    /// The version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
}

/// Carried: seconds waited, or why it failed.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Carried {
    waited: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

/// Seconds between two tries to claim.
const AGAIN: u64 = 2;

impl SwitchDeploymentConfig {
    fn actions(&self) -> Result<Vec<Action>, BoxError> {
        let Self { environment, version, release, grace, wait: _, on } = self.clone();
        let host = self.one_of_several().cloned();
        let claim = ClaimInput {
            environment: environment.clone(),
            version,
            brings: Some(release.clone()),
            direct: false,
            expects: None,
            host,
        };
        let back = ReinstateInput { environment: environment.clone(), release, grace, claimed: true };
        let mut actions = vec![
            self.placed(ClaimEnvironment::action(&claim)?)?,
            self.placed(Reinstate::action(&back)?)?,
            self.release(Ending::Reinstated, String::new())?,
        ];
        if let Some(OnHost { host, secrets, beside }) = on {
            // The program may be another one by now.
            let prepare = PrepareHostInput { host, environment, secrets, beside };
            actions.insert(0, PrepareHost::action(&prepare)?);
        }
        Ok(actions)
    }

    /// The host, where there are others.
    fn one_of_several(&self) -> Option<&HostName> {
        self.on.as_ref().filter(|on| !on.beside.is_empty()).map(|on| &on.host.name)
    }

    fn placed(&self, action: Action) -> Result<Action, BoxError> {
        let Some(OnHost { host, secrets, .. }) = &self.on else { return Ok(action) };
        on(host, &OnHostOf { environment: &self.environment, secrets }, action)
    }

    fn release(&self, verdict: Ending, why: String) -> Result<Action, BoxError> {
        let (version, release) = (self.version.clone(), Some(self.release.clone()));
        let ended = Some(Ended { version, release, verdict, why });
        let input = ReleaseInput { environment: self.environment.clone(), ended, run: None };
        self.placed(ReleaseEnvironment::action(&input)?)
    }

    fn passed(now: PromoteOutput, at: Option<&HostName>) -> Conclusion<SwitchedDeployment> {
        let PromoteOutput { environment, version, release, url, previous, problems, traffic, .. } = now;
        let on = at.map_or(String::new(), |host| format!(" on {host}"));
        let summary = format!("{environment}: {version} has all traffic and answers at {url}{on}");
        let took = traffic.and_then(|traffic| traffic.took_ms);
        let metric = |ms| Metric::new("deploy.switch", ms, "ms", Evidence::of("reinstate"));
        let finding = |problem: String| Finding::new("deploy/unfinished", Severity::Warning, problem);
        Conclusion::new(summary, SwitchedDeployment { environment, version, release, url, previous })
            .metrics(took.map(metric))
            .findings(problems.into_iter().map(finding))
    }
}

impl Agent for SwitchDeployment {
    const NAME: &'static str = "switch-deployment";
    const ABOUT: &'static str =
        "Gives all traffic to a kept release; the one that has it stays where that does not come up.";
    type Config = SwitchDeploymentConfig;
    type Output = SwitchedDeployment;

    async fn plan(&self, task: &Task<Self::Config>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        task.config.actions()
    }

    fn conclude(
        &self,
        task: &Task<Self::Config>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<SwitchedDeployment>, BoxError> {
        let config = &task.config;
        let Carried { waited, failed } =
            if task.carried.is_null() { Carried::default() } else { task.carried.parse()? };
        if let Some(failed) = failed {
            return Ok(Verdict::failed(failed));
        }
        let ahead = usize::from(waited > 0);
        if let Some(prepared) = config.on.as_ref().and_then(|_| receipts.get(ahead)).filter(|it| !it.ok()) {
            return Ok(Verdict::failed(format!("nothing was switched: {}", prepared.status)));
        }
        let own = &receipts[(ahead + usize::from(config.on.is_some())).min(receipts.len())..];
        if let Some(claim) = own.first().filter(|claim| !claim.ok()) {
            let lives = matches!(claim.status, Status::Failed { transient: true, .. });
            if !lives || waited >= config.wait.map_or(0, Patience::seconds) {
                return Ok(Verdict::failed(format!("nothing was switched: {}", claim.status)));
            }
            let message = format!("another deployment to {} to end", config.environment);
            let wait: Action = Await { signal: None, seconds: Some(AGAIN), message }.into();
            let actions = std::iter::once(wait).chain(config.actions()?).collect();
            return Ok(Verdict::More {
                actions,
                carried: Json::of(&Carried { waited: waited + AGAIN, failed: None })?,
            });
        }
        match outcome::<PromoteOutput>(own.get(1)) {
            Ok(now) => Ok(Verdict::Passed(SwitchDeploymentConfig::passed(now, config.one_of_several()))),
            Err(why) => {
                let (version, environment) = (&config.version, &config.environment);
                let on = config.one_of_several().map_or(String::new(), |host| format!(" on {host}"));
                let what = if why.contains(MOVED) {
                    format!("has the traffic{on}, and does not count yet")
                } else {
                    format!("did not get the traffic{on}, which stays as it was")
                };
                let failed = format!("{environment}: {version} {what}: {why}");
                let why = why.lines().next().unwrap_or_default().chars().take(500).collect();
                let actions = vec![config.release(Ending::Failed, why)?];
                Ok(Verdict::More { actions, carried: Json::of(&Carried { waited, failed: Some(failed) })? })
            }
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![
            dyn_operation(ClaimEnvironment { supervisor: self.supervisor.clone() })?,
            dyn_operation(Reinstate { supervisor: self.supervisor.clone() })?,
            dyn_operation(StopService)?,
            dyn_operation(ReleaseEnvironment)?,
            dyn_operation(PrepareHost { program: program(self.supervisor.as_ref()) })?,
            dyn_operation(ActOnHost { program: program(self.supervisor.as_ref()) })?,
            dyn_operation(LookOnHost { program: program(self.supervisor.as_ref()) })?,
        ])
    }
}
