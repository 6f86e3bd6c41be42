//! Reuse of results within a run: what tasks depend on, whether a recorded result holds, and recording new ones.
//!
//! The runner asks `quick` before it starts a task: while nothing has run yet, one look at all files at the start of the run
//! answers for all tasks. Whatever cannot be told so is looked up by the task's job, off the loop.

mod look;
mod restore;
mod spec;
mod store;
mod verify;
mod why;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::cache::Cache;
use crate::inventory::Inventory;
use crate::path::Digest;
use crate::settings::Lifetimes;
use crate::workspace::Workspace;

pub(crate) use look::{Found, Fresh, Hit};
pub(crate) use restore::{Outputs, Restore, restores};
pub(crate) use spec::Spec;
pub(crate) use store::Passed;
pub use why::Why;

/// Whether results are reused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ReuseMode {
    /// They are, while all that they depend on holds; new ones are recorded.
    #[default]
    On,
    /// They are neither reused nor recorded.
    Off,
    /// Tasks run all the same; where one gives something else than what is recorded, it fails.
    Verify,
    /// They are not reused; new ones are recorded.
    Renew,
}

/// Reuse of results within a run.
pub(crate) struct Reuse {
    pub(crate) cache: Arc<Cache>,
    pub(crate) mode: ReuseMode,
    inventory: Mutex<Inventory>,
    look: Workspace,
    lifetimes: Lifetimes,
    /// Variables that count without being named.
    counting: BTreeMap<String, Option<Digest>>,
    /// Something ran, so what was seen at the start may have changed.
    disturbed: AtomicBool,
}

impl Reuse {
    /// Reuse below the workspace's root. The error says why the tree cannot be looked at.
    pub(crate) fn new(
        cache: Arc<Cache>,
        look: Workspace,
        lifetimes: Lifetimes,
        mode: ReuseMode,
    ) -> std::io::Result<Self> {
        let state = cache.folder().parent().map(std::path::Path::to_path_buf).unwrap_or_default();
        let below = state.strip_prefix(look.root()).ok().and_then(|below| below.to_str());
        let never = below.filter(|below| !below.is_empty()).map(str::to_owned).into_iter().collect();
        let tables = cache.remembered().unwrap_or_else(|wrong| {
            cache.set_aside(&cache.memo(), &wrong.to_string());
            None
        });
        let inventory = Inventory::open(look.root(), never, tables.unwrap_or_default())?;
        look.believe(inventory.sayings(), lifetimes.clone());
        let counting = look
            .variables()
            .filter(|(name, _)| crate::baseline::counts(name))
            .map(|(name, value)| (name.to_owned(), Some(Digest::of(value.as_encoded_bytes()))))
            .collect();
        let (inventory, disturbed) = (Mutex::new(inventory), AtomicBool::new(false));
        Ok(Self { cache, mode, inventory, look, lifetimes, counting, disturbed })
    }

    /// Looks at all that is remembered of tasks, at once. Blocks.
    pub(crate) fn look_at<'n>(&self, names: impl IntoIterator<Item = &'n str>) {
        self.inventory().refresh_tasks(names);
    }

    /// Whether something has run since the look at the start.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.disturbed.load(Ordering::Relaxed)
    }

    /// Says that something starts that may change the tree.
    pub(crate) fn disturb(&self) {
        self.disturbed.store(true, Ordering::Relaxed);
    }

    /// Keeps what was learnt for the next run. Blocks.
    pub(crate) fn keep(&self) {
        let mut inventory = self.inventory();
        inventory.remember_sayings(self.look.sayings());
        let bytes = inventory.take_changes(Timestamp::now().as_second());
        drop(inventory);
        if let Some(bytes) = bytes {
            self.cache.keep_memo(&bytes);
        }
    }

    /// Forgets a recorded result, and remembers why.
    pub(crate) fn forget(&self, name: &str, key: Digest, why: &str) {
        self.cache.forget(key);
        self.inventory().forget(name, Some(why.to_owned()));
    }

    fn inventory(&self) -> MutexGuard<'_, Inventory> {
        self.inventory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
