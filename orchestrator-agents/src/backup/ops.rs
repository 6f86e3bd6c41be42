//! The operations of the backup phase: the only code of it that touches the world.

mod archive;
mod bundle;
mod caches;
mod differences;
mod disk;
mod list;
mod look;
mod made;
mod restore;
mod restore_checkout;
mod script;
mod snapshot;
mod verify;

pub(super) use look::{Looked, look};

pub use caches::{ClearPaths, Cleared, ClearedPaths, Paths};
pub use differences::Replace;
pub use disk::{Disk, FreeDisk, MeasureDisk};
pub use restore_checkout::{RestoreCheckout, RestoreInput, RestoredCheckout};
pub use script::{ScriptInput, WriteRollbackScript, WrittenScript};
pub use snapshot::{CreateBackup, Snapshot, SnapshotInput};
pub use verify::{Verification, VerifyInput, VerifySnapshot};
