//! The operations of the backup phase: the only code of it that touches the world.

mod archive;
mod bundle;
mod caches;
mod databases;
mod disk;
mod list;
mod made;
mod restore;
mod script;
mod snapshot;
mod verify;

pub use caches::{ClearPaths, Cleared, ClearedPaths, Paths};
pub use databases::{RestoreDatabase, RestoreDatabaseInput, RestoredDatabases, VerifiedDatabase};
pub use disk::{Disk, FreeDisk, MeasureDisk};
pub use script::{ScriptInput, WriteRollbackScript, WrittenScript};
pub use snapshot::{CreateBackup, Snapshot, SnapshotInput};
pub use verify::{Verification, VerifyInput, VerifySnapshot};
