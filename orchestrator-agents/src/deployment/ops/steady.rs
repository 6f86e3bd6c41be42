//! Puts an environment right that a deployment left half done: all traffic on one healthy version, everything else ended.

use std::time::Duration;

use super::check::{self, CheckHealthInput};
use super::error::DeployError;
use super::halt::Halt;
use super::place::Place;
use super::promote::switch;
use super::stop;
use super::supervise;
use super::traffic;
use crate::deployment::{Current, Seconds, Service, What};

/// How long a version may take until it counts as not healthy here.
const PATIENCE: Seconds = Seconds::known(5);
/// How long what is left over gets to end.
const GRACE: Duration = Duration::from_secs(5);

/// Puts all traffic on one healthy version and ends the others; says what it did, and what it could not. The lock is held.
///
/// The version before comes first where the watch over the current one was cut off. Then the current one, then the candidate. Where none is healthy everything stays as it is.
pub(super) fn steady(place: &Place, halt: &Halt) -> Result<Vec<String>, DeployError> {
    let (current, candidate) = (place.current()?, place.candidate()?);
    let watched = current.as_ref().filter(|current| current.on_watch);
    let before = watched.and_then(|current| current.previous.clone());
    let before = before.and_then(|service| supervise::as_it_runs(place, service));
    let serves = current.as_ref().map(|current| current.service.clone());
    let alone = before.is_none() && candidate.is_none();
    if alone && traffic::is_on(place, serves.as_ref())? {
        return Ok(Vec::new());
    }
    let wanted: Vec<Service> = before.into_iter().chain(serves.clone()).chain(candidate).collect();
    let mut notes = Vec::new();
    let mut found = None;
    for service in wanted.into_iter().filter_map(|service| supervise::as_it_runs(place, service)) {
        match is_healthy(place, &service, halt) {
            Ok(()) => {
                found = Some(service);
                break;
            }
            Err(DeployError::Stopped) => return Err(DeployError::Stopped),
            Err(error) => notes.push(format!("{} is not healthy: {error}", service.version)),
        }
    }
    let Some(service) = found else {
        let what = if serves.is_some() {
            "no version is healthy; what is there stays as it is"
        } else {
            "no version runs"
        };
        notes.push(what.to_owned());
        return Ok(notes);
    };
    if serves.as_ref().is_none_or(|serves| serves.release != service.release) {
        let current = current.map(|current| Current { on_watch: false, ..current });
        switch(place, &service, current, What::Reinstated, &service.order)?;
        notes.push(format!("{} is the current version again", service.version));
    }
    if let Some(switched) = traffic::only(place, &service, halt)? {
        notes.extend(switched.changed.then(|| format!("all traffic was put on {}", service.version)));
    }
    place.set_url(Some(&traffic::public(place, &service)?))?;
    place.set_candidate(None)?;
    for ended in stop::end_releases(place, |release| release != service.release, GRACE)? {
        notes.push(format!("{} was left over and ended", ended.version));
    }
    Ok(notes)
}

fn is_healthy(place: &Place, service: &Service, halt: &Halt) -> Result<(), DeployError> {
    let Some(release) = place.release(&service.release)? else { return Ok(()) };
    let mut health = release.health;
    if health.timeout > PATIENCE {
        health.timeout = PATIENCE;
    }
    let input =
        CheckHealthInput { url: service.url.clone(), health, version: Some(release.version), service: None };
    check::check(&input, None, halt).map(drop)
}
