//! The agent that deploys: start, prove, switch; or start, prove, end what was started.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, EnvValue};
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{CheckHealth, Promote, Reinstate, SmokeTests, StartInput, StartService, StopService};
use super::supervise::Supervisor;
use super::{Environment, Health, Seconds, SmokeTest, Version};

mod rounds;

/// Deploys a version to an environment of this machine. A failing check ends what was started; the old version stays.
#[derive(Debug, Clone, Default)]
pub struct Deploy {
    /// The program that keeps services running, which only a front door knows. Without one they are started detached, and nobody
    /// starts them again when they crash.
    pub supervisor: Option<Supervisor>,
}

/// What to deploy where, and what it must prove.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeployConfig {
    /// Where: `staging`, `production`.
    pub environment: Environment,
    /// Which version.
    pub version: Input<Version>,
    /// The executable, relative to the root of the checkout.
    pub artifact: Input<String>,
    /// What is run, with `{binary}`, `{port}`, `{version}`, `{environment}`, `{release}`; the binary alone by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// Variables besides the allow-list and `PORT`; the same placeholders; values may be secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// Its port on loopback; 0, the default, picks a free one.
    #[serde(default)]
    pub port: u16,
    /// When it counts as healthy.
    #[serde(default)]
    pub health: Health,
    /// Requests that must be answered as expected before the switch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub smoke: Vec<SmokeTest>,
    /// Seconds until it must listen.
    #[serde(default = "thirty_seconds")]
    pub start_timeout: Seconds,
    /// Seconds that a service gets to end before it is killed.
    #[serde(default = "ten_seconds")]
    pub grace: Seconds,
}

pub(super) fn thirty_seconds() -> Seconds {
    Seconds::known(30)
}

pub(super) fn ten_seconds() -> Seconds {
    Seconds::known(10)
}

/// What is current now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeployOutput {
    /// Where.
    pub environment: Environment,
    /// Which version.
    pub version: Version,
    /// Where it answers.
    pub url: String,
    /// Its process.
    pub pid: u32,
    /// Its port.
    pub port: u16,
    /// The version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
}

impl Agent for Deploy {
    const NAME: &'static str = "deploy";
    const ABOUT: &'static str =
        "Starts a version beside the running one, checks its health, smoke-tests it, and makes it current.";
    type Config = DeployConfig;
    type Output = DeployOutput;

    async fn plan(&self, task: &Task<DeployConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let config = &task.config;
        let start = StartInput {
            environment: config.environment.clone(),
            version: config.version.value()?.clone(),
            artifact: config.artifact.value()?.clone(),
            argv: config.argv.clone(),
            env: config.env.clone(),
            port: config.port,
            health: config.health.clone(),
            start_timeout: config.start_timeout,
        };
        Ok(vec![StartService::action(&start)?])
    }

    /// Where the service answers is known only after it was started, so each step is a round: start; check and
    /// smoke-test; promote. A step that fails opens a last round that ends the candidate.
    fn conclude(
        &self,
        task: &Task<DeployConfig>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<DeployOutput>, BoxError> {
        rounds::conclude(task, receipts)
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![
            dyn_operation(StartService { supervisor: self.supervisor.clone() })?,
            dyn_operation(CheckHealth)?,
            dyn_operation(SmokeTests)?,
            dyn_operation(Promote)?,
            dyn_operation(StopService)?,
            dyn_operation(Reinstate { supervisor: self.supervisor.clone() })?,
        ])
    }
}
