//! The agent that brings a kept release back: what `orchestrate deploy switch` and `deploy rollback` run.

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

use super::deploy::ten_seconds;
use super::ops::{
    ClaimEnvironment, ClaimInput, PromoteOutput, Reinstate, ReinstateInput, ReleaseEnvironment, ReleaseInput,
    StopService,
};
use super::supervise::Supervisor;
use super::{Ended, Ending, Environment, Patience, Seconds, Version};
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
        let Self { environment, version, release, grace, wait: _ } = self.clone();
        let claim = ClaimInput { environment: environment.clone(), version };
        let back = ReinstateInput { environment, release, grace, claimed: true };
        Ok(vec![
            ClaimEnvironment::action(&claim)?,
            Reinstate::action(&back)?,
            self.release(Ending::Reinstated, String::new())?,
        ])
    }

    fn release(&self, verdict: Ending, why: String) -> Result<Action, BoxError> {
        let (version, release) = (self.version.clone(), Some(self.release.clone()));
        let ended = Some(Ended { version, release, verdict, why });
        ReleaseEnvironment::action(&ReleaseInput { environment: self.environment.clone(), ended, run: None })
    }

    fn passed(now: PromoteOutput) -> Conclusion<SwitchedDeployment> {
        let PromoteOutput { environment, version, release, url, previous, problems, traffic, .. } = now;
        let summary = format!("{environment}: {version} has all traffic and answers at {url}");
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
        let own = &receipts[usize::from(waited > 0).min(receipts.len())..];
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
            Ok(now) => Ok(Verdict::Passed(SwitchDeploymentConfig::passed(now))),
            Err(why) => {
                let (version, environment) = (&config.version, &config.environment);
                let failed =
                    format!("{environment}: {version} did not get the traffic, which stays as it was: {why}");
                let why = why.lines().next().unwrap_or_default().chars().take(500).collect();
                let actions = vec![config.release(Ending::Failed, why)?];
                Ok(Verdict::More { actions, carried: Json::of(&Carried { waited, failed: Some(failed) })? })
            }
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![
            dyn_operation(ClaimEnvironment)?,
            dyn_operation(Reinstate { supervisor: self.supervisor.clone() })?,
            dyn_operation(StopService)?,
            dyn_operation(ReleaseEnvironment)?,
        ])
    }
}
