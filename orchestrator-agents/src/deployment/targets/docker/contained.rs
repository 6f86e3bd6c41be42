//! The target itself: as processes of this machine, but for how a version is started.

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Receipt;

use super::DockerTarget;
use crate::deployment::DeployConfig;
use crate::deployment::ops::{ContainerInput, EngineInput, LookAtEngine, StartContainer};
use crate::deployment::targets::{Local, Now, Started, Target};

/// Containers of an engine on this machine.
pub(super) struct Contained<'c> {
    target: &'c DockerTarget,
    config: &'c DeployConfig,
    rest: Local<'c>,
}

impl<'c> Contained<'c> {
    pub(super) fn new(target: &'c DockerTarget, config: &'c DeployConfig, claimed: bool) -> Self {
        Self { target, config, rest: Local { config, claimed } }
    }
}

impl Target for Contained<'_> {
    fn starts_serving(&self) -> bool {
        self.rest.starts_serving()
    }

    fn has_shares(&self) -> bool {
        self.rest.has_shares()
    }

    /// Whether the engine answers and has the image: before anything is claimed or migrated for a version that cannot start.
    fn first(&self) -> Result<Vec<Action>, BoxError> {
        let DockerTarget { image, pull, socket, .. } = self.target.clone();
        let image = image.fill(self.config.version.value()?, &self.config.environment)?;
        Ok(vec![LookAtEngine::action(&EngineInput { socket, image, pull })?])
    }

    fn ahead(&self, trying: bool) -> Result<Vec<Action>, BoxError> {
        self.rest.ahead(trying)
    }

    fn start(&self) -> Result<Vec<Action>, BoxError> {
        let config = self.config;
        let DockerTarget { image, port, args, pull, network, memory, cpus, volumes, restarts, socket } =
            self.target.clone();
        let version = config.version.value()?.clone();
        let start = ContainerInput {
            environment: config.environment.clone(),
            image: image.fill(&version, &config.environment)?,
            version,
            pull,
            port,
            publish: config.port,
            args,
            env: config.env.clone(),
            network,
            memory: memory.map(|memory| memory.0),
            millicpus: cpus.map(|cpus| cpus.0),
            volumes,
            restarts: restarts.into(),
            socket,
            health: config.health.clone(),
            start_timeout: config.start_timeout,
            claimed: self.rest.claimed,
        };
        Ok(vec![StartContainer::action(&start)?])
    }

    fn started(&self, receipts: &[&Receipt]) -> Result<Started, String> {
        self.rest.started(receipts)
    }

    fn shift(&self, started: &Started, before: Option<&str>, percent: u32) -> Result<Vec<Action>, BoxError> {
        self.rest.shift(started, before, percent)
    }

    fn finish(&self, started: &Started) -> Result<Vec<Action>, BoxError> {
        self.rest.finish(started)
    }

    fn finished(&self, started: &Started, receipts: &[&Receipt]) -> Result<Now, String> {
        self.rest.finished(started, receipts)
    }

    fn revert(&self, started: &Started, before: Option<&str>) -> Result<Vec<Action>, BoxError> {
        self.rest.revert(started, before)
    }

    fn abandon(&self, started: Option<&Started>) -> Result<Vec<Action>, BoxError> {
        self.rest.abandon(started)
    }

    fn probe(&self) -> Result<Vec<Action>, BoxError> {
        self.rest.probe()
    }
}
