//! Starts a release detached from this process, and waits until it listens.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use orchestrator_core::action::EnvValue;
use orchestrator_core::local::ORDER_VARIABLE;
use orchestrator_core::operation::{SecretSource, Site};
use orchestrator_traffic::ports;

#[cfg(feature = "docker")]
use super::containers;
use super::error::{DeployError, Tried};
use super::halt::Halt;
use super::listening;
use super::place::Place;
use super::process::{self, TAG};
use super::supervise::{self, Hands};
#[cfg(feature = "docker")]
use crate::deployment::Container;
use crate::deployment::service::url;
use crate::deployment::supervise::Supervisor;
use crate::deployment::{Process, Release, Service};

/// Starts `"$@"` in its own session, away from any terminal, and prints its process id. A process of its own in
/// between, which ends at once, makes it a child of init: nobody has to wait for it, and it outlives everybody. Where
/// there is no `setsid` tool, the process group that this shell was given is what it gets, and it ignores SIGHUP.
/// Either way SIGINT and SIGQUIT are ignored at its start, as in whatever a shell puts in the background.
pub(super) const DETACH: &str = r#"if command -v setsid >/dev/null 2>&1; then setsid "$@" >&2 &
else (trap '' HUP; exec "$@") >&2 & fi; echo $!"#;

/// The environment of a service, secrets resolved.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    env: Vec<(OsString, OsString)>,
    secrets: Vec<String>,
    declared: BTreeMap<String, String>,
}

impl Surroundings {
    /// The allow-list of `site`, and what is declared. A service outlives the run, so it does not count as one of its processes.
    pub(super) fn new(declared: &BTreeMap<String, EnvValue>, site: &Site<'_>) -> Result<Self, DeployError> {
        let mut all = Self::of(site.env);
        for (name, value) in declared {
            let (value, secret) = resolve(value, site.secrets)?;
            all.secrets.extend(secret.then(|| value.clone()));
            all.declared.insert(name.clone(), value);
        }
        Ok(all)
    }

    /// That environment, without what belongs to an order.
    pub(super) fn of(env: &[(OsString, OsString)]) -> Self {
        let env = env
            .iter()
            .filter(|(name, _)| name != ORDER_VARIABLE && name != super::claim::OWNER)
            .cloned()
            .collect();
        Self { env, ..Self::default() }
    }

    /// A command with the allow-list only.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.env.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// The end of a log, without the secrets.
    pub(super) fn tail(&self, log: &Path) -> String {
        process::tail(log, &self.secrets)
    }
}

/// The secrets that a release was given: what must not be seen of its log.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    pub(super) secrets: Vec<String>,
    /// Why nothing of the log may be shown: a secret that is not known here cannot be hidden.
    pub(super) unknown: Option<String>,
}

impl Given {
    pub(super) fn to(place: &Place, release: &str, site: &Site<'_>) -> Self {
        let env = match place.release(release) {
            Ok(known) => known.map(|release| release.env).unwrap_or_default(),
            Err(error) => return Self { unknown: Some(error.to_string()), ..Self::default() },
        };
        let mut given = Self::default();
        for value in env.values() {
            match (resolve(value, site.secrets), value) {
                (Ok((value, secret)), _) => given.secrets.extend(secret.then_some(value)),
                (Err(_), EnvValue::Secret { secret }) => {
                    given.unknown = Some(format!("secret `{secret}` is not known here"));
                }
                (Err(error), EnvValue::Plain(_)) => given.unknown = Some(error.to_string()),
            }
        }
        given
    }

    /// The end of the log without them.
    pub(super) fn tail(&self, log: &Path) -> String {
        match &self.unknown {
            None => process::tail(log, &self.secrets),
            Some(why) => format!("(its log is not shown: {why})"),
        }
    }
}

/// The value of a variable or header, and whether it is a secret.
pub(super) fn resolve(value: &EnvValue, secrets: &dyn SecretSource) -> Result<(String, bool), DeployError> {
    match value {
        EnvValue::Plain(value) => Ok((value.clone(), false)),
        EnvValue::Secret { secret } => {
            let value = secrets.secret(secret).ok_or_else(|| DeployError::NoSecret(secret.clone()))?;
            Ok((value, true))
        }
    }
}

/// The port, if it is free; a free one for 0.
fn pick(port: u16) -> Result<u16, DeployError> {
    let free = if port == 0 { ports::pick() } else { Some(port).filter(|port| ports::is_free(*port)) };
    free.ok_or(DeployError::Taken(port))
}

/// A start that is about to happen.
pub(super) struct Launch<'a> {
    pub(super) place: &'a Place,
    pub(super) release: &'a Release,
    pub(super) surroundings: &'a Surroundings,
    pub(super) halt: &'a Halt,
    /// Who starts it and keeps it running; none where it is started detached, and nobody looks after it.
    pub(super) supervisor: Option<&'a Supervisor>,
}

impl Launch<'_> {
    /// Starts the release and waits until it listens; `started` records it as soon as it has a process. When that
    /// does not come to pass, nothing of it is left running. Port 0 picks a free one.
    pub(super) fn run(
        &self,
        port: u16,
        started: impl Fn(&Service) -> Result<(), DeployError>,
    ) -> Result<Service, DeployError> {
        let mut chances = 3;
        #[cfg(not(feature = "docker"))]
        if self.release.container.is_some() {
            return Err(DeployError::NoContainers);
        }
        loop {
            chances -= 1;
            match self.attempt(port, &started) {
                // Somebody else took the picked port in the moment between.
                Err(DeployError::Exited { port: given, .. })
                    if port == 0 && chances > 0 && !ports::is_free(given) => {}
                // What an engine forwards may be taken although nobody listens there.
                Err(DeployError::Taken(_)) if port == 0 && chances > 0 => {}
                done => return done,
            }
        }
    }

    fn attempt(
        &self,
        port: u16,
        started: &impl Fn(&Service) -> Result<(), DeployError>,
    ) -> Result<Service, DeployError> {
        let port = pick(port)?;
        let tag = self.release.tag();
        #[cfg(feature = "docker")]
        if let Some(container) = &self.release.container {
            return self.contained(container, port, started);
        }
        let mut process = None;
        let up = self.begin(port).and_then(|service| {
            process = Some(service.process.clone());
            started(&service)?;
            self.wait(&service)?;
            self.hands().map_or(Ok(()), |hands| hands.keep(&service.release))?;
            Ok(service)
        });
        if up.is_err() {
            let name = &self.release.name;
            supervise::end(self.place, name, process.as_ref(), &tag, Duration::from_secs(1))?;
        }
        up
    }

    /// The same in a container.
    #[cfg(feature = "docker")]
    fn contained(
        &self,
        container: &Container,
        publish: u16,
        started: &impl Fn(&Service) -> Result<(), DeployError>,
    ) -> Result<Service, DeployError> {
        let Self { place, release, surroundings, halt, .. } = *self;
        let fill = |text: &String| release.fill(text, &release.name, container.port);
        let declared = surroundings.declared.iter().map(|(name, value)| (name.clone(), fill(value)));
        let own = ("PORT".to_owned(), container.port.to_string());
        let starting = containers::Starting {
            place,
            release: &release.name,
            container,
            args: container.args.iter().map(fill).collect(),
            env: std::iter::once(own).chain(declared).collect(),
            publish,
            health: &release.health,
            halt,
        };
        let up = starting.begin().and_then(|process| {
            let service = self.service(process, publish);
            started(&service)?;
            starting.wait(release.start_timeout)?;
            Ok(service)
        });
        up.map_err(|error| {
            // What keeps it from being ended keeps its log back, too; what is left over then is ended by whoever deploys next.
            let ended = supervise::end(place, &release.name, None, &release.tag(), Duration::from_secs(1));
            let tail = || surroundings.tail(&place.log(&release.name));
            match error {
                DeployError::Ended { name, how, .. } => DeployError::Ended { name, how, tail: tail() },
                DeployError::Silent { port, seconds, instead, .. } => {
                    DeployError::Silent { port, seconds, instead, tail: tail() }
                }
                error => ended.err().unwrap_or(error),
            }
        })
    }

    fn hands(&self) -> Option<Hands<'_>> {
        let Self { place, surroundings, halt, supervisor, .. } = *self;
        supervisor.map(|supervisor| Hands { place, supervisor, surroundings, halt })
    }

    fn begin(&self, port: u16) -> Result<Service, DeployError> {
        let Some(hands) = self.hands() else { return self.spawn(port) };
        match hands.start(&self.release.name, port, self.variables(port)?) {
            Ok(process) => Ok(self.service(process, port)),
            Err(DeployError::NotSupervised(_)) if !ports::is_free(port) => Err(DeployError::Taken(port)),
            Err(error) => Err(error),
        }
    }

    /// All variables of the service.
    fn variables(&self, port: u16) -> Result<BTreeMap<String, String>, DeployError> {
        let folder = self.folder()?;
        let text = |name: &OsString| {
            name.to_str()
                .map(str::to_owned)
                .ok_or_else(|| DeployError::NoText(name.to_string_lossy().into_owned()))
        };
        let mut all = BTreeMap::new();
        for (name, value) in &self.surroundings.env {
            let known = text(name)?;
            let value = value.to_str().ok_or_else(|| DeployError::NoText(known.clone()))?;
            all.insert(known, value.to_owned());
        }
        all.insert("PORT".into(), port.to_string());
        all.extend(self.filled(&folder, port).map(|(name, value)| (name.clone(), value)));
        all.remove(ORDER_VARIABLE);
        all.insert(TAG.into(), self.release.tag());
        Ok(all)
    }

    fn folder(&self) -> Result<PathBuf, DeployError> {
        let folder = self.place.release_folder(&self.release.name);
        std::path::absolute(&folder).tried("found", &folder)
    }

    fn filled(&self, folder: &Path, port: u16) -> impl Iterator<Item = (&String, String)> {
        let path = folder.to_string_lossy().into_owned();
        let declared = self.surroundings.declared.iter();
        declared.map(move |(name, value)| (name, self.release.fill(value, &path, port)))
    }

    fn spawn(&self, port: u16) -> Result<Service, DeployError> {
        let release = self.release;
        let folder = self.folder()?;
        let log = self.place.log(&release.name);
        let opened = OpenOptions::new().create(true).append(true).open(&log).tried("opened", &log)?;
        let printed = self.command(&folder, port).stderr(opened).output();
        let printed = printed.tried("started", &PathBuf::from("/bin/sh"))?;
        let pid = String::from_utf8_lossy(&printed.stdout).trim().parse().ok();
        let process = pid.and_then(process::identity).ok_or_else(|| self.exited(port))?;
        Ok(self.service(process, port))
    }

    fn command(&self, folder: &Path, port: u16) -> Command {
        let release = self.release;
        let path = folder.to_string_lossy();
        let mut command = self.surroundings.command("/bin/sh");
        command
            .args(["-c", DETACH, "sh"])
            .args(release.argv(&path, port))
            .current_dir(folder)
            .env("PORT", port.to_string())
            .envs(self.filled(folder, port))
            .env_remove(ORDER_VARIABLE)
            .env(TAG, release.tag())
            .stdout(Stdio::piped());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        command
    }

    fn service(&self, process: Process, port: u16) -> Service {
        let Release { environment, version, name, digest, order, .. } = self.release;
        Service {
            environment: environment.clone(),
            version: version.clone(),
            release: name.clone(),
            process,
            port,
            url: url(port),
            since: Timestamp::now(),
            digest: *digest,
            order: order.clone(),
            tag: self.release.tag(),
        }
    }

    fn exited(&self, port: u16) -> DeployError {
        DeployError::Exited { port, tail: self.surroundings.tail(&self.place.log(&self.release.name)) }
    }

    /// Waits until something listens on the port, as long as the service is there.
    fn wait(&self, service: &Service) -> Result<(), DeployError> {
        let until = Instant::now() + self.release.start_timeout.duration();
        while Instant::now() < until {
            self.halt.check()?;
            let listens = ports::listens(service.port);
            if !process::is_alive(&service.process) {
                return Err(self.exited(service.port));
            }
            if listens {
                return Ok(());
            }
            self.halt.pause(Duration::from_millis(10))?;
        }
        let instead = format!("; {}", listening::instead(&service.tag));
        let tail = self.surroundings.tail(&self.place.log(&self.release.name));
        let (port, seconds) = (service.port, self.release.start_timeout.to_string());
        Err(DeployError::Silent { port, seconds, instead, tail })
    }
}
