//! Where versions run, behind one trait: which actions start a version, send it traffic, end it, and what their receipts say.
//!
//! The rounds of a deployment (claim, migrations, proofs, approval, watch, verdict) are the same for all targets. A target is pure: it
//! returns actions and reads receipts, and what touches the world are those actions. What runs elsewhere, over a connection or in
//! containers, needs a target of its own and operations of its own; the rounds stay.

mod command;
mod docker;
mod local;
mod ssh;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::id::RunId;
use orchestrator_core::order::Receipt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hosts::SshTarget;
use super::{DeployConfig, Process, Version};

pub use command::CommandTarget;
pub(super) use command::Commands;
pub use docker::DockerTarget;
pub(super) use local::Local;
pub(super) use ssh::{OnHostOf, Ssh, on};

/// Where versions run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum TargetConfig {
    /// Processes of this machine, each version in a folder of its own with a port of its own.
    Local {},
    /// Processes of a host that is reached by ssh.
    Ssh(SshTarget),
    /// Wherever the project's own commands bring them.
    Command(CommandTarget),
    /// Containers of an engine on this machine.
    Docker(DockerTarget),
}

impl Default for TargetConfig {
    fn default() -> Self {
        Self::Local {}
    }
}

impl TargetConfig {
    /// Whether an address of one is an address of the other too: both are on this machine, or on a host of both.
    pub(super) fn shares_addresses(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Ssh(one), Self::Ssh(other)) => one.hosts.iter().any(|host| other.hosts.contains(host)),
            (Self::Ssh(_), _) | (_, Self::Ssh(_)) => false,
            _ => true,
        }
    }

    pub(super) fn is_local(&self) -> bool {
        *self == Self::default()
    }

    /// Whether nothing of the checkout needs to be named to be deployed.
    pub(super) fn needs_no_artifact(&self) -> bool {
        matches!(self, Self::Command(_) | Self::Docker(_))
    }

    /// The target itself, for the deployment of `config` by `run`; whether its environment is claimed.
    pub(super) fn of<'c>(
        config: &'c DeployConfig,
        run: Option<&RunId>,
        claimed: bool,
    ) -> Result<Box<dyn Target + 'c>, BoxError> {
        Ok(match &config.target {
            Self::Local {} => Box::new(Local { config, claimed }),
            Self::Ssh(target) => Box::new(Ssh::new(Local { config, claimed }, target)?),
            Self::Command(commands) => Box::new(Commands::new(config, commands, run)?),
            Self::Docker(docker) => docker.of(config, claimed)?,
        })
    }
}

/// A version that was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Started {
    /// Which.
    pub(super) version: Version,
    /// Its release: told apart from an earlier one of the same version.
    pub(super) release: String,
    /// Where it is asked whether it is healthy.
    pub(super) url: String,
    /// Its process, where it is one of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) process: Option<Process>,
    /// Milliseconds that starting took; none where that is not known any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) took_ms: Option<f64>,
}

/// What counts now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Now {
    /// What clients ask.
    pub(super) url: String,
    /// Its process and port, where it is a process of this machine.
    pub(super) process: Option<(u32, u16)>,
    /// The version before.
    pub(super) previous: Option<Version>,
    /// What could not be done.
    pub(super) problems: Vec<String>,
    /// What the proxy did, where there is one.
    pub(super) traffic: Option<super::ops::Switched>,
}

/// Where versions run. All of it is pure.
pub(super) trait Target {
    /// Whether a version that is started has all traffic at once: then a person is asked before, and there are no shares.
    fn starts_serving(&self) -> bool;

    /// Whether shares of the traffic can be given.
    fn has_shares(&self) -> bool;

    /// What comes before anything else, even before the claim.
    fn first(&self) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    /// The action as it is performed where versions run.
    fn placed(&self, action: Action) -> Result<Action, BoxError> {
        Ok(action)
    }

    /// What must be there before anything is started, and while a version is tried.
    fn ahead(&self, trying: bool) -> Result<Vec<Action>, BoxError>;

    /// Starts the version.
    fn start(&self) -> Result<Vec<Action>, BoxError>;

    /// What was started, by the receipts of [`start`](Self::start).
    fn started(&self, receipts: &[&Receipt]) -> Result<Started, String>;

    /// Gives the version that percentage of the traffic. The version before goes on running, whatever its share.
    fn shift(&self, started: &Started, before: Option<&str>, percent: u32) -> Result<Vec<Action>, BoxError>;

    /// Lets the version count, with all traffic, and ends the one before.
    fn finish(&self, started: &Started) -> Result<Vec<Action>, BoxError>;

    /// What counts now, by the receipts of [`finish`](Self::finish).
    fn finished(&self, started: &Started, receipts: &[&Receipt]) -> Result<Now, String>;

    /// Gives all traffic back to the version before, in one step, then ends this one. Where that one does not run and does not come up,
    /// nothing is switched and nothing ends.
    fn revert(&self, started: &Started, before: Option<&str>) -> Result<Vec<Action>, BoxError>;

    /// Ends a version that never had traffic; where it did not even start, what may be left of it.
    fn abandon(&self, started: Option<&Started>) -> Result<Vec<Action>, BoxError>;

    /// What else tells during the watch whether the version runs.
    fn probe(&self) -> Result<Vec<Action>, BoxError>;
}
