//! Plain functions for a command line: what is deployed, and the end of it.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::DeployError;
use super::halt::Halt;
use super::place::Place;
use super::stop::{self, StopInput, Stopped, Which};
use super::traffic::{self, Traffic};
use super::{process, supervise};
use crate::deployment::analysis::{Decision, Line};
use crate::deployment::supervise::{Answer, Kept, KeptProxy, Order, State};
use crate::deployment::{Claim, Environment, Happening, ProxyConfig, Remembered, Service, Version};

/// What a deployed service is in its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is the one that counts.
    Current,
    /// It was started and is not current.
    Candidate,
}

/// A deployed service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Where.
    pub environment: Environment,
    /// What it is there.
    pub role: Role,
    /// Which version.
    pub version: Version,
    /// Its release.
    pub release: String,
    /// Id of its process.
    pub pid: u32,
    /// Its port.
    pub port: u16,
    /// Where it answers.
    pub url: String,
    /// When it was started.
    pub since: Timestamp,
    /// Whether it runs.
    pub alive: bool,
    /// How its supervisor keeps it; none where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Supervised>,
}

/// What a supervisor knows of what it keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervised {
    /// How it stands.
    pub state: State,
    /// How often it was started again.
    pub restarts: u32,
    /// How it ended the last time, or why it does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Bytes of memory of all its processes; none where no supervisor answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident: Option<u64>,
}

impl Supervised {
    fn of(kept: &Kept) -> Self {
        let Kept { state, restarts, last_exit, why, .. } = kept.clone();
        Self { state, restarts, why: why.or(last_exit), resident: None }
    }

    fn of_proxy(kept: &KeptProxy) -> Self {
        let KeptProxy { state, restarts, why, .. } = kept.clone();
        Self { state, restarts, why, resident: None }
    }
}

impl Deployment {
    fn of(place: &Place, service: Service, role: Role) -> Self {
        let running = supervise::running(place, &service).ok().flatten();
        let alive = running.is_some();
        let service = Service { process: running.unwrap_or(service.process), ..service };
        let Service { environment, version, release, process, port, url, since, .. } = service;
        let roster = place.roster().ok().flatten();
        let kept = roster.and_then(|roster| roster.services.get(&release).map(Supervised::of));
        Self { environment, role, version, release, pid: process.pid, port, url, since, alive, kept }
    }
}

/// What is deployed from a state folder, by environment; the current service before the candidate.
pub fn deployments(state: &Path) -> Result<Vec<Deployment>, DeployError> {
    let mut all = Vec::new();
    for place in Place::all(state)? {
        all.extend(place.current()?.map(|current| Deployment::of(&place, current.service, Role::Current)));
        all.extend(place.candidate()?.map(|candidate| Deployment::of(&place, candidate, Role::Candidate)));
    }
    Ok(all)
}

/// How an environment stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// Which.
    pub environment: Environment,
    /// The host that it is on; none where it is on this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    /// Why nothing more is known of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Who changes it; whether that is still so, the run tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// Whether the process that claimed it is there, where the environment is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimant: bool,
    /// The services that are recorded.
    pub services: Vec<Deployment>,
    /// What clients ask; none where nothing was ever current.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether a proxy stands before it.
    pub proxied: bool,
    /// What the proxy says; none where there is none, or none answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// How the supervisor keeps the proxy; none where it keeps none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Supervised>,
    /// What the watch of the candidate, or of the current version on watch, decided last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watching>,
    /// That the host was forgotten, and whether it answers again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<Remembered>,
}

impl Standing {
    /// One of which nothing is known.
    pub(super) fn nothing(environment: Environment) -> Self {
        let (on, problem, claim, url, traffic, proxy, watch) = (None, None, None, None, None, None, None);
        let (services, claimant, proxied) = (Vec::new(), false, false);
        let forgotten = None;
        Self {
            environment,
            on,
            problem,
            claim,
            claimant,
            services,
            url,
            proxied,
            traffic,
            proxy,
            watch,
            forgotten,
        }
    }
}

/// A watch under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watching {
    /// What is watched.
    pub release: String,
    /// How often it was looked.
    pub looks: u64,
    /// What the look before the last decided.
    pub decision: Decision,
}

/// The environments of a state folder, in order: their names alone, whatever their records hold.
pub fn environments(state: &Path) -> Result<Vec<Environment>, DeployError> {
    Ok(Place::all(state)?.into_iter().map(|place| place.environment).collect())
}

/// How environments stand: one, or all of a state folder. Of several, one whose records cannot be read hides no other.
pub fn standing(state: &Path, environment: Option<&Environment>) -> Result<Vec<Standing>, DeployError> {
    let places = Place::all(state)?;
    let Some(environment) = environment else {
        let unread = |place: &Place, error: &DeployError| {
            let problem = Some(error.line());
            Standing { problem, ..Standing::nothing(place.environment.clone()) }
        };
        return Ok(places
            .iter()
            .map(|place| stands(place).unwrap_or_else(|error| unread(place, &error)))
            .collect());
    };
    places.iter().filter(|place| place.environment == *environment).map(stands).collect()
}

fn stands(place: &Place) -> Result<Standing, DeployError> {
    // Where it is on hosts these say how it stands; that must be known.
    place.hosts()?;
    place.gone()?;
    let (current, candidate, fronted) = (place.current()?, place.candidate()?, place.fronted()?);
    let url = match (&current, &fronted) {
        (Some(current), _) => Some(traffic::public(place, &current.service)?),
        (None, fronted) => fronted.as_ref().map(ProxyConfig::url),
    };
    let claim = place.claim()?;
    let on_watch =
        current.as_ref().filter(|current| current.on_watch).map(|current| current.service.release.clone());
    let watched = on_watch.or_else(|| candidate.as_ref().map(|candidate| candidate.release.clone()));
    let watch = watched.filter(|_| claim.is_some()).and_then(|release| watching(place, release));
    let mut services: Vec<Deployment> =
        current.into_iter().map(|current| Deployment::of(place, current.service, Role::Current)).collect();
    services.extend(candidate.map(|candidate| Deployment::of(place, candidate, Role::Candidate)));
    let mut proxy =
        place.roster().ok().flatten().and_then(|roster| roster.proxy.as_ref().map(Supervised::of_proxy));
    if proxy.is_some() || services.iter().any(|service| service.kept.is_some()) {
        measured(place, &mut services, proxy.as_mut());
    }
    let (environment, proxied) = (place.environment.clone(), fronted.is_some());
    let traffic = traffic::traffic(place);
    let claimant = claim.as_ref().is_some_and(|claim| process::is_alive(&claim.process));
    Ok(Standing {
        claim,
        claimant,
        services,
        url,
        proxied,
        traffic,
        proxy,
        watch,
        ..Standing::nothing(environment)
    })
}

/// Adds the memory that the supervisor measures, where one answers.
fn measured(place: &Place, services: &mut [Deployment], proxy: Option<&mut Supervised>) {
    let Ok(Answer::Standing(now)) = supervise::ask(place, &Order::Status, PATIENCE) else { return };
    for service in services {
        if let Some(kept) = &mut service.kept {
            kept.resident = now.resident.get(&service.release).copied();
        }
    }
    if let Some(proxy) = proxy {
        proxy.resident = now.proxy_resident;
    }
}

/// How long the supervisor may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most bytes of the end of a recording that are read.
const END: u64 = 256 << 10;

/// The last decision in a recording.
fn watching(place: &Place, release: String) -> Option<Watching> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = std::fs::File::open(place.recording(&release)?).ok()?;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(END))).ok()?;
    let mut end = Vec::new();
    file.take(END).read_to_end(&mut end).ok()?;
    let text = String::from_utf8_lossy(&end);
    text.lines().rev().find_map(|line| match serde_json::from_str(line).ok()? {
        Line::Decision { look, decision } => {
            Some(Watching { release: release.clone(), looks: look + 1, decision })
        }
        _ => None,
    })
}

/// What happened in an environment, oldest first. A line that a crash cut off is left out.
pub fn history(state: &Path, environment: &Environment) -> Result<Vec<Happening>, DeployError> {
    Place::new(state, environment).history()
}

/// Ends every service that was deployed from a state folder, recorded or not; says which ran.
pub fn stop_all(state: &Path) -> Result<Vec<Stopped>, DeployError> {
    Ok(stop::stop(state, &StopInput::new(None, Which::All), None, &Halt::default())?.stopped)
}
