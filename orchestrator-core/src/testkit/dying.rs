//! A journal that ends at one of its boundaries: its process dies there, or its disk is full.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use crate::event::Record;
use crate::id::RunId;
use crate::layout::Layout;
use crate::order::Signal;
use crate::store::jsonl::JsonlStore;
use crate::store::{Journal, Store, StoreError};

/// A store that keeps so much of a journal and nothing after that; all else it does as the store below.
pub struct Dying {
    store: JsonlStore,
    end: End,
}

/// When it ends.
enum End {
    /// After so many more appends; the last one may be on record without its appender being told.
    Appends { left: AtomicU64, told: bool },
    /// Before the record of this number, also within an append.
    Record(u64),
    /// After so many more appends the disk is full, for syncs too.
    Full { left: AtomicU64 },
}

impl Dying {
    /// Its process dies after so many appends: before the next one where it was `told` of the last, else right after that is on record.
    pub fn after(appends: u64, told: bool, store: JsonlStore) -> Self {
        Self { store, end: End::Appends { left: AtomicU64::new(appends), told } }
    }

    /// Its process dies before the record of this number, from 1, is written; those that were to be appended with it and come first are.
    pub fn before(record: u64, store: JsonlStore) -> Self {
        Self { store, end: End::Record(record) }
    }

    /// Its disk is full after so many appends.
    pub fn full_after(appends: u64, store: JsonlStore) -> Self {
        Self { store, end: End::Full { left: AtomicU64::new(appends) } }
    }
}

/// Takes one of what is left; says how much was left before.
fn take(left: &AtomicU64) -> Option<u64> {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).ok()
}

fn ended(source: io::Error) -> StoreError {
    StoreError::Io { what: "`journal.jsonl` could not be written".into(), source }
}

fn died() -> StoreError {
    ended(io::Error::other("the process died here"))
}

fn full() -> StoreError {
    ended(io::ErrorKind::StorageFull.into())
}

#[async_trait]
impl Store for Dying {
    async fn create(&self, run: &RunId, plan: &[u8]) -> Result<(), StoreError> {
        self.store.create(run, plan).await
    }
    async fn append(&self, run: &RunId, records: &[Record]) -> Result<(), StoreError> {
        match &self.end {
            End::Appends { left, told } => {
                let left = take(left).ok_or_else(died)?;
                self.store.append(run, records).await?;
                if left == 1 && !told { Err(died()) } else { Ok(()) }
            }
            End::Record(end) => {
                let kept = records.partition_point(|record| record.n < *end);
                if kept > 0 {
                    self.store.append(run, &records[..kept]).await?;
                }
                if kept < records.len() { Err(died()) } else { Ok(()) }
            }
            End::Full { left } => {
                take(left).ok_or_else(full)?;
                self.store.append(run, records).await
            }
        }
    }
    async fn sync(&self, run: &RunId) -> Result<(), StoreError> {
        match &self.end {
            End::Full { left } if left.load(Ordering::SeqCst) == 0 => Err(full()),
            _ => self.store.sync(run).await,
        }
    }
    async fn load(&self, run: &RunId) -> Result<Journal, StoreError> {
        self.store.load(run).await
    }
    async fn first(&self, run: &RunId) -> Result<Option<Record>, StoreError> {
        self.store.first(run).await
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
    async fn abandoned(&self) -> Result<Vec<RunId>, StoreError> {
        self.store.abandoned().await
    }
    async fn close(&self, run: &RunId) {
        self.store.close(run).await;
    }
}
