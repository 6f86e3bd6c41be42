//! The operations of the backup phase: the only code of it that touches the world.

mod archive;
mod bundle;
mod caches;
mod disk;
mod list;
mod made;
#[cfg(feature = "repository")]
mod repository;
mod restore;
mod script;
mod snapshot;
mod verify;

pub use caches::{ClearPaths, Cleared, ClearedPaths, Paths};
pub use disk::{Disk, FreeDisk, MeasureDisk};
#[cfg(feature = "repository")]
pub use repository::{
    InitInput, InitRepository, Initialized, LookAtRepository, LookInput, Looked, PruneInput, PruneRepository,
    Pruned, RepositoryVerification, StoreBackup, StoreInput, StoredBackup, VerifyRepository,
    VerifyRepositoryInput,
};
pub use script::{ScriptInput, WriteRollbackScript, WrittenScript};
pub use snapshot::{CreateBackup, Snapshot, SnapshotInput};
pub use verify::{Verification, VerifyInput, VerifySnapshot};
