//! What is served: a table that is swapped in one step, and the versions that it left out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

use super::table::{Fields, Pick, Served, Why, check};
use super::tally::Tally;
use super::version::{Flight, Version};
use crate::protocol::{Counts, Response, Table, VersionStatus};

/// The most versions whose counts are kept; of more, those go that were left out first, never one that is served.
const REMEMBERED: usize = 256;
/// How long a drained version is still shown.
const SHOWN: Duration = Duration::from_mins(10);

/// The table that is served.
///
/// A request finds its version and is counted as under way with the lock held for reading; a new table takes its place with the lock
/// held for writing. So whoever is drained knows of each request that found it.
#[derive(Debug)]
pub struct Live {
    boot: String,
    started: Instant,
    served: RwLock<Served>,
    past: Mutex<Past>,
    drains: Notify,
}

/// What outlives a table. Held by whoever changes one, so changes follow each other.
#[derive(Debug, Default)]
struct Past {
    tallies: BTreeMap<(String, String), Kept>,
    leaving: Vec<Leaving>,
}

#[derive(Debug)]
struct Kept {
    tally: Arc<Tally>,
    /// The generation that had it last.
    last: u64,
}

#[derive(Debug)]
struct Leaving {
    version: Arc<Version>,
    since: Instant,
    deadline: Instant,
}

/// Who got a request.
#[derive(Debug)]
pub enum Found {
    /// It is under way there, for that reason.
    Flight(Flight, Why),
    /// No route is about it.
    NoRoute,
    /// There is no table yet.
    Empty,
}

impl Default for Live {
    fn default() -> Self {
        Self::new()
    }
}

impl Live {
    /// Serves nothing.
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let empty = Served::new(0, Table::default(), |_, _| unreachable!("an empty table has no versions"));
        Self {
            boot: format!("{}-{}", std::process::id(), now.as_nanos()),
            started: Instant::now(),
            served: RwLock::new(empty),
            past: Mutex::default(),
            drains: Notify::new(),
        }
    }

    /// Goes on with a table that an earlier process had applied.
    pub fn restore(&self, generation: u64, table: Table) -> Result<(), String> {
        check(&table)?;
        let mut past = self.past();
        self.swap(&mut past, generation, table, Duration::ZERO);
        Ok(())
    }

    /// Follows another process that has applied a table. One that is older than what is served changes nothing.
    pub fn follow(&self, generation: u64, table: Table, drain: Duration) -> Result<(), String> {
        check(&table)?;
        let mut past = self.past();
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner).generation;
        if generation > served {
            self.swap(&mut past, generation, table, drain);
        }
        Ok(())
    }

    /// Replaces the table in one step if its generation is the expected one. The same table changes nothing, whatever was expected.
    /// `keep` stores it before it is served; where that fails, nothing changes.
    pub fn apply(
        &self,
        expect: Option<u64>,
        table: Table,
        drain: Duration,
        keep: impl FnOnce(u64, &Table) -> Result<(), String>,
    ) -> Response {
        match self.try_apply(expect, table, drain, keep) {
            Ok((generation, changed)) => Response::Applied { generation, changed },
            Err(why) => Response::Refused { why },
        }
    }

    fn try_apply(
        &self,
        expect: Option<u64>,
        table: Table,
        drain: Duration,
        keep: impl FnOnce(u64, &Table) -> Result<(), String>,
    ) -> Result<(u64, bool), String> {
        check(&table)?;
        let mut past = self.past();
        let generation = {
            let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
            if served.table == table {
                return Ok((served.generation, false));
            }
            served.generation
        };
        if let Some(expected) = expect.filter(|expected| *expected != generation) {
            return Err(format!(
                "generation {expected} was to be replaced, but generation {generation} is served; ask for the status and decide again"
            ));
        }
        let next = generation + 1;
        keep(next, &table)
            .map_err(|why| format!("the table could not be kept, so it is not served: {why}"))?;
        self.swap(&mut past, next, table, drain);
        Ok((next, true))
    }

    fn swap(&self, past: &mut Past, generation: u64, table: Table, drain: Duration) {
        let (mut before, mut shares) = (Vec::new(), BTreeMap::new());
        {
            let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
            before.extend(served.versions().cloned());
            for route in &served.table.routes {
                shares.extend(
                    route.backends.iter().map(|one| ((route.name.clone(), one.version.clone()), one.weight)),
                );
            }
        }
        let mut brought = Vec::new();
        let next = Served::new(generation, table, |route, at| {
            let backend = &route.backends[at];
            let key = (route.name.clone(), backend.version.clone());
            let had_traffic = shares.get(&key).is_some_and(|share| *share > 0);
            let known =
                before.iter().chain(past.leaving.iter().map(|leaving| &leaving.version)).find(|version| {
                    let same = (*version.route == *route.name) && (*version.name == *backend.version);
                    same && version.address == backend.address
                        && version.h2c == backend.h2c
                        && !version.is_cut()
                });
            let version = known
                .cloned()
                .unwrap_or_else(|| Arc::new(Version::new(&route.name, backend, past.tally(key, generation))));
            let goes_on = had_traffic && before.iter().any(|one| one.id == version.id);
            if backend.weight > 0 && !goes_on {
                brought.push(Arc::clone(&version));
            }
            version
        });
        let stays: Vec<u64> = next.versions().map(|version| version.id).collect();
        for version in next.versions() {
            past.tally((version.route.to_string(), version.name.to_string()), generation);
        }
        past.leaving.retain(|leaving| {
            let back = stays.contains(&leaving.version.id);
            if back {
                leaving.version.stay();
            }
            !back
        });
        {
            let mut served = self.served.write().unwrap_or_else(PoisonError::into_inner);
            for version in &brought {
                version.bring();
            }
            *served = next;
        }
        let since = Instant::now();
        for version in before.into_iter().filter(|version| !stays.contains(&version.id)) {
            version.leave();
            past.leaving.push(Leaving { version, since, deadline: since + drain });
        }
        past.forget();
        self.drains.notify_one();
    }

    /// Finds who gets a request, and counts it as under way there since it started. `not` could not be reached.
    pub fn take(
        &self,
        started: Instant,
        host: &str,
        path: &str,
        headers: &impl Fields,
        not: Option<u64>,
    ) -> Found {
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        match served.pick(host, path, headers, not) {
            Pick::Version(version, why) => Found::Flight(version.take(started), why),
            Pick::NoRoute => Found::NoRoute,
            Pick::Empty => Found::Empty,
        }
    }

    /// Cuts who is still under way at a version that was left out when its time is over. Runs as long as the proxy does.
    pub async fn drain(&self) {
        loop {
            let next = self.cut_due(Instant::now());
            let changed = self.drains.notified();
            match next {
                Some(deadline) => {
                    let _ = tokio::time::timeout_at(deadline.into(), changed).await;
                }
                None => changed.await,
            }
        }
    }

    /// Cuts what is due, and says when the next is.
    fn cut_due(&self, now: Instant) -> Option<Instant> {
        let mut past = self.past();
        past.forget();
        let mut next = None;
        for Leaving { version, deadline, .. } in &past.leaving {
            if version.is_drained() || version.is_cut() {
                continue;
            }
            if *deadline <= now {
                version.cut();
            } else {
                next = Some(next.map_or(*deadline, |next: Instant| next.min(*deadline)));
            }
        }
        next
    }

    /// Takes on whom another process has cut.
    pub(super) fn remember(&self, there: &[VersionStatus]) {
        let past = self.past();
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        let left = past.leaving.iter().map(|leaving| &leaving.version);
        for version in served.versions().chain(left) {
            let same = |one: &&VersionStatus| {
                one.route == *version.route && one.version == *version.name && one.address == version.address
            };
            if let Some(drain) = there.iter().find(same).and_then(|one| one.drain.as_ref()) {
                version.remember(drain);
            }
        }
    }

    /// The generation, the table, and how each version stands.
    pub fn status(&self) -> (u64, Table, Vec<VersionStatus>) {
        let past = self.past();
        let served = self.served.read().unwrap_or_else(PoisonError::into_inner);
        let left = past.leaving.iter().map(|leaving| &leaving.version);
        let versions = served.versions().chain(left).map(|version| version.status()).collect();
        (served.generation, served.table.clone(), versions)
    }

    /// What came of the requests.
    pub fn counts(&self) -> Counts {
        let past = self.past();
        let versions =
            past.tallies.iter().map(|((route, version), kept)| kept.tally.counts(route, version)).collect();
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Counts { boot: self.boot.clone(), at_ms, versions }
    }

    /// Requests by the first digit of their status, for each route and version; at 0 those that ended before one.
    pub fn classes(&self) -> Vec<(String, String, [u64; 6])> {
        let past = self.past();
        let each = past.tallies.iter();
        each.map(|((route, version), kept)| (route.clone(), version.clone(), kept.tally.classes())).collect()
    }

    fn past(&self) -> std::sync::MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    fn tally(&mut self, key: (String, String), generation: u64) -> Arc<Tally> {
        let kept =
            self.tallies.entry(key).or_insert_with(|| Kept { tally: Arc::default(), last: generation });
        kept.last = generation;
        Arc::clone(&kept.tally)
    }

    /// Forgets versions that were drained long ago, and counts of those that were left out first.
    fn forget(&mut self) {
        self.leaving.retain(|leaving| !leaving.version.is_drained() || leaving.since.elapsed() < SHOWN);
        while self.tallies.len() > REMEMBERED {
            let newest = self.tallies.values().map(|kept| kept.last).max();
            let oldest = self.tallies.iter().min_by_key(|(_, kept)| kept.last);
            let Some((key, kept)) = oldest else { return };
            if Some(kept.last) == newest {
                return;
            }
            let key = key.clone();
            self.tallies.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
