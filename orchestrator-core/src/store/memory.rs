//! Journals in memory: for tests, and for programs that keep runs no longer than they live.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::event::{Event, Record};
use crate::id::RunId;
use crate::order::Signal;
use crate::store::{Journal, Store, StoreError, inbox};

/// Keeps journals in memory. They die with it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    runs: Mutex<HashMap<RunId, Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    plan: Vec<u8>,
    records: Vec<Record>,
    inbox: BTreeMap<String, Signal>,
    live: bool,
}

impl MemoryStore {
    /// A store without runs.
    pub fn new() -> Self {
        Self::default()
    }

    fn runs(&self) -> MutexGuard<'_, HashMap<RunId, Kept>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, run: &RunId, work: impl FnOnce(&mut Kept) -> T) -> Result<T, StoreError> {
        self.runs().get_mut(run).map(work).ok_or_else(|| StoreError::Unknown(run.clone()))
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<(), StoreError> {
        let mut runs = self.runs();
        if runs.contains_key(run) {
            return Err(StoreError::Exists(run.clone()));
        }
        runs.insert(run.clone(), Kept { plan: plan.to_vec(), ..Kept::default() });
        Ok(())
    }

    async fn append(&self, run: &RunId, records: &[Record]) -> Result<(), StoreError> {
        let Some(last) = records.last() else { return Ok(()) };
        self.with(run, |kept| {
            kept.records.extend_from_slice(records);
            kept.live = !matches!(last.event, Event::RunFinished { .. } | Event::RunStopped { .. });
        })
    }

    async fn sync(&self, run: &RunId) -> Result<(), StoreError> {
        self.with(run, |_| ())
    }

    async fn load(&self, run: &RunId) -> Result<Journal, StoreError> {
        self.with(run, |kept| {
            if kept.records.is_empty() {
                return Err(StoreError::Empty(run.clone()));
            }
            Ok(Journal { plan: kept.plan.clone(), records: kept.records.clone(), torn: 0 })
        })?
    }

    async fn list(&self) -> Result<Vec<RunId>, StoreError> {
        let mut runs: Vec<RunId> = self.runs().keys().cloned().collect();
        runs.sort_unstable_by(|a, b| b.cmp(a));
        Ok(runs)
    }

    async fn signal(&self, run: &RunId, signal: &Signal) -> Result<(), StoreError> {
        self.with(run, |kept| {
            kept.inbox.insert(inbox::token(), signal.clone());
        })
    }

    async fn inbox(&self, run: &RunId) -> Result<Vec<(String, Signal)>, StoreError> {
        self.with(run, |kept| {
            kept.inbox.iter().map(|(token, signal)| (token.clone(), signal.clone())).collect()
        })
    }

    async fn seen(&self, run: &RunId, token: &str) -> Result<(), StoreError> {
        self.with(run, |kept| {
            kept.inbox.remove(token);
        })
    }

    fn is_live(&self, run: &RunId) -> bool {
        self.with(run, |kept| kept.live).unwrap_or(false)
    }
}
