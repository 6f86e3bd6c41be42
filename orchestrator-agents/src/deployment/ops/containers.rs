//! Releases that are containers: what operations ask of a release and do to it, answered by its engine. A release whose record names
//! no container is no business of these functions.
//!
//! A container is known by its name and its labels; one that has the name and not the labels is somebody else's and left alone.

mod engine;
mod fault;
mod gone;
mod log;
mod look;
mod seen;
mod start;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::check;
use super::error::DeployError;
use super::halt::Halt;
use super::place::Place;
use crate::deployment::analysis::Life;
use crate::deployment::service::url;
use crate::deployment::{Container, Health, Process, Seconds, Service};

use engine::Engine;
use fault::Fault;
use seen::{Seen, Wanted};

pub(super) use gone::{forget, silent};
pub use look::{EngineInput, EngineOutput, LookAtEngine};
pub use start::{ContainerInput, StartContainer};

/// How long an engine may take to say whether a service runs: there is another way to see that.
const SOON: Duration = Duration::from_secs(5);

/// The same before a log is brought, which the looks of a watch wait for.
const LOOK: Duration = Duration::from_secs(2);

/// The container of a release; none where it is a process of this machine. A record that cannot be read names none.
fn of(place: &Place, release: &str) -> Option<Container> {
    place.release(release).ok().flatten()?.container
}

/// Its container as it is; none where there is none of ours.
fn seen(container: &Container) -> Result<Option<Seen>, DeployError> {
    seen_by(&Engine::at(&container.socket), container)
}

fn seen_by(engine: &Engine, container: &Container) -> Result<Option<Seen>, DeployError> {
    match engine.look(&container.name) {
        // Nobody waits for it any more.
        Err(DeployError::NoEngine { .. }) if container.forgotten => Ok(None),
        seen => Ok(seen?.filter(|seen| seen.is(container))),
    }
}

/// The process of a service that runs in a container; none where it does not. An error where its engine cannot be asked: that says
/// nothing about the container.
pub(super) fn running(place: &Place, service: &Service) -> Result<Option<Process>, DeployError> {
    Ok(known(place, service)?.and_then(|seen| seen.process()))
}

/// The same, and the process that was recorded where the engine starts it again in a moment.
pub(super) fn stands(place: &Place, service: &Service) -> Result<Option<Process>, DeployError> {
    let seen = known(place, service)?;
    let returns = |seen: Seen| seen.process().or_else(|| seen.returns.then(|| service.process.clone()));
    Ok(seen.and_then(returns))
}

fn known(place: &Place, service: &Service) -> Result<Option<Seen>, DeployError> {
    let Some(container) = place.release(&service.release)?.and_then(|release| release.container) else {
        return Ok(None);
    };
    seen_by(&Engine::at(&container.socket).within(SOON), &container)
}

/// How a release ended that does not run or did not always: what is proved must not. None where it is no container.
pub(super) fn never_failed(place: &Place, release: &str) -> Option<Result<Option<String>, DeployError>> {
    let container = of(place, release)?;
    let seen = seen_by(&Engine::at(&container.socket).within(SOON), &container);
    Some(seen.map(|seen| match seen {
        Some(seen) if seen.runs && seen.restarts == 0 => None,
        Some(seen) => Some(seen.end()),
        None => Some(format!("there is no container `{}` any more", container.name)),
    }))
}

/// Why the record of a release must stay: there is a container of it, or nobody can tell. None where there is none.
pub(super) fn holds(place: &Place, release: &str) -> Option<String> {
    let container = of(place, release)?;
    match seen(&container) {
        Ok(None) => None,
        Ok(Some(_)) => Some(format!("there is a container `{}` of it", container.name)),
        Err(error) => Some(format!("whether there is a container of it is not known: {error}")),
    }
}

/// How the container of a release is; none where nobody can tell within that time.
pub(super) fn life(place: &Place, release: &str, patience: Duration) -> Option<Life> {
    let container = of(place, release)?;
    let (begun, engine) = (Instant::now(), Engine::at(&container.socket).within(patience));
    let Some(seen) = seen_by(&engine, &container).ok()? else { return Some(Life::default()) };
    let engine = engine.within(patience.saturating_sub(begun.elapsed()));
    let rss_kib = if seen.runs { engine.memory_kib(&container.name) } else { None };
    let supervised = seen.runs && seen.restarts < seen.most_restarts || seen.returns;
    Some(Life { alive: seen.runs, supervised, restarts: seen.restarts, crash_loop: seen.gave_up(), rss_kib })
}

/// Brings what its container wrote to the log of a release; one that is no container is left alone. What does not succeed is left to
/// the next time.
pub(super) fn bring_log(place: &Place, release: &str) {
    if let Some(container) = of(place, release) {
        let _ = log::bring(place, release, &container);
    }
}

/// The same; an error where there may be more than was brought.
pub(super) fn brought(place: &Place, release: &str) -> Result<(), DeployError> {
    let Some(container) = of(place, release) else { return Ok(()) };
    // Whose container is gone was brought whole when that went. An engine that hangs is found out soon.
    if seen_by(&Engine::at(&container.socket).within(LOOK), &container)?.is_none() {
        return Ok(());
    }
    log::bring(place, release, &container)
}

/// Ends the container of a release and removes it; its log stays. Says whether there was one; nothing where it is no container.
pub(super) fn end(place: &Place, release: &str, grace: Duration) -> Option<Result<bool, DeployError>> {
    let container = of(place, release)?;
    Some(end_of(place, release, &container, grace))
}

fn end_of(place: &Place, release: &str, container: &Container, grace: Duration) -> Result<bool, DeployError> {
    let Some(seen) = seen(container)? else { return Ok(false) };
    let engine = Engine::at(&container.socket);
    if seen.runs || seen.returns {
        engine.stop(&container.name, grace)?;
    }
    let _ = log::bring(place, release, container);
    engine.remove(&container.name)
}

/// The releases of an environment that have a container, running or not, recorded or left over. An engine that does not answer is asked in
/// vain: what of it is recorded fails when it is to be ended.
pub(super) fn there(place: &Place) -> Result<BTreeSet<String>, DeployError> {
    let all: Vec<_> = place
        .releases()?
        .into_iter()
        .filter_map(|release| Some((release.name, release.container?)))
        .collect();
    let mut names = BTreeSet::new();
    for listed in listed(all.iter().map(|(_, container)| container)) {
        names.extend(listed.unwrap_or_default());
    }
    Ok(all
        .into_iter()
        .filter(|(_, container)| names.contains(&container.name))
        .map(|(release, _)| release)
        .collect())
}

/// An error where an engine that had containers of an environment cannot be asked whether there are any: then nobody may say that
/// nothing runs.
pub(super) fn told(place: &Place) -> Result<(), DeployError> {
    let all: Vec<Container> = place.releases()?.into_iter().filter_map(|release| release.container).collect();
    listed(&all).into_iter().try_for_each(|listed| listed.map(drop))
}

/// What each engine has of the environment of these containers. One that does not answer, and whose containers are all forgotten, has none.
fn listed<'c>(all: impl IntoIterator<Item = &'c Container>) -> Vec<Result<Vec<String>, DeployError>> {
    let mut engines: BTreeMap<(&PathBuf, &str), bool> = BTreeMap::new();
    for container in all {
        if let Some(own) = container.label("place") {
            *engines.entry((&container.socket, own)).or_insert(true) &= container.forgotten;
        }
    }
    let ask = |((socket, own), forgotten): ((&PathBuf, &str), bool)| match Engine::at(socket)
        .labelled("orchestrate.place", own)
    {
        Err(DeployError::NoEngine { .. }) if forgotten => Ok(Vec::new()),
        listed => listed,
    };
    engines.into_iter().map(ask).collect()
}

/// A container that is about to be made and started.
pub(super) struct Starting<'a> {
    pub(super) place: &'a Place,
    pub(super) release: &'a str,
    pub(super) container: &'a Container,
    pub(super) args: Vec<String>,
    pub(super) env: std::collections::BTreeMap<String, String>,
    pub(super) publish: u16,
    pub(super) health: &'a Health,
    pub(super) halt: &'a Halt,
}

impl Starting<'_> {
    /// Makes and starts it; its process. Whatever has its name and its labels is left over from before, and goes.
    pub(super) fn begin(&self) -> Result<Process, DeployError> {
        let Container { name, socket, image, image_id, .. } = self.container;
        let engine = Engine::at(socket);
        if let Some(known) = engine.look(name)? {
            if !known.is(self.container) {
                return Err(DeployError::NotOurs(name.clone()));
            }
            engine.remove(name)?;
        }
        gone::remember(self.place, self.release)?;
        let wanted = Wanted {
            container: self.container,
            args: self.args.clone(),
            env: self.env.clone(),
            publish: self.publish,
        };
        engine.create(&wanted).map_err(|fault| match fault {
            Fault::Said { code: 404, .. } => {
                let id = format!("`{image}` ({image_id})");
                DeployError::NoImage { image: id, next: "build or pull it, and deploy again".to_owned() }
            }
            fault => fault.about(socket, format!("make the container `{name}`")),
        })?;
        engine.start(name).map_err(|fault| {
            if fault.is_port() {
                DeployError::Taken(self.publish)
            } else {
                fault.about(socket, format!("start `{name}`"))
            }
        })?;
        engine.look(name)?.and_then(|seen| seen.process()).ok_or_else(|| self.exited())
    }

    /// Waits until something listens inside, as long as it runs and has never failed.
    pub(super) fn wait(&self, patience: Seconds) -> Result<(), DeployError> {
        let until = Instant::now() + patience.duration();
        while Instant::now() < until {
            self.halt.check()?;
            let listens = check::speaks(&url(self.publish), self.health);
            if !seen(self.container)?.is_some_and(|seen| seen.runs && seen.restarts == 0) {
                return Err(self.exited());
            }
            if listens {
                return Ok(());
            }
            self.halt.pause(Duration::from_millis(20))?;
        }
        bring_log(self.place, self.release);
        let (port, seconds) = (self.publish, patience.to_string());
        Err(DeployError::Silent { port, seconds, instead: String::new(), tail: String::new() })
    }

    fn exited(&self) -> DeployError {
        let how = seen(self.container).ok().flatten().map(|seen| seen.end());
        bring_log(self.place, self.release);
        let (name, how) = (self.container.name.clone(), how.unwrap_or_else(|| "it is gone".into()));
        DeployError::Ended { name, how, tail: String::new() }
    }
}
