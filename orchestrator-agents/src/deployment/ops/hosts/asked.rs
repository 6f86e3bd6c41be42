//! Plain functions for a command line: what is deployed on hosts, as their own records there say.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use orchestrator_core::path::Digest;
use serde::de::DeserializeOwned;

use super::act::AT_ONCE;
use super::error::HostError;
use super::reach::Reach;
use crate::deployment::hosts::HostRecord;
use crate::deployment::hosts::wire::{Answer, Request};
use crate::deployment::ops::claim;
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::place::Place;
use crate::deployment::ops::{DeployError, Kept, Standing};
use crate::deployment::{Environment, GoneHost, Happening, Remembered};

/// How a command line asks.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The root of the checkout.
    pub root: PathBuf,
    /// The environment that `ssh` gets.
    pub env: Vec<(OsString, OsString)>,
    /// This program.
    pub program: Option<PathBuf>,
}

/// The environments of a state folder that are on hosts, each once for each of its hosts, in their order.
pub fn hosts(state: &Path) -> Result<Vec<(Environment, HostRecord)>, DeployError> {
    let mut all = Vec::new();
    for place in Place::all(state)? {
        all.extend(place.hosts()?.into_iter().map(|record| (place.environment.clone(), record)));
    }
    Ok(all)
}

/// The hosts of one environment; none where it is on this machine.
pub fn hosts_of(state: &Path, environment: &Environment) -> Result<Vec<HostRecord>, DeployError> {
    Place::new(state, environment).hosts()
}

/// The hosts of an environment that were forgotten, oldest first.
pub fn gone_hosts(state: &Path, environment: &Environment) -> Result<Vec<GoneHost>, DeployError> {
    Place::new(state, environment).gone()
}

impl Asking {
    fn ask<T: DeserializeOwned>(
        &self,
        environment: &Environment,
        record: &HostRecord,
        request: &Request,
    ) -> Result<T, String> {
        let ask = || -> Result<Answer, HostError> {
            let (program, owner) = (self.program.as_deref(), claim::owner_in(&self.env));
            let reach = Reach::new(&record.host, program, Some(record), &self.root, &self.env, owner)?;
            reach.ask(request, AT_ONCE, &Halt::default())
        };
        // One that has ended there, or was forgotten, keeps nothing waiting.
        let pinned = |error: HostError| {
            if record.ended { error } else { error.pinning(environment, &record.host) }
        };
        match ask().map_err(|error| pinned(error).to_string())? {
            Answer::Output(output) => output.parse().map_err(|error| format!("its answer is none: {error}")),
            other => Err(format!("its answer is none: {other:?}")),
        }
    }
}

/// How an environment on a host stands. Where the host is not reached, that is all that is told.
pub fn standing_on(asking: &Asking, environment: &Environment, record: &HostRecord) -> Standing {
    let on = Some(record.host.name.to_string());
    let request = Request::Standing { environment: Some(environment.clone()) };
    match asking.ask::<Vec<Standing>>(environment, record, &request) {
        Ok(found) => {
            let found = found.into_iter().next();
            Standing { on, ..found.unwrap_or_else(|| Standing::nothing(environment.clone())) }
        }
        Err(problem) => Standing { on, problem: Some(problem), ..Standing::nothing(environment.clone()) },
    }
}

/// How a host that was forgotten stands: what is there again, or that it is not reached still, which is no problem.
pub fn standing_on_gone(asking: &Asking, environment: &Environment, gone: &GoneHost) -> Standing {
    let record = HostRecord { ended: true, ..gone.record.clone() };
    let standing = standing_on(asking, environment, &record);
    let forgotten = Some(Remembered::of(gone, standing.problem.is_none()));
    Standing { forgotten, problem: None, ..standing }
}

/// What happened in an environment on a host, oldest first.
pub fn history_on(
    asking: &Asking,
    environment: &Environment,
    record: &HostRecord,
) -> Result<Vec<Happening>, String> {
    asking.ask(environment, record, &Request::History { environment: environment.clone() })
}

/// The releases that are kept there, the newest first.
pub fn kept_on(asking: &Asking, environment: &Environment, record: &HostRecord) -> Result<Vec<Kept>, String> {
    asking.ask(environment, record, &Request::Kept { environment: environment.clone() })
}

/// Whether a file is what it should be, and on the disk: a program that was brought is asked itself, before it counts.
pub fn is_program(file: &Path, digest: &str) -> io::Result<bool> {
    let mut file = std::fs::File::open(file)?;
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut file, &mut hasher)?;
    file.sync_all()?;
    Ok(digest.parse::<Digest>().is_ok_and(|wanted| wanted == hasher.finalize().into()))
}
