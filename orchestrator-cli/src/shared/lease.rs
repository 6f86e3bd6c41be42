//! Leases: of all machines that share a run, one at a time goes on with it.
//!
//! A lease is a name `runs/ID/leases/N` that only one machine can create. The one with the highest number counts. It is let
//! go by its holder, or runs out; then number N+1 is free for whoever is first. Nothing is ever removed, so two machines that
//! see the same lease run out cannot both follow it.

use std::time::Duration;

use jiff::Timestamp;
use orchestrator_core::id::RunId;
use orchestrator_core::lock::Owner;
use serde::{Deserialize, Serialize};

use super::{SharedError, Team};

/// How long a lease holds unless it is renewed. Clocks of machines may differ by a small part of that.
const TERM: Duration = Duration::from_mins(10);
/// How often it is renewed.
pub(crate) const RENEW: Duration = Duration::from_mins(2);
/// The longest lease that is read.
const LONGEST: u64 = 64 << 10;

/// The right to go on with a shared run.
#[derive(Clone)]
pub(crate) struct Lease {
    team: Team,
    run: RunId,
    n: u64,
    owner: Owner,
}

/// What others see of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    owner: Owner,
    until: Timestamp,
    released: bool,
}

/// What became of a lease that was to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewed {
    Held,
    Lost,
}

impl Team {
    /// Takes the lease of a shared run; none where the run is not shared. `over` takes it from whoever holds it.
    pub(crate) fn lease(&self, run: &RunId, over: bool) -> Result<Option<Lease>, SharedError> {
        if self.manifest(run)?.is_none() {
            return Ok(None);
        }
        if !self.write {
            return Err(SharedError::ReadOnly { run: run.clone(), address: self.address().to_owned() });
        }
        let last = self.last(run)?;
        if let Some(n) = last.filter(|_| !over) {
            self.free(run, n)?;
        }
        let n = last.map_or(1, |n| n + 1);
        let lease = Lease { team: self.clone(), run: run.clone(), n, owner: Owner::here(run.clone(), "") };
        let bytes = lease.bytes(false);
        let created = self.place.create(&lease.name(), bytes.clone()).map_err(|source| self.away(source))?;
        // An answer that was lost on its way is asked for again, and then the name is taken by ourselves.
        if created || self.read(&lease.name(), LONGEST)?.is_some_and(|there| there == bytes) {
            return Ok(Some(lease));
        }
        Err(held(run, self.seen(run, n)?.as_ref()))
    }

    /// The highest number.
    fn last(&self, run: &RunId) -> Result<Option<u64>, SharedError> {
        let names = self.place.list(&format!("runs/{run}/leases")).map_err(|source| self.away(source))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).max())
    }

    /// Whether a lease may be followed.
    fn free(&self, run: &RunId, n: u64) -> Result<(), SharedError> {
        match self.seen(run, n)? {
            Some(seen) if seen.released || seen.until < Timestamp::now() => Ok(()),
            seen => Err(held(run, seen.as_ref())),
        }
    }

    fn seen(&self, run: &RunId, n: u64) -> Result<Option<Seen>, SharedError> {
        let bytes = self.read(&format!("runs/{run}/leases/{n}"), LONGEST)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

impl Lease {
    fn name(&self) -> String {
        format!("runs/{}/leases/{}", self.run, self.n)
    }

    fn bytes(&self, released: bool) -> Vec<u8> {
        let until = Timestamp::now() + TERM;
        let seen = Seen { owner: self.owner.clone(), until, released };
        serde_json::to_vec(&seen).expect("a lease has string keys only")
    }

    /// Whether it still counts, as far as the place knows now.
    pub(super) fn counts(&self) -> Result<bool, SharedError> {
        Ok(self.team.last(&self.run)? == Some(self.n))
    }

    /// Holds it for another term.
    pub(crate) fn renew(&self) -> Result<Renewed, SharedError> {
        if !self.counts()? {
            return Ok(Renewed::Lost);
        }
        let put = self.team.place.put_bytes(&self.name(), self.bytes(false));
        put.map_err(|source| self.team.away(source))?;
        Ok(Renewed::Held)
    }

    /// Lets it go. One that cannot be let go runs out.
    pub(crate) fn release(&self) {
        if let Err(error) = self.team.place.put_bytes(&self.name(), self.bytes(true)) {
            let (address, run) = (self.team.address(), &self.run);
            tracing::warn!(address, %run, %error, "the lease of the run could not be let go; it runs out by itself");
        }
    }

    /// The error of a lease that another machine took.
    pub(crate) fn lost(&self) -> SharedError {
        SharedError::Lost(self.run.clone())
    }
}

fn held(run: &RunId, seen: Option<&Seen>) -> SharedError {
    let holder = match seen {
        Some(Seen { owner, until, .. }) => {
            let until = until.strftime("%Y-%m-%d %H:%M:%S UTC");
            let Owner { pid, host, since, .. } = owner;
            let since = since.strftime("%H:%M:%S");
            format!("process {pid} on `{host}` since {since}, its lease holds until {until}")
        }
        None => "its lease cannot be read".to_owned(),
    };
    SharedError::Held { run: run.clone(), holder }
}
