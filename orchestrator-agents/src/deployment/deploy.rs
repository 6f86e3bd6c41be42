//! The agent that deploys: claim, start, prove, switch, watch, promote; or end what was started, or go back.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, EnvValue};
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::analysis::WatchConfig;
use super::load::{LoadConfig, LoadSummary};
use super::migrations::Migrations;
use super::ops::{
    ActOnHost, ApplyMigrations, CheckHealth, CheckHost, ClaimEnvironment, ConfirmClaim, EndLoad, HoldClaims,
    LookAtReleases, LookOnHost, Observe, PendingMigrations, PrepareHost, Promote, PruneReleases,
    ReadSignatures, ReadTraffic, RecordDecision, Reinstate, ReleaseEnvironment, ServeTraffic, SmokeTests,
    StartLoad, StartService, StopService, SwitchTraffic, keep,
};
#[cfg(feature = "docker")]
use super::ops::{LookAtEngine, StartContainer};
use super::supervise::Supervisor;
use super::{
    Environment, Health, HostName, LogWatch, Patience, ProxyConfig, Seconds, SmokeTest, TargetConfig, Version,
};

mod ahead;
mod ending;
mod fleet;
mod known;
mod loading;
mod logged;
mod opening;
mod rounds;
mod told;
mod unread;
mod watching;

pub use ahead::hears_of_rollback;
pub use fleet::STUCK as STUCK_FINDING;
pub(super) use loading::check as check_load;
pub use watching::signal_of as watch_signal;

/// Deploys a version to an environment. A failing check ends what was started; a failing watch gives the traffic back.
#[derive(Debug, Clone, Default)]
pub struct Deploy {
    /// The program that keeps services and the proxy running, which only a front door knows. Without one services are started
    /// detached, and nobody starts them again when they crash; a proxy must be started by hand.
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
    /// The executable, relative to the root of the checkout. What `target: command` makes of it, its commands say.
    #[serde(default = "nothing")]
    pub artifact: Input<String>,
    /// Whether the artifact may lie outside of the checkout, as it does where Cargo's target folder is elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
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
    /// Where versions run.
    #[serde(default, skip_serializing_if = "TargetConfig::is_local")]
    pub target: TargetConfig,
    /// The reverse proxy in front of the environment; none by default: then clients follow `url`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyConfig>,
    /// How the version is watched with real traffic before it counts; not at all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchConfig>,
    /// Requests that run through the switch and prove that it drops none; none by default. They count as traffic for the watch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadConfig>,
    /// Which errors in its log count as new beside those of the version before; the log is not looked at by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_watch: Option<LogWatch>,
    /// Migrations of the service's database; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migrations: Option<Migrations>,
    /// Whether a person is asked before the version gets traffic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approve: bool,
    /// How long another deployment of the environment is waited for, such as `10m`; by default it is an error at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Patience>,
    /// How many releases that counted are kept once this one counts, and as many that never did; 0 keeps all. What serves, what there is
    /// a way back to, and what anybody may need yet is kept besides.
    #[serde(default = "keep", skip_serializing_if = "is_usual")]
    pub keep: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_usual(number: &u32) -> bool {
    *number == keep()
}

fn nothing() -> Input<String> {
    Input::Given(String::new())
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
    /// Its release.
    #[serde(default)]
    pub release: String,
    /// Where it answers: the proxy where there is one.
    pub url: String,
    /// Its process; none where it is not one of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Its port; none where it is not on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    /// How the watch went; none where it was not watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchSummary>,
    /// What came of the load through the switch; none where there was none, or it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<LoadSummary>,
    /// Each host, in the order of `target.hosts`, where these are several; then `release` and `url` are those of the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<DeployedHost>,
}

/// What serves on one of several hosts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeployedHost {
    /// Which.
    pub host: HostName,
    /// The release there.
    pub release: String,
    /// Where it answers: the proxy where there is one.
    pub url: String,
    /// The version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
    /// How the watch went; none where it was not watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<WatchSummary>,
}

/// How a watch went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WatchSummary {
    /// How often it was looked.
    pub looks: u64,
    /// What was decided last.
    pub verdict: String,
    /// Why.
    pub why: String,
    /// The numbers that made it.
    pub numbers: BTreeMap<String, f64>,
    /// Who decided, where a person did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Agent for Deploy {
    const NAME: &'static str = "deploy";
    const ABOUT: &'static str = "Starts a version beside the running one, proves it, gives it the traffic, watches it, and goes back by itself.";
    type Config = DeployConfig;
    type Output = DeployOutput;

    async fn survey(&self, task: &Task<DeployConfig>, look: &Workspace) -> Result<Json, BoxError> {
        Ok(opening::first(&task.config, look)?.1)
    }

    async fn plan(&self, task: &Task<DeployConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(opening::first(&task.config, look)?.0)
    }

    /// Where a version answers is known only after it was started, so each step is a round (`deploy/rounds`).
    fn conclude(
        &self,
        task: &Task<DeployConfig>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<DeployOutput>, BoxError> {
        rounds::conclude(task, receipts)
    }

    fn foreseen(&self, task: &Task<DeployConfig>) -> Result<Vec<Action>, BoxError> {
        opening::foreseen(&task.config, &task.carried)
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![
            dyn_operation(ClaimEnvironment { supervisor: self.supervisor.clone() })?,
            dyn_operation(ConfirmClaim)?,
            dyn_operation(ReleaseEnvironment)?,
            dyn_operation(ServeTraffic { supervisor: self.supervisor.clone() })?,
            dyn_operation(SwitchTraffic { supervisor: self.supervisor.clone() })?,
            dyn_operation(ReadTraffic)?,
            dyn_operation(PendingMigrations)?,
            dyn_operation(ApplyMigrations)?,
            dyn_operation(StartService { supervisor: self.supervisor.clone() })?,
            dyn_operation(CheckHealth)?,
            dyn_operation(SmokeTests)?,
            dyn_operation(StartLoad { supervisor: self.supervisor.clone() })?,
            dyn_operation(EndLoad)?,
            dyn_operation(Observe)?,
            dyn_operation(RecordDecision)?,
            dyn_operation(ReadSignatures)?,
            dyn_operation(Promote)?,
            dyn_operation(StopService)?,
            dyn_operation(LookAtReleases)?,
            dyn_operation(PruneReleases)?,
            dyn_operation(Reinstate { supervisor: self.supervisor.clone() })?,
            dyn_operation(CheckHost { program: program(self.supervisor.as_ref()) })?,
            dyn_operation(PrepareHost { program: program(self.supervisor.as_ref()) })?,
            dyn_operation(ActOnHost { program: program(self.supervisor.as_ref()) })?,
            dyn_operation(LookOnHost { program: program(self.supervisor.as_ref()) })?,
            dyn_operation(HoldClaims { program: program(self.supervisor.as_ref()) })?,
            #[cfg(feature = "docker")]
            dyn_operation(LookAtEngine)?,
            #[cfg(feature = "docker")]
            dyn_operation(StartContainer)?,
        ])
    }
}

/// The program that is brought to hosts: one that needs no words before its own arguments.
pub(super) fn program(supervisor: Option<&Supervisor>) -> Option<PathBuf> {
    supervisor.filter(|supervisor| supervisor.args.is_empty()).map(|supervisor| supervisor.program.clone())
}
