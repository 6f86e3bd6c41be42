//! `start-container`: starts a version as a container beside the current one. It is a candidate then, and not current.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, EnvValue};
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::look::{curable, missing, socket_of};
use crate::deployment::ops::beside::{Beside, fresh_folder};
use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::halt::{Halt, blocking};
use crate::deployment::ops::launch::Surroundings;
use crate::deployment::ops::place::Place;
use crate::deployment::ops::start::StartOutput;
use crate::deployment::ops::stop::{StopInput, StopService, Which};
use crate::deployment::{
    Container, Environment, Health, ImageName, Network, Pull, Release, Seconds, Service, Version, Volume,
};

/// What to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerInput {
    /// Where.
    pub environment: Environment,
    /// Which version.
    pub version: Version,
    /// Its image.
    pub image: ImageName,
    /// When that is pulled.
    #[serde(default)]
    pub pull: Pull,
    /// The port that it listens on inside.
    pub port: u16,
    /// The port on loopback; 0 picks a free one.
    #[serde(default)]
    pub publish: u16,
    /// What its entry point is given, with `{port}`, `{version}`, `{environment}` and `{release}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Variables besides `PORT`; the same placeholders; values may be secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// The network that it joins; the engine's own by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// The most bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// The most processors, in thousandths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millicpus: Option<u32>,
    /// What is mounted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// How often the engine starts it again after a failure.
    #[serde(default)]
    pub restarts: u32,
    /// The engine's socket; by default the one that `DOCKER_HOST` names, or else `/var/run/docker.sock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// When it counts as healthy: kept for a later start of the same release.
    #[serde(default)]
    pub health: Health,
    /// Seconds until it must listen.
    pub start_timeout: Seconds,
    /// Whether the environment must be claimed by the task that orders it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
}

/// Makes a container of an image and starts it.
#[derive(Debug, Clone, Copy, Default)]
pub struct StartContainer;

#[async_trait]
impl Operation for StartContainer {
    const NAME: &'static str = "start-container";
    const EFFECT: Effect = Effect::Publishes;
    type Input = ContainerInput;
    type Output = StartOutput;

    async fn call(
        &self,
        input: ContainerInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<StartOutput, BoxError> {
        let surroundings = Surroundings::new(&input.env, site)?;
        let place = Place::new(site.state, &input.environment);
        let socket = socket_of(input.socket.clone(), site)?;
        let project = site.root.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (order, environment) = (order.clone(), input.environment.clone());
        site.progress.step(format!("starting {} in {environment}", input.version), None);
        let started = blocking(site, move |halt| {
            // Before anything is locked: an image may take its time.
            let image_id = image(&Engine::at(&socket), &input, halt)?;
            let begun = Begun { place: &place, input: &input, order: &order, surroundings: &surroundings };
            begun.start(begun.container(&project, &socket, image_id)?, halt)
        });
        started.await.map_err(curable)
    }

    async fn undo(&self, input: &ContainerInput, _site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let which = Which::Candidate { version: input.version.clone() };
        Ok(vec![StopService::action(&StopInput::new(Some(input.environment.clone()), which))?])
    }

    async fn already(
        &self,
        input: &ContainerInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Already<StartOutput> {
        let place = Place::new(site.state, &input.environment);
        let (Ok(candidate), Ok(current)) = (place.candidate(), place.current()) else {
            return Already::Unknown;
        };
        let order = order.to_string();
        let known = candidate.into_iter().chain(current.map(|current| current.service));
        let Some(service) = known.into_iter().find(|service| service.order == order) else {
            // What was started without being recorded is ended when the order is repeated.
            return Already::NotDone;
        };
        let Some(container) = super::of(&place, &service.release) else { return Already::Unknown };
        match super::seen(&container).map(|seen| seen.and_then(|seen| seen.process())) {
            Ok(Some(process)) => Already::Done(StartOutput::of(&Service { process, ..service }, None)),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

/// The id of the image, pulled where that is wanted.
fn image(engine: &Engine, input: &ContainerInput, halt: &Halt) -> Result<String, DeployError> {
    let name = &input.image;
    if input.pull != Pull::Always
        && let Some(id) = engine.image(name.as_str())?
    {
        return Ok(id);
    }
    if input.pull == Pull::Never {
        return Err(missing(name));
    }
    engine.pull(name.as_str(), halt)?;
    engine.image(name.as_str())?.ok_or_else(|| missing(name))
}

/// A start that was begun.
struct Begun<'a> {
    place: &'a Place,
    input: &'a ContainerInput,
    order: &'a OrderKey,
    surroundings: &'a Surroundings,
}

impl Begun<'_> {
    fn container(&self, project: &str, socket: &Path, image_id: String) -> Result<Container, DeployError> {
        let Self { place, input, order, .. } = *self;
        let release = Release::name_for(&input.version, order);
        let folder = std::path::absolute(place.folder()).tried("found", place.folder())?;
        let labels = Container::labels([
            ("project", project.to_owned()),
            ("environment", input.environment.to_string()),
            ("version", input.version.to_string()),
            ("release", release.clone()),
            ("run", order.run.to_string()),
            ("order", order.to_string()),
            // Whose it is, of all the checkouts on this machine.
            ("place", Digest::of(folder.as_os_str().as_encoded_bytes()).to_string()),
        ]);
        Ok(Container {
            name: Container::name_for(project, &input.environment, &release),
            socket: socket.to_owned(),
            image: input.image.to_string(),
            image_id,
            port: input.port,
            args: input.args.clone(),
            network: input.network.clone(),
            memory: input.memory,
            millicpus: input.millicpus,
            volumes: input.volumes.clone(),
            restarts: input.restarts,
            labels,
            forgotten: false,
        })
    }

    fn start(&self, container: Container, halt: &Halt) -> Result<StartOutput, DeployError> {
        let Self { place, input, order, surroundings } = *self;
        let (claimed, port) = (input.claimed, input.publish);
        let beside = Beside { place, order, claimed, port, surroundings, supervisor: None };
        beside.start(halt, || self.lay_out(container))
    }

    /// Makes the release folder before there is a container: so it is found, whatever happens then.
    fn lay_out(&self, container: Container) -> Result<Release, DeployError> {
        let Self { place, input, order, .. } = *self;
        let name = Release::name_for(&input.version, order);
        fresh_folder(place, &name)?;
        let release = Release {
            environment: input.environment.clone(),
            version: input.version.clone(),
            name,
            binary: String::new(),
            digest: Digest::of(container.image_id.as_bytes()),
            argv: Vec::new(),
            env: input.env.clone(),
            health: input.health.clone(),
            start_timeout: input.start_timeout,
            order: order.to_string(),
            container: Some(container),
        };
        place.keep_release(&release)?;
        Ok(release)
    }
}
