//! Looking a task up: its fingerprint now, the result recorded under it, and whether what it made is still there.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Reuse, Spec};
use crate::cache::{Made, Recorded};
use crate::fingerprint::Fingerprint;
use crate::inventory::{Inventory, Looked, hash, parallel, unreadable};
use crate::path::{Digest, RelPath};
use crate::patterns::Patterns;

/// A task with more files than this is not looked at while others wait.
const FEW: usize = 200;

/// The fingerprint of a task now.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    pub(crate) key: Digest,
    pub(super) fingerprint: Fingerprint,
    pub(super) looked: Looked,
    pub(super) sum: Digest,
}

/// A recorded result that holds.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub(crate) key: Digest,
    pub(crate) result: Recorded,
    /// What it made and is not there any more as it was made.
    pub(crate) missing: Vec<Made>,
}

/// What came of looking a task up.
pub(crate) enum Found {
    /// A result holds.
    Hit(Box<Hit>),
    /// None does; this is what one would be recorded under.
    Miss(Box<Fresh>),
    /// It cannot be known, and why.
    Unknown(String),
}

impl Reuse {
    /// Looks a task up without reading more than a few stamps; none where that is not enough to tell that a result holds
    /// and that what it made is intact.
    pub(crate) fn quick(&self, name: &str, spec: &Spec) -> Option<Hit> {
        let mut inventory = self.inventory();
        if self.is_disturbed() {
            if inventory.breadth(name) > FEW {
                return None;
            }
            inventory.refresh_task(name);
        }
        let hit = Self::remembered(&inventory, name, spec)?;
        self.used(&mut inventory, name, hit.key);
        hit.missing.is_empty().then_some(hit)
    }

    /// The tasks whose results hold and whose outputs are intact, as of the last look; many at once.
    pub(crate) fn held<'t, T: Sync>(
        &self,
        tasks: &'t [T],
        name: impl Fn(&T) -> &str + Sync,
        spec: impl Fn(&T) -> Option<Spec> + Sync,
    ) -> Vec<(&'t T, Hit)> {
        let mut inventory = self.inventory();
        let shared = &*inventory;
        let hit = |task: &T| {
            // Most tasks of a first run are not known: what they depend on need not be asked.
            shared.is_known(name(task)).then(|| Self::remembered(shared, name(task), &spec(task)?))?
        };
        let hits = parallel::map(tasks, hit);
        let held = tasks.iter().zip(hits).filter_map(|(task, hit)| Some((task, hit?)));
        let held: Vec<_> = held.filter(|(_, hit)| hit.missing.is_empty()).collect();
        for (task, hit) in &held {
            self.used(&mut inventory, name(task), hit.key);
        }
        held
    }

    /// A result that is remembered and holds, as of the last look.
    fn remembered(inventory: &Inventory, name: &str, spec: &Spec) -> Option<Hit> {
        let remembered = inventory.remembered(name, spec.digest)?;
        let result: Recorded = serde_json::from_str(remembered.result?).ok()?;
        if !Self::is_young(&result, spec) {
            return None;
        }
        let there: BTreeMap<&str, Option<Digest>> = inventory.known(name).collect();
        let missing = result
            .made
            .iter()
            .filter(|made| !is_intact(made, there.get(made.path.as_str()).copied().flatten()));
        let missing = missing.cloned().collect();
        Some(Hit { key: remembered.key, missing, result })
    }

    /// Says that a recorded result was used; what is not used goes some day.
    fn used(&self, inventory: &mut Inventory, name: &str, key: Digest) {
        if inventory.used(name, Timestamp::now().as_second()) {
            self.cache.touch(key);
        }
    }

    /// Looks a task up, reading what has to be read. Blocks.
    pub(crate) fn look_up(&self, name: &str, spec: &Spec) -> Found {
        let mut inventory = self.inventory();
        inventory.refresh_task(name);
        if let Some(hit) = Self::remembered(&inventory, name, spec) {
            self.used(&mut inventory, name, hit.key);
            return Found::Hit(Box::new(hit));
        }
        let fresh = match Self::fresh(&mut inventory, name, spec) {
            Ok(fresh) => fresh,
            Err(why) => return Found::Unknown(why),
        };
        drop(inventory);
        let Some(entry) = self.cache.find(fresh.key).filter(|entry| Self::is_young(&entry.result, spec))
        else {
            return Found::Miss(Box::new(fresh));
        };
        self.cache.touch(fresh.key);
        let mut inventory = self.inventory();
        Self::learn(&mut inventory, name, fresh.key, &entry.result);
        let made = entry.result.made.iter();
        let missing =
            made.filter(|made| !is_intact(made, inventory.digest(made.path.as_str()))).cloned().collect();
        Found::Hit(Box::new(Hit { key: fresh.key, missing, result: entry.result }))
    }

    /// What a new result of a task is to be recorded under, whatever is recorded. Blocks.
    pub(crate) fn look_anew(&self, name: &str, spec: &Spec) -> Found {
        match Self::fresh(&mut self.inventory(), name, spec) {
            Ok(fresh) => Found::Miss(Box::new(fresh)),
            Err(why) => Found::Unknown(why),
        }
    }

    /// The fingerprint of a task now.
    pub(super) fn fresh(inventory: &mut Inventory, name: &str, spec: &Spec) -> Result<Fresh, String> {
        let inputs = inventory.expand(&Patterns::parse(&spec.inputs)?, false)?;
        let upstream = inventory.expand(&Patterns::parse(&spec.upstream)?, true)?;
        let outputs = Patterns::parse(&spec.base.outputs)?;
        if let Some(both) = inputs.files.iter().find(|path| outputs.matches(path)) {
            let is_it = |text: &&String| Patterns::parse([*text]).is_ok_and(|pattern| pattern.matches(both));
            let output = spec.base.outputs.iter().find(is_it).unwrap_or(both);
            return Err(format!(
                "`{both}` is both an input and an output; leave it out of the inputs with `!{output}`"
            ));
        }
        for pattern in &inputs.nothing {
            tracing::debug!(task = name, pattern, "a declared input matches nothing");
        }
        let mut fingerprint = spec.base.clone();
        for path in inputs.files.iter().chain(&upstream.files) {
            let at = inventory.file(path);
            let digest = inventory.of(at).1;
            if digest == Some(unreadable()) {
                return Err(format!("`{path}` cannot be read"));
            }
            let path = RelPath::new(path).map_err(|error| error.to_string())?;
            fingerprint.files.insert(path, digest);
        }
        let mut looked = inputs.looked;
        looked.files.extend(upstream.looked.files);
        looked.folders.extend(upstream.looked.folders);
        let key = fingerprint.digest();
        inventory.remember(name, spec.digest, key, &looked);
        inventory.used(name, Timestamp::now().as_second());
        let sum = inventory.sum(&looked);
        Ok(Fresh { key, fingerprint, looked, sum })
    }

    /// Remembers a result for the next look.
    pub(super) fn learn(inventory: &mut Inventory, name: &str, key: Digest, result: &Recorded) {
        let Ok(json) = serde_json::to_string(result) else { return };
        let outputs: Vec<String> = result.made.iter().map(|made| made.path.to_string()).collect();
        inventory.remember_result(name, key, json, &outputs);
    }

    /// Whether a result is young enough. One from the future is not: a clock went back.
    fn is_young(result: &Recorded, spec: &Spec) -> bool {
        let age = Timestamp::now().duration_since(result.at);
        spec.ttl.is_none_or(|ttl| !age.is_negative() && age.unsigned_abs() < ttl)
    }
}

/// Whether a file is as it was made; by its digest, which counts the executable bit.
pub(super) fn is_intact(made: &Made, there: Option<Digest>) -> bool {
    there == Some(hash::coded(made.digest, made.mode & 0o111 != 0))
}
