//! Plain functions for a command line: what is deployed, and the end of it.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::error::DeployError;
use super::halt::Halt;
use super::place::Place;
use super::stop::{self, StopInput, Stopped, Which};
use super::supervise;
use crate::deployment::{Environment, Happening, Service, Version};

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

/// What happened in an environment, oldest first. A line that a crash cut off is left out.
pub fn history(state: &Path, environment: &Environment) -> Result<Vec<Happening>, DeployError> {
    Place::new(state, environment).history()
}

/// Ends every service that was deployed from a state folder, recorded or not; says which ran.
pub fn stop_all(state: &Path) -> Result<Vec<Stopped>, DeployError> {
    Ok(stop::stop(state, &StopInput::new(None, Which::All), &Halt::default())?.stopped)
}
