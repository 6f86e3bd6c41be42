//! `look-at-engine`: whether a container engine answers, and has an image. Changes nothing: what is not there is pulled when it is started.

use std::path::PathBuf;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site, Transient};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::engine::Engine;
use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::halt::looking;
use crate::deployment::{ImageName, Pull};

/// Where an engine is that names none.
const SOCKET: &str = "/var/run/docker.sock";

/// Which engine, and which image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EngineInput {
    /// Its socket; by default the one that `DOCKER_HOST` names, or else `/var/run/docker.sock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The image.
    pub image: ImageName,
    /// When it is pulled.
    #[serde(default)]
    pub pull: Pull,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EngineOutput {
    /// The engine's socket.
    pub socket: PathBuf,
    /// Its version.
    pub version: String,
    /// The latest version of its interface.
    pub api: String,
    /// The image's id; none where it is not there and is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<String>,
}

/// Says whether an engine answers and has an image.
#[derive(Debug, Clone, Copy, Default)]
pub struct LookAtEngine;

#[async_trait]
impl Operation for LookAtEngine {
    const NAME: &'static str = "look-at-engine";
    const EFFECT: Effect = Effect::Reads;
    type Input = EngineInput;
    type Output = EngineOutput;

    async fn call(
        &self,
        input: EngineInput,
        _: &OrderKey,
        site: &Site<'_>,
    ) -> Result<EngineOutput, BoxError> {
        let EngineInput { socket, image, pull } = input;
        let socket = socket_of(socket, site)?;
        site.progress.step(format!("asking the container engine for {image}"), None);
        let looked = looking(site, move |_| {
            let engine = Engine::at(&socket);
            let about = engine.about()?;
            let image_id = engine.image(image.as_str())?;
            if image_id.is_none() && pull == Pull::Never {
                return Err(missing(&image));
            }
            Ok(EngineOutput { socket, version: about.version, api: about.api, image_id })
        });
        looked.await.map_err(curable)
    }

    async fn already(&self, _: &EngineInput, _: &OrderKey, _: &Site<'_>) -> Already<EngineOutput> {
        Already::NotDone
    }
}

pub(super) fn missing(image: &ImageName) -> DeployError {
    let next = "build or pull it, or say `pull: missing`".to_owned();
    DeployError::NoImage { image: format!("`{image}`"), next }
}

/// The socket that was named, or that of `DOCKER_HOST`, or the usual one.
pub(super) fn socket_of(named: Option<PathBuf>, site: &Site<'_>) -> Result<PathBuf, DeployError> {
    if let Some(named) = named {
        return Ok(named);
    }
    let host =
        site.env.iter().find(|(name, _)| name == "DOCKER_HOST").map(|(_, value)| value.to_string_lossy());
    match host.filter(|host| !host.is_empty()) {
        None => Ok(PathBuf::from(SOCKET)),
        Some(host) => match host.strip_prefix("unix://").filter(|path| path.starts_with('/')) {
            Some(path) => Ok(PathBuf::from(path)),
            None => Err(DeployError::NoSocket(host.into_owned())),
        },
    }
}

/// An engine that does not answer may answer the next time.
pub(super) fn curable(error: BoxError) -> BoxError {
    match error.downcast_ref::<DeployError>() {
        Some(DeployError::NoEngine { .. }) => Transient(error).into(),
        _ => error,
    }
}
