//! Plain functions for a command line: what is deployed, and the end of it.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::error::DeployError;
use super::halt::Halt;
use super::place::Place;
use super::stop::{self, StopInput, Stopped, Which};
use super::supervise;
use super::traffic::{self, Traffic};
use crate::deployment::analysis::{Decision, Line};
use crate::deployment::{Claim, Environment, Happening, ProxyConfig, Service, Version};

/// What a deployed service is in its environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is the one that counts.
    Current,
    /// It was started and is not current.
    Candidate,
}

/// A deployed service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
}

impl Deployment {
    fn of(place: &Place, service: Service, role: Role) -> Self {
        let running = supervise::running(place, &service);
        let alive = running.is_some();
        let service = Service { process: running.unwrap_or(service.process), ..service };
        let Service { environment, version, release, process, port, url, since, .. } = service;
        Self { environment, role, version, release, pid: process.pid, port, url, since, alive }
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
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Standing {
    /// Which.
    pub environment: Environment,
    /// Who changes it; whether that is still so, the run tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
    /// The services that are recorded.
    pub services: Vec<Deployment>,
    /// What clients ask; none where nothing was ever current.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether a proxy stands before it.
    pub proxied: bool,
    /// What the proxy says; none where there is none, or none answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
    /// What the watch of the candidate, or of the current version on watch, decided last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watching>,
}

/// A watch under way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Watching {
    /// What is watched.
    pub release: String,
    /// How often it was looked.
    pub looks: u64,
    /// What the look before the last decided.
    pub decision: Decision,
}

/// A release that is kept, and may be started again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its version.
    pub version: Version,
    /// Its name.
    pub release: String,
    /// Whether it is the current one.
    pub current: bool,
    /// Whether it is the one before.
    pub previous: bool,
}

/// How environments stand: one, or all of a state folder.
pub fn standing(state: &Path, environment: Option<&Environment>) -> Result<Vec<Standing>, DeployError> {
    let places = Place::all(state)?;
    let wanted = places.iter().filter(|place| environment.is_none_or(|wanted| place.environment == *wanted));
    wanted.map(stands).collect()
}

fn stands(place: &Place) -> Result<Standing, DeployError> {
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
    let (environment, proxied) = (place.environment.clone(), fronted.is_some());
    Ok(Standing { environment, claim, services, url, proxied, traffic: traffic::traffic(place), watch })
}

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

/// The releases of an environment that are kept, the newest first.
pub fn kept(state: &Path, environment: &Environment) -> Result<Vec<Kept>, DeployError> {
    let place = Place::new(state, environment);
    let current = place.current()?;
    let previous = current.as_ref().and_then(|current| current.previous.as_ref());
    let mut releases = place.releases()?;
    // An order begins with its run, and that with its time.
    releases.sort_by(|one, other| other.order.cmp(&one.order));
    let is = |service: Option<&Service>, name: &str| service.is_some_and(|service| service.release == name);
    let kept = releases.into_iter().map(|release| Kept {
        current: is(current.as_ref().map(|current| &current.service), &release.name),
        previous: is(previous, &release.name),
        version: release.version,
        release: release.name,
    });
    Ok(kept.collect())
}

/// What happened in an environment, oldest first. A line that a crash cut off is left out.
pub fn history(state: &Path, environment: &Environment) -> Result<Vec<Happening>, DeployError> {
    Place::new(state, environment).history()
}

/// Ends every service that was deployed from a state folder, recorded or not; says which ran.
pub fn stop_all(state: &Path) -> Result<Vec<Stopped>, DeployError> {
    Ok(stop::stop(state, &StopInput::new(None, Which::All), &Halt::default())?.stopped)
}
