//! Which hosts an environment is recorded to be on, and whether it may be on another.

use std::collections::BTreeSet;

use super::prepare::PrepareHostInput;
use crate::deployment::HostName;
use crate::deployment::hosts::{Host, HostRecord};
use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::place::Place;
use crate::deployment::ops::supervise;

/// An environment is in one place at a time, or on one list of hosts.
pub(super) fn free_for(
    place: &Place,
    input: &PrepareHostInput,
    known: &[HostRecord],
) -> Result<(), DeployError> {
    let environment = place.environment.clone();
    if known.is_empty() {
        let current = place.current()?.map(|current| supervise::running(place, &current.service));
        let runs = current.transpose()?.flatten().is_some();
        let at = "this machine".to_owned();
        return if runs { Err(DeployError::Elsewhere { environment, at }) } else { Ok(()) };
    }
    let Some(other) = known.iter().find(|record| !record.ended && !input.names(&record.host)) else {
        return Ok(());
    };
    let host = other.host.name.to_string();
    // The way to it, and the program there, may be others now; not its folder.
    let moved = input.beside.iter().chain([&input.host.name]).any(|name| *name == other.host.name);
    let folder = if moved { format!("folder `{}` of ", other.host.folder) } else { String::new() };
    let goes_on = known.iter().any(|record| !record.ended && input.names(&record.host));
    Err(if goes_on {
        DeployError::LeftOut { environment, host }
    } else {
        DeployError::Elsewhere { environment, at: format!("{folder}host `{host}`") }
    })
}

impl PrepareHostInput {
    /// Whether it is one of the hosts that the environment is to be on.
    fn names(&self, host: &Host) -> bool {
        let of = |name: &HostName| Host { name: name.clone(), ..self.host.clone() };
        host.is_at(&self.host) || self.beside.iter().any(|name| of(name).is_at(host))
    }
}

/// The records with that one at its place, or at the end; what ended elsewhere is forgotten.
pub(super) fn added(known: Vec<HostRecord>, own: HostRecord, input: &PrepareHostInput) -> Vec<HostRecord> {
    let mut all: Vec<HostRecord> = known.into_iter().filter(|record| input.names(&record.host)).collect();
    match all.iter().position(|record| record.host.is_at(&own.host)) {
        Some(at) => all[at] = own,
        None => all.push(own),
    }
    all
}

/// An environment that had ended on a host is there again: what ended it is undone.
pub(super) fn goes_on(
    place: &Place,
    host: &Host,
    secrets: &BTreeSet<String>,
    halt: &Halt,
) -> Result<(), DeployError> {
    if place.host(host)?.is_some_and(|record| !record.ended) {
        return Ok(());
    }
    let _locked = place.lock(halt)?;
    let known = place.hosts()?;
    let is_one = known.iter().any(|record| record.host.is_at(host));
    let beside = known.iter().filter(|_| is_one).map(|record| record.host.name.clone()).collect();
    let environment = place.environment.clone();
    let input = PrepareHostInput { host: host.clone(), environment, secrets: secrets.clone(), beside };
    free_for(place, &input, &known)?;
    let fresh = || HostRecord { secrets: secrets.clone(), ..HostRecord::fresh(host.clone()) };
    let own = place.known(host)?.unwrap_or_else(fresh);
    place.set_hosts(added(known, HostRecord { ended: false, ..own }, &input))?;
    place.seen_to(std::slice::from_ref(host))
}
