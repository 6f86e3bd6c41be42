//! Puts an environment right that a deployment left half done: all traffic on one healthy version, everything else ended.

use std::time::Duration;

use jiff::Timestamp;
use orchestrator_core::id::RunId;

use super::check::{self, CheckHealthInput};
use super::error::DeployError;
use super::halt::Halt;
use super::place::Place;
use super::promote::switch;
use super::stop;
use super::supervise;
use super::traffic::{self, Keeping};
use crate::deployment::{Current, Ending, Happening, Seconds, Service, What};

/// How long a version may take until it counts as not healthy here.
const PATIENCE: Seconds = Seconds::known(5);
/// The same of one that its supervisor is about to start again: that is its longest pause, and a little more.
const COMING: Seconds = Seconds::known(35);
/// How long what is left over gets to end.
const GRACE: Duration = Duration::from_secs(5);

/// Puts all traffic on one healthy version and ends the others; says what it did, and what it could not. The lock is held.
///
/// What a switch or a rollback gave the traffic comes first, even where that could not be recorded. The version before comes next where the watch over the current one was cut off. Then the current one, then the candidate. Where none is healthy everything stays as it is.
pub(super) fn steady(place: &Place, keeping: &Keeping, halt: &Halt) -> Result<Vec<String>, DeployError> {
    let (current, candidate) = (place.current()?, place.candidate()?);
    let watched = current.as_ref().filter(|current| current.on_watch);
    let before = watched.and_then(|current| current.previous.clone());
    let before = before.map(|service| supervise::stands(place, service)).transpose()?.flatten();
    let serves = current.as_ref().map(|current| current.service.clone());
    let going = going(place, serves.as_ref())?;
    let alone = before.is_none() && candidate.is_none() && going.is_none();
    if alone && traffic::is_on(place, serves.as_ref())? {
        place.set_going(None)?;
        return Ok(Vec::new());
    }
    // Who was only tried comes in where the one that counts is gone for good: one that crashed is started again, and of one of which
    // nobody can tell nothing is known.
    let stays = serves.clone().map(|service| supervise::stands(place, service)).transpose()?.flatten();
    let tried = candidate.filter(|_| stays.is_none());
    let wanted: Vec<Service> = going.into_iter().chain(before).chain(serves.clone()).chain(tried).collect();
    let mut notes = Vec::new();
    let mut found = None;
    for service in wanted {
        let Some(service) = supervise::stands(place, service)? else { continue };
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
    // It may have been started again meanwhile.
    let service = supervise::stands(place, service.clone())?.unwrap_or(service);
    supervise::keep(place, &service.release)?;
    keeping.revive(place, halt)?;
    let switched = traffic::only(place, &service, halt)?;
    if serves.as_ref().is_none_or(|serves| serves.release != service.release) {
        if let Some(taken) = watched.map(|current| current.service.clone()) {
            took_back(place, taken, &service);
        }
        let current = current.map(|current| Current { on_watch: false, ..current });
        switch(place, &service, current, What::Reinstated, &service.order)?;
        notes.push(format!("{} is the current version again", service.version));
    }
    if switched.is_some_and(|switched| switched.changed) {
        notes.push(format!("all traffic was put on {}", service.version));
    }
    place.set_url(Some(&traffic::public(place, &service)?))?;
    place.set_candidate(None)?;
    place.set_going(None)?;
    for ended in stop::end_releases(place, |release| release != service.release, GRACE)? {
        notes.push(format!("{} was left over and ended", ended.version));
    }
    Ok(notes)
}

/// What is to come back and has traffic, where something else counts yet.
fn going(place: &Place, counts: Option<&Service>) -> Result<Option<Service>, DeployError> {
    let other = |going: &Service| counts.is_none_or(|counts| counts.release != going.release);
    let Some(going) = place.going()?.filter(other) else { return Ok(None) };
    let shares = traffic::traffic(place).map(|traffic| traffic.shares).unwrap_or_default();
    Ok(shares.get(&going.release).is_some_and(|share| *share > 0).then_some(going))
}

/// Tells how the deployment of what was on watch ended: nobody else does, and it never counted. A disk that is full keeps nobody from
/// putting the rest right.
fn took_back(place: &Place, taken: Service, instead: &Service) {
    let Service { version, release, order, .. } = taken;
    let history = place.history().unwrap_or_default();
    let last = history.iter().rev().find(|line| line.release == release);
    if last.is_some_and(|line| line.verdict == Some(Ending::RolledBack)) {
        return;
    }
    let _ = place.tell_all(&Happening {
        at: Timestamp::now(),
        what: What::Ended,
        version,
        release,
        run: order.split('/').next().and_then(|run| RunId::new(run).ok()),
        order: Some(order),
        who: None,
        verdict: Some(Ending::RolledBack),
        why: format!("its deployment was cut off while it was watched; {} is back", instead.version),
    });
}

fn is_healthy(place: &Place, service: &Service, halt: &Halt) -> Result<(), DeployError> {
    // One whose folder is gone is asked all the same.
    let mut health = place.release(&service.release)?.map(|release| release.health).unwrap_or_default();
    let runs = supervise::running(place, service)?.is_some();
    let patience = if runs { PATIENCE } else { COMING };
    if !runs || health.timeout > patience {
        health.timeout = patience;
    }
    let (url, version) = (service.url.clone(), Some(service.version.clone()));
    let input = CheckHealthInput { url, health, version, service: None };
    check::check(&input, None, halt).map(drop)
}
