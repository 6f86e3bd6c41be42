//! What is deployed, on this machine and on hosts: their own records are asked there, those of several hosts at the same time. One that
//! does not answer hides no other.

use std::path::Path;

use orchestrator_agents::deployment::hosts::HostRecord;
use orchestrator_agents::deployment::ops::{
    Asking, DeployError, Kept, Standing, gone_hosts, history, history_on, hosts_of, kept, kept_on, standing,
    standing_on, standing_on_gone,
};
use orchestrator_agents::deployment::{Environment, GoneHost, Happening, OnHost};
use orchestrator_core::baseline;

use super::cannot;
use crate::error::CliError;
use crate::front::Front;

/// What one place of an environment says, or why it says nothing.
pub(super) struct There<T> {
    /// The host; none where it is this machine.
    pub(super) on: Option<HostRecord>,
    /// What it says.
    pub(super) said: Result<T, String>,
}

impl<T> There<T> {
    /// `production on web1`; `production` where there is no other place of it.
    pub(super) fn place(&self, environment: &Environment, of: usize) -> String {
        match &self.on {
            Some(record) if of > 1 => format!("{environment} on {}", record.host.name),
            _ => environment.to_string(),
        }
    }
}

fn state(front: &Front) -> &Path {
    front.here.layout.state()
}

fn asking(front: &Front) -> Asking {
    let env = baseline::environment(std::env::vars_os());
    Asking { root: front.here.root.clone(), env, program: crate::own::program().ok() }
}

/// The hosts of an environment, in the order that they were named in; none where it is on this machine. Those that it was ended on are
/// left out, unless it was ended on all.
pub(super) fn records(front: &Front, environment: &Environment) -> Result<Vec<HostRecord>, CliError> {
    let own = hosts_of(state(front), environment).map_err(|error| cannot(&error))?;
    let (ended, there): (Vec<_>, Vec<_>) = own.into_iter().partition(|record| record.ended);
    Ok(if there.is_empty() { ended } else { there })
}

/// The hosts of an environment that were forgotten, and that nobody has seen to.
pub(super) fn gone(front: &Front, environment: &Environment) -> Result<Vec<GoneHost>, CliError> {
    let mut all = all_gone(front, environment)?;
    all.retain(|gone| !gone.over);
    Ok(all)
}

/// Every host of an environment that was ever forgotten and is not on its list now, or is there again.
pub(super) fn all_gone(front: &Front, environment: &Environment) -> Result<Vec<GoneHost>, CliError> {
    gone_hosts(state(front), environment).map_err(|error| cannot(&error))
}

/// What acts on one of these hosts must know.
pub(super) fn on(record: &HostRecord, all: &[&HostRecord]) -> OnHost {
    let HostRecord { host, secrets, .. } = record.clone();
    let others = all.iter().map(|other| &other.host.name).filter(|name| **name != host.name);
    let beside = others.cloned().collect();
    OnHost { host, secrets, beside }
}

/// A host of an environment.
enum Place {
    Listed(HostRecord),
    Forgotten(GoneHost),
}

/// Asks all of them at the same time.
fn each<P: Sync, T: Send>(records: &[P], ask: impl Fn(&P) -> T + Sync) -> Vec<T> {
    let ask = &ask;
    std::thread::scope(|scope| {
        let asked: Vec<_> = records.iter().map(|record| scope.spawn(move || ask(record))).collect();
        let joined = asked.into_iter().map(std::thread::ScopedJoinHandle::join);
        joined.map(|said| said.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

/// How environments stand, each where it is.
pub(super) fn stand(front: &Front, environment: Option<&Environment>) -> Result<Vec<Standing>, CliError> {
    let mut all = Vec::new();
    for here in standing(state(front), environment).map_err(|error| cannot(&error))? {
        if here.problem.is_some() {
            all.push(here);
            continue;
        }
        let (records, gone) = (records(front, &here.environment)?, gone(front, &here.environment)?);
        let asking = asking(front);
        let environment = here.environment.clone();
        let places = records.into_iter().map(Place::Listed).chain(gone.into_iter().map(Place::Forgotten));
        let places: Vec<Place> = places.collect();
        if !places.iter().any(|place| matches!(place, Place::Listed(_))) {
            all.push(here);
        }
        all.extend(each(&places, |place| match place {
            Place::Listed(record) => standing_on(&asking, &environment, record),
            Place::Forgotten(gone) => standing_on_gone(&asking, &environment, gone),
        }));
    }
    Ok(all)
}

fn asked<T: Send>(
    front: &Front,
    environment: &Environment,
    there: impl Fn(&Asking, &HostRecord) -> Result<T, String> + Sync,
    here: impl FnOnce() -> Result<T, DeployError>,
) -> Result<Vec<There<T>>, CliError> {
    let records = records(front, environment)?;
    if records.is_empty() {
        return Ok(vec![There { on: None, said: here().map_err(|error| error.line()) }]);
    }
    let asking = asking(front);
    let said = each(&records, |record| there(&asking, record));
    Ok(records.into_iter().zip(said).map(|(record, said)| There { on: Some(record), said }).collect())
}

/// What happened in an environment, where it is.
pub(super) fn happened(
    front: &Front,
    environment: &Environment,
) -> Result<Vec<There<Vec<Happening>>>, CliError> {
    asked(
        front,
        environment,
        |asking, record| history_on(asking, environment, record),
        || history(state(front), environment),
    )
}

/// The releases that are kept, where the environment is.
pub(super) fn keeps(front: &Front, environment: &Environment) -> Result<Vec<There<Vec<Kept>>>, CliError> {
    asked(
        front,
        environment,
        |asking, record| kept_on(asking, environment, record),
        || kept(state(front), environment),
    )
}

/// What is said where a place could not be asked.
pub(super) fn unread(why: &str) -> CliError {
    CliError::io("what is deployed could not be read", std::io::Error::other(why.to_owned()))
}
