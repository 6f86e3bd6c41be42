//! A journal whose process dies at one of its boundaries.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use orchestrator_core::event::Record;
use orchestrator_core::id::RunId;
use orchestrator_core::layout::Layout;
use orchestrator_core::order::Signal;
use orchestrator_core::store::jsonl::JsonlStore;
use orchestrator_core::store::{Journal, Store, StoreError};

/// A store that lets so many appends through and none after that. The last one may be on record without its appender being told.
pub(crate) struct Dying {
    store: JsonlStore,
    left: AtomicU64,
    told: bool,
}

impl Dying {
    /// Dies after so many appends: before the next one where it was `told` of the last, else right after it is on record.
    pub(crate) fn after(appends: u64, told: bool, store: JsonlStore) -> Self {
        Self { store, left: AtomicU64::new(appends), told }
    }
}

#[async_trait]
impl Store for Dying {
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<(), StoreError> {
        self.store.create(run, plan).await
    }
    async fn append(&self, run: &RunId, records: &[Record]) -> Result<(), StoreError> {
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left.is_ok() {
            self.store.append(run, records).await?;
        }
        if left.is_err() || (left == Ok(1) && !self.told) {
            let source = std::io::Error::other("the process died here");
            return Err(StoreError::Io { what: "the journal".into(), source });
        }
        Ok(())
    }
    async fn sync(&self, run: &RunId) -> Result<(), StoreError> {
        self.store.sync(run).await
    }
    async fn load(&self, run: &RunId) -> Result<Journal, StoreError> {
        self.store.load(run).await
    }
    async fn list(&self) -> Result<Vec<RunId>, StoreError> {
        self.store.list().await
    }
    async fn signal(&self, run: &RunId, signal: &Signal) -> Result<(), StoreError> {
        self.store.signal(run, signal).await
    }
    async fn inbox(&self, run: &RunId) -> Result<Vec<(String, Signal)>, StoreError> {
        self.store.inbox(run).await
    }
    async fn seen(&self, run: &RunId, token: &str) -> Result<(), StoreError> {
        self.store.seen(run, token).await
    }
    fn layout(&self) -> Option<&Layout> {
        Some(self.store.layout())
    }
    fn is_live(&self, run: &RunId) -> bool {
        self.store.is_live(run)
    }
}
