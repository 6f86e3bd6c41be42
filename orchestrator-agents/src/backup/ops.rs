//! The operations of the backup phase: the only code of it that touches the world.

mod archive;
mod bundle;
mod caches;
mod compress;
mod disk;
mod earlier;
mod list;
pub(super) mod made;
mod pool;
pub(super) mod restore;
mod script;
mod snapshot;
mod sparse;
mod stamp;
mod untar;
mod verify;

pub use caches::{ClearPaths, Cleared, ClearedPaths, Paths};
pub use disk::{Disk, FreeDisk, MeasureDisk};
pub use script::{ScriptInput, WriteRollbackScript, WrittenScript};
pub use snapshot::{CreateBackup, Snapshot, SnapshotInput};
pub use verify::{Verification, VerifyInput, VerifySnapshot};
