//! A container engine by its socket. The one place that knows the client library: what goes in and out is ours.
//!
//! Each question is asked on a thread of its own, so that code that blocks may ask from anywhere, and has a bound: an engine that
//! hangs is one that does not answer.
//!
//! Spoken are version 1.41 of the interface, that of Docker 20.10, which podman has too, and 1.44, since from Docker 29 on there is no
//! earlier. Nothing that differs between them is used.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, HostConfig, HostConfigLogConfig, PortBinding,
    RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder,
    LogsOptionsBuilder, RemoveContainerOptionsBuilder, StatsOptionsBuilder, StopContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::StreamExt;
use jiff::Timestamp;

use super::fault::Fault;
use super::seen::{Seen, Wanted};
use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::halt::Halt;

/// How long an answer may take that needs no waiting.
const SOON: Duration = Duration::from_secs(30);
/// How long making, starting or removing a container may take, and ending one besides its grace.
const LONG: Duration = Duration::from_mins(1);
/// How long an image may take to come.
const PULL: Duration = Duration::from_mins(30);
/// How often a container is looked at again that has ended and is not tidied up, a tenth of a second after each other.
const TIDYING: u32 = 100;
/// The most bytes of a log that are taken at once.
const LOG: usize = 8 << 20;
/// What an engine says of itself.
pub(super) struct About {
    pub(super) version: String,
    pub(super) api: String,
}

/// A container engine.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    socket: PathBuf,
    /// How long an answer may take that needs no waiting.
    soon: Duration,
}

impl Engine {
    pub(super) fn at(socket: &Path) -> Self {
        Self { socket: socket.to_owned(), soon: SOON }
    }

    /// The same, which is waited for no longer than that where nothing needs waiting.
    #[must_use]
    pub(super) fn within(self, soon: Duration) -> Self {
        Self { soon: soon.min(self.soon), ..self }
    }

    /// Asks something, and waits for no longer than that.
    fn ask<T: Send>(
        &self,
        patience: Duration,
        question: impl AsyncFnOnce(&Docker) -> Result<T, Error> + Send,
    ) -> Result<T, Fault> {
        let socket = self.socket.to_str().ok_or_else(|| Fault::Silent("its path is not UTF-8".into()))?;
        let alone = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| Fault::Silent(error.to_string()))?;
            let asked = runtime.block_on(async {
                let answer = async {
                    let docker = connected(socket, patience).await?;
                    question(&docker).await
                };
                tokio::time::timeout(patience, answer).await
            });
            asked.map_err(|_| Fault::Hangs(patience))?.map_err(|error| fault(error, patience))
        };
        std::thread::scope(|scope| scope.spawn(alone).join())
            .unwrap_or_else(|_| Err(Fault::Nonsense("its answer could not be read".into())))
    }

    /// The same, told what it was about.
    fn told<T>(&self, what: impl Into<String>, answer: Result<T, Fault>) -> Result<T, DeployError> {
        answer.map_err(|fault| fault.about(&self.socket, what))
    }

    /// What it is; proves that it answers.
    pub(super) fn about(&self) -> Result<About, DeployError> {
        let said = self.ask(SOON, async |docker| docker.version().await);
        let said = self.told("say what it is", said)?;
        let name = said.version.unwrap_or_default();
        Ok(About { version: name, api: said.api_version.unwrap_or_default() })
    }

    /// The id of an image; none where it is not there.
    pub(super) fn image(&self, name: &str) -> Result<Option<String>, DeployError> {
        let seen = self.ask(SOON, async |docker| docker.inspect_image(name).await);
        let seen = self.told(format!("look at the image `{name}`"), there(seen))?;
        Ok(seen.and_then(|image| image.id).filter(|id| !id.is_empty()))
    }

    /// Pulls an image, until it is time to end.
    pub(super) fn pull(&self, name: &str, halt: &Halt) -> Result<(), DeployError> {
        // A name without tag or digest would stand for all tags.
        let last = name.rsplit('/').next().unwrap_or(name);
        let name = if last.contains([':', '@']) { name.to_owned() } else { format!("{name}:latest") };
        let pulled = self.ask(PULL, async |docker| {
            let options = CreateImageOptionsBuilder::default().from_image(&name).build();
            let mut steps = std::pin::pin!(docker.create_image(Some(options), None, None));
            loop {
                tokio::select! {
                    step = steps.next() => match step {
                        Some(step) => drop(step?),
                        None => return Ok(true),
                    },
                    () = halted(halt) => return Ok(false),
                }
            }
        });
        if self.told(format!("pull `{name}`"), pulled)? { Ok(()) } else { Err(DeployError::Stopped) }
    }

    /// Makes a container.
    pub(super) fn create(&self, wanted: &Wanted<'_>) -> Result<(), Fault> {
        let name = &wanted.container.name;
        let body = body(wanted);
        self.ask(LONG, async |docker| {
            let options = CreateContainerOptionsBuilder::default().name(name).build();
            docker.create_container(Some(options), body).await
        })
        .map(drop)
    }

    /// Starts a container; one that runs is as wanted.
    pub(super) fn start(&self, name: &str) -> Result<(), Fault> {
        self.ask(LONG, async |docker| docker.start_container(name, None).await)
    }

    /// How a container is; none where there is none.
    pub(super) fn look(&self, name: &str) -> Result<Option<Seen>, DeployError> {
        let begun = Instant::now();
        let mut seen = self.ask(self.soon, async |docker| docker.inspect_container(name, None).await);
        for _ in 0..TIDYING {
            // Podman has a word of its own for one that has ended and is not tidied up yet, which the interface does not know.
            let untidy = matches!(&seen, Err(Fault::Nonsense(why)) if why.contains("`stopped`"));
            if !untidy || begun.elapsed() >= self.soon {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
            seen = self.ask(self.soon, async |docker| docker.inspect_container(name, None).await);
        }
        Ok(self.told(format!("look at the container `{name}`"), there(seen))?.map(seen_of))
    }

    /// The names of the containers that have that label, running or not.
    pub(super) fn labelled(&self, label: &str, value: &str) -> Result<Vec<String>, DeployError> {
        let wanted = HashMap::from([("label", vec![format!("{label}={value}")])]);
        let listed = self.ask(SOON, async |docker| {
            let options = ListContainersOptionsBuilder::default().all(true).filters(&wanted).build();
            docker.list_containers(Some(options)).await
        });
        let names = self
            .told("list its containers", listed)?
            .into_iter()
            .flat_map(|listed| listed.names.unwrap_or_default());
        Ok(names.map(|name| name.trim_start_matches('/').to_owned()).collect())
    }

    /// KiB of memory that a container has, without what is cached of files; none where that is not known.
    pub(super) fn memory_kib(&self, name: &str) -> Option<u64> {
        let stats = self.ask(self.soon, async |docker| {
            let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
            docker.stats(name, Some(options)).next().await.transpose()
        });
        let memory = stats.ok()??.memory_stats?;
        let cached = memory.stats.unwrap_or_default();
        let cached = ["total_inactive_file", "inactive_file"].iter().find_map(|name| cached.get(*name));
        Some(memory.usage?.saturating_sub(cached.copied().unwrap_or(0)) >> 10)
    }

    /// What a container wrote since a second, each line with its time before it; the end of it where it is too long.
    pub(super) fn log(&self, name: &str, since: i32) -> Result<Vec<u8>, DeployError> {
        let read = self.ask(SOON, async |docker| {
            let options = LogsOptionsBuilder::default().stdout(true).stderr(true).timestamps(true);
            let mut pieces = std::pin::pin!(docker.logs(name, Some(options.since(since).build())));
            let mut text = Vec::new();
            while let Some(piece) = pieces.next().await {
                let piece = piece?.into_bytes();
                text.extend_from_slice(if text.last().is_some_and(|last| *last != b'\n') {
                    untimed(&piece)
                } else {
                    &piece
                });
                if text.len() > 2 * LOG {
                    text.drain(..text.len() - LOG);
                }
            }
            Ok(text)
        });
        self.told(format!("read the log of `{name}`"), read)
    }

    /// Ends a container: asks first, then kills. One that does not run, or is not there, is as wanted.
    pub(super) fn stop(&self, name: &str, grace: Duration) -> Result<(), DeployError> {
        let seconds =
            i32::try_from(grace.as_secs() + u64::from(grace.subsec_nanos() > 0)).unwrap_or(i32::MAX);
        let stopped = self.ask(LONG + grace, async |docker| {
            let options = StopContainerOptionsBuilder::default().t(seconds).build();
            docker.stop_container(name, Some(options)).await
        });
        self.told(format!("stop `{name}`"), there(stopped)).map(drop)
    }

    /// Removes a container, running or not, with the volumes that have no name; says whether there was one.
    pub(super) fn remove(&self, name: &str) -> Result<bool, DeployError> {
        let removed = self.ask(LONG, async |docker| {
            let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
            docker.remove_container(name, Some(options)).await
        });
        // Somebody else removes it at this moment.
        let removed = match removed {
            Err(Fault::Said { code: 409, .. }) => Ok(()),
            removed => removed,
        };
        Ok(self.told(format!("remove `{name}`"), there(removed))?.is_some())
    }
}

async fn halted(halt: &Halt) {
    while halt.check().is_ok() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The client, in a version of the interface that is ours and the engine's: it leaves the version to the engine otherwise.
async fn connected(socket: &str, patience: Duration) -> Result<Docker, Error> {
    let docker = Docker::connect_with_unix(socket, patience.as_secs().max(1), API_DEFAULT_VERSION)?;
    let latest = docker.version().await?.api_version.unwrap_or_default();
    let prefix = if is_later(&latest) { "/v1.44" } else { "/v1.41" };
    Ok(docker.with_request_modifier(move |mut request| {
        let uri = request.uri();
        let parts = (uri.scheme_str(), uri.authority(), uri.path_and_query());
        if let (Some(scheme), Some(authority), Some(path)) = parts
            && let Ok(versioned) = format!("{scheme}://{authority}{prefix}{path}").parse()
        {
            *request.uri_mut() = versioned;
        }
        request
    }))
}

/// Whether 1.44 is among the versions of an engine whose latest is that.
fn is_later(latest: &str) -> bool {
    let mut parts = latest.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= (1, 44)
}

/// A piece of a log without its time: what goes on with a line that another piece began.
fn untimed(piece: &[u8]) -> &[u8] {
    let space = piece.iter().position(|byte| *byte == b' ').unwrap_or(0);
    let is_time = std::str::from_utf8(&piece[..space]).is_ok_and(|time| time.parse::<Timestamp>().is_ok());
    if is_time { &piece[space + 1..] } else { piece }
}

/// Nothing where it is not there.
fn there<T>(answer: Result<T, Fault>) -> Result<Option<T>, Fault> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(Fault::Said { code: 404, .. }) => Ok(None),
        Err(fault) => Err(fault),
    }
}

fn fault(error: Error, patience: Duration) -> Fault {
    match error {
        Error::DockerResponseServerError { status_code, message } => {
            Fault::Said { code: status_code, message }
        }
        Error::DockerStreamError { error } => Fault::Said { code: 200, message: error },
        Error::RequestTimeoutError => Fault::Hangs(patience),
        Error::SocketNotFoundError(_) => Fault::Silent("there is no such socket".into()),
        Error::JsonDataError { message, .. } => Fault::Nonsense(message),
        Error::JsonSerdeError { err } => Fault::Nonsense(err.to_string()),
        other => Fault::Silent(causes(&other)),
    }
}

/// An error with what is behind it: that of a client says only that it is one.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn body(wanted: &Wanted<'_>) -> ContainerCreateBody {
    let Wanted { container, args, env, publish } = wanted;
    let inside = format!("{}/tcp", container.port);
    let binding = PortBinding { host_ip: Some("127.0.0.1".into()), host_port: Some(publish.to_string()) };
    // No policy is none: earlier versions of the interface have no word for it.
    let policy = (container.restarts > 0).then(|| RestartPolicy {
        name: Some(RestartPolicyNameEnum::ON_FAILURE),
        maximum_retry_count: Some(i64::from(container.restarts)),
    });
    let rotated =
        HashMap::from([("max-size".to_owned(), "10m".to_owned()), ("max-file".to_owned(), "3".to_owned())]);
    let volumes: Vec<String> = container.volumes.iter().map(ToString::to_string).collect();
    let host = HostConfig {
        port_bindings: Some(HashMap::from([(inside.clone(), Some(vec![binding]))])),
        restart_policy: policy,
        log_config: Some(HostConfigLogConfig { typ: Some("json-file".into()), config: Some(rotated) }),
        init: Some(true),
        memory: container.memory.and_then(|memory| i64::try_from(memory).ok()),
        nano_cpus: container.millicpus.map(|cpus| i64::from(cpus) * 1_000_000),
        network_mode: container.network.as_ref().map(ToString::to_string),
        binds: Some(volumes).filter(|volumes| !volumes.is_empty()),
        ..HostConfig::default()
    };
    ContainerCreateBody {
        image: Some(container.image_id.clone()),
        cmd: Some(args.clone()).filter(|args| !args.is_empty()),
        env: Some(env.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        labels: Some(container.labels.clone().into_iter().collect()),
        exposed_ports: Some(vec![inside]),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

fn seen_of(said: ContainerInspectResponse) -> Seen {
    let state = said.state.unwrap_or_default();
    let config = said.config.unwrap_or_default();
    let policy = said.host_config.and_then(|host| host.restart_policy);
    let number = |number: Option<i64>| u64::try_from(number.unwrap_or(0)).unwrap_or(0);
    let started = state.started_at.and_then(|at| at.parse::<Timestamp>().ok());
    Seen {
        id: said.id.unwrap_or_default(),
        runs: state.running.unwrap_or(false) && !state.restarting.unwrap_or(false),
        returns: state.restarting.unwrap_or(false),
        pid: u32::try_from(number(state.pid)).unwrap_or(0),
        started_ms: started.map_or(0, |at| u64::try_from(at.as_millisecond()).unwrap_or(0)),
        exit: state.exit_code.unwrap_or(0),
        out_of_memory: state.oom_killed.unwrap_or(false),
        error: state.error.unwrap_or_default(),
        restarts: number(said.restart_count),
        most_restarts: number(policy.and_then(|policy| policy.maximum_retry_count)),
        labels: config.labels.unwrap_or_default().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_in_pieces_has_one_time() {
        assert_eq!(untimed(b"2026-11-20T23:44:33Z rest of it"), b"rest of it");
        assert_eq!((untimed(b"no time"), untimed(b"")), (b"no time".as_slice(), b"".as_slice()));
    }

    #[test]
    fn versions_are_compared_by_number() {
        for (latest, later) in
            [("1.41", false), ("1.9", false), ("1.44", true), ("1.100", true), ("2.0", true), ("", false)]
        {
            assert_eq!(is_later(latest), later, "{latest}");
        }
    }
}
