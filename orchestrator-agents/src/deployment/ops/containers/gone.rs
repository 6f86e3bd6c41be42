//! Containers of an engine that is gone for good: forgotten by name, so that what keeps the record of an environment lets go of it.
//!
//! An engine that answers again has them as before: what is forgotten and there is found, and ended, like any other.

use std::collections::BTreeMap;
use std::path::Path;

use orchestrator_core::id::OrderKey;

use super::{Engine, SOON};
use crate::deployment::ops::check;
use crate::deployment::ops::error::DeployError;
use crate::deployment::ops::place::Place;
use crate::deployment::{Container, Forgotten, Release, What};

/// The containers of an environment of which nobody can tell, since their engine does not answer. One that was forgotten is none.
pub(in crate::deployment::ops) fn silent(place: &Place) -> Result<Vec<Forgotten>, DeployError> {
    let releases = place.releases()?;
    let open = contained(&releases).filter(|(_, container)| !container.forgotten);
    unanswered(open)
        .into_iter()
        .map(|(release, container, why)| told(place, release, container, why))
        .collect()
}

/// Records that those are forgotten whose engine does not answer still; says which. Twice is as good as once. The lock is held.
pub(in crate::deployment::ops) fn forget(
    place: &Place,
    wanted: &[Forgotten],
    order: Option<&OrderKey>,
) -> Result<Vec<Forgotten>, DeployError> {
    let is_wanted = |release: &Release| {
        wanted.iter().any(|gone| {
            matches!(gone, Forgotten::Container { environment, release: name, .. }
                if *environment == release.environment && *name == release.name)
        })
    };
    let releases = place.releases()?;
    let mut forgotten = Vec::new();
    for (release, container, why) in
        unanswered(contained(&releases).filter(|(release, _)| is_wanted(release)))
    {
        forgotten.push(told(place, release, container, why)?);
        if !container.forgotten {
            set(place, release, true)?;
            let order = order.map(ToString::to_string);
            place.note(What::Forgotten, &release.version, &release.name, order.as_deref());
        }
    }
    Ok(forgotten)
}

/// A release that is started again is forgotten no more.
pub(super) fn remember(place: &Place, release: &str) -> Result<(), DeployError> {
    match place.release(release)? {
        Some(release) if release.container.as_ref().is_some_and(|container| container.forgotten) => {
            set(place, &release, false)
        }
        _ => Ok(()),
    }
}

fn contained(releases: &[Release]) -> impl Iterator<Item = (&Release, &Container)> {
    releases.iter().filter_map(|release| Some((release, release.container.as_ref()?)))
}

/// Those whose engine does not answer, and why; each engine is asked once. One that answers, whatever it says, is there.
fn unanswered<'r>(
    all: impl Iterator<Item = (&'r Release, &'r Container)>,
) -> Vec<(&'r Release, &'r Container, String)> {
    let mut engines: BTreeMap<&Path, Option<String>> = BTreeMap::new();
    let ask = |container: &Container| match Engine::at(&container.socket).within(SOON).look(&container.name) {
        Err(DeployError::NoEngine { why, .. }) => Some(why),
        _ => None,
    };
    let silent = |(release, container): (&'r Release, &'r Container)| {
        let why = engines.entry(&container.socket).or_insert_with(|| ask(container)).clone();
        why.map(|why| (release, container, why))
    };
    all.filter_map(silent).collect()
}

fn set(place: &Place, release: &Release, forgotten: bool) -> Result<(), DeployError> {
    let container = release.container.clone().map(|container| Container { forgotten, ..container });
    place.keep_release(&Release { container, ..release.clone() })
}

fn told(
    place: &Place,
    release: &Release,
    container: &Container,
    why: String,
) -> Result<Forgotten, DeployError> {
    let services = place.current()?.map(|current| current.service).into_iter().chain(place.candidate()?);
    let own = services.into_iter().find(|service| service.release == release.name);
    Ok(Forgotten::Container {
        environment: release.environment.clone(),
        container: container.name.clone(),
        socket: container.socket.clone(),
        version: release.version.clone(),
        release: release.name.clone(),
        answers: own.as_ref().is_some_and(|service| check::answers(place, service)),
        kept: own.is_none(),
        why,
    })
}
