//! `start-service`: starts a version beside the current one. It is a candidate then, and not current.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, EnvValue};
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::beside::{Beside, fresh_folder};
use super::error::{DeployError, Tried};
use super::halt::{Halt, blocking};
use super::launch::Surroundings;
use super::place::Place;
use super::stop::{self, StopInput, StopService, Which};
use super::{supervise, traffic};
use crate::deployment::supervise::Supervisor;
use crate::deployment::{Environment, Health, Process, Release, Seconds, Service, Version};

/// What to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StartInput {
    /// Where.
    pub environment: Environment,
    /// Which version.
    pub version: Version,
    /// The executable: relative to the root of the checkout, or absolute inside it.
    pub artifact: String,
    /// Whether it may lie elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// What is run, with `{binary}`, `{port}`, `{version}`, `{environment}`, `{release}`; the binary alone by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub argv: Vec<String>,
    /// Variables besides the allow-list and `PORT`; the same placeholders; values may be secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
    /// Its port on loopback; 0 picks a free one.
    #[serde(default)]
    pub port: u16,
    /// When it counts as healthy: kept for a later start of the same release.
    #[serde(default)]
    pub health: Health,
    /// Seconds until it must listen.
    pub start_timeout: Seconds,
    /// Whether the environment must be claimed by the task that orders it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
}

/// What was started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StartOutput {
    /// Where.
    pub environment: Environment,
    /// Which version.
    pub version: Version,
    /// Its release.
    pub release: String,
    /// Its process.
    pub process: Process,
    /// Its port.
    pub port: u16,
    /// Where it answers.
    pub url: String,
    /// Digest of its binary.
    pub digest: Digest,
    /// Milliseconds from the start until it listened; none where it was found running after a crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
}

impl StartOutput {
    pub(super) fn of(service: &Service, took_ms: Option<f64>) -> Self {
        let Service { environment, version, release, process, port, url, digest, .. } = service.clone();
        Self { environment, version, release, process, port, url, digest, took_ms }
    }
}

/// Copies an artifact into a release folder and starts it detached. See the [module](crate::deployment).
#[derive(Debug, Clone, Default)]
pub struct StartService {
    /// Who keeps it running; none: it is started detached, and nobody starts it again when it crashes.
    pub supervisor: Option<Supervisor>,
}

#[async_trait]
impl Operation for StartService {
    const NAME: &'static str = "start-service";
    const EFFECT: Effect = Effect::Publishes;
    type Input = StartInput;
    type Output = StartOutput;

    async fn call(
        &self,
        input: StartInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<StartOutput, BoxError> {
        let surroundings = Surroundings::new(&input.env, site)?;
        let place = Place::new(site.state, &input.environment);
        let artifact = find(&input.artifact, input.outside, site.root, site.state)?;
        let (order, supervisor) = (order.clone(), self.supervisor.clone());
        site.progress.step(format!("starting {} in {}", input.version, input.environment), None);
        blocking(site, move |halt| {
            let begun = Begun { place: &place, input: &input, order: &order, surroundings: &surroundings };
            begun.start(&artifact, supervisor.as_ref(), halt)
        })
        .await
    }

    async fn undo(&self, input: &StartInput, _site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let which = Which::Candidate { version: input.version.clone() };
        Ok(vec![StopService::action(&StopInput::new(Some(input.environment.clone()), which))?])
    }

    async fn already(&self, input: &StartInput, order: &OrderKey, site: &Site<'_>) -> Already<StartOutput> {
        let place = Place::new(site.state, &input.environment);
        let (Ok(candidate), Ok(current)) = (place.candidate(), place.current()) else {
            return Already::Unknown;
        };
        let known = candidate.into_iter().chain(current.map(|current| current.service));
        let order = order.to_string();
        let mut ours = known.into_iter().filter(|service| service.order == order);
        match ours.find_map(|service| supervise::as_it_runs(&place, service).ok().flatten()) {
            Some(service) => Already::Done(StartOutput::of(&service, None)),
            // What was started without being recorded is ended when the order is repeated.
            None => Already::NotDone,
        }
    }
}

/// The artifact's own path. It must be a file inside the checkout, or inside the state folder, unless it may lie elsewhere.
fn find(artifact: &str, elsewhere: bool, root: &Path, state: &Path) -> Result<PathBuf, DeployError> {
    let name = Path::new(artifact).file_name().unwrap_or_default();
    if name == "release.json" || name.to_string_lossy().starts_with("service.log") {
        return Err(DeployError::Reserved(artifact.to_owned()));
    }
    let path = root.join(artifact);
    let path = fs::canonicalize(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            DeployError::NoArtifact(artifact.to_owned())
        }
        _ => DeployError::Io { what: format!("artifact `{artifact}` could not be read"), source: error },
    })?;
    let inside = |folder: &Path| fs::canonicalize(folder).is_ok_and(|folder| path.starts_with(folder));
    if !elsewhere && !inside(root) && !inside(state) {
        return Err(DeployError::Outside(artifact.to_owned()));
    }
    if path.is_file() { Ok(path) } else { Err(DeployError::NoFile(artifact.to_owned())) }
}

/// A start that was begun.
struct Begun<'a> {
    place: &'a Place,
    input: &'a StartInput,
    order: &'a OrderKey,
    surroundings: &'a Surroundings,
}

impl Begun<'_> {
    fn start(
        &self,
        artifact: &Path,
        supervisor: Option<&Supervisor>,
        halt: &Halt,
    ) -> Result<StartOutput, DeployError> {
        let Self { place, input, order, surroundings } = *self;
        let (claimed, port) = (input.claimed, input.port);
        let beside = Beside { place, order, claimed, port, surroundings, supervisor };
        beside.start(halt, || self.lay_out(artifact))
    }

    /// Makes the release folder: the binary first, what says that it is complete last.
    fn lay_out(&self, artifact: &Path) -> Result<Release, DeployError> {
        let Self { place, input, order, surroundings } = *self;
        let name = Release::name_for(&input.version, order);
        let folder = fresh_folder(place, &name)?;
        let binary =
            artifact.file_name().map_or_else(|| "service".into(), |name| name.to_string_lossy().into_owned());
        // These names belong to what is kept beside it.
        if binary == "release.json" || binary.starts_with("service.log") {
            return Err(DeployError::Reserved(binary));
        }
        let copy = folder.join(&binary);
        copy_executable(artifact, &copy, surroundings)?;
        let release = Release {
            environment: input.environment.clone(),
            version: input.version.clone(),
            name,
            binary,
            digest: digest(&copy)?,
            argv: input.argv.clone(),
            env: input.env.clone(),
            health: input.health.clone(),
            start_timeout: input.start_timeout,
            order: order.to_string(),
            container: None,
        };
        place.keep_release(&release)?;
        Ok(release)
    }
}

/// Ends what earlier deployments left half done: everything of this environment that is not current and that nobody is sent to.
pub(super) fn end_leftovers(place: &Place) -> Result<(), DeployError> {
    let current = place.current()?.map(|current| current.service.release);
    let shares = traffic::traffic(place).map(|traffic| traffic.shares).unwrap_or_default();
    let served = |release: &str| shares.get(release).is_some_and(|share| *share > 0);
    let leftovers = |release: &str| current.as_deref() != Some(release) && !served(release);
    stop::end_releases(place, leftovers, Duration::from_secs(5)).map(drop)
}
/// Copies by `cp`: had this process the copy open for writing while another thread starts a command, that command
/// would inherit it for a moment, and a file that is open for writing cannot be executed (`ETXTBSY`).
fn copy_executable(from: &Path, to: &Path, surroundings: &Surroundings) -> Result<(), DeployError> {
    let output = surroundings.command("cp").arg("--").arg(from).arg(to).output().tried("copied", from)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(io::Error::other(said)).tried("copied", from);
    }
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).tried("made executable", to)
}

fn digest(path: &Path) -> Result<Digest, DeployError> {
    let mut hasher = blake3::Hasher::new();
    let mut file = fs::File::open(path).tried("opened", path)?;
    io::copy(&mut file, &mut hasher).tried("read", path)?;
    Ok(hasher.finalize().into())
}
