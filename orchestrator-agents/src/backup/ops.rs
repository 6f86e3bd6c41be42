//! The operations of the backup phase: the only code of it that touches the world.

mod archive;
mod bundle;
mod caches;
mod compress;
mod differences;
mod databases;
mod disk;
mod earlier;
mod list;
pub(super) mod made;
mod pool;
pub(super) mod restore;
mod known;
mod known_caches;
mod leftovers;
mod pid_file;
mod prune;
mod restore_backup;
mod roll_back;
mod runs;
mod look;
mod restore_checkout;
mod script;
mod snapshot;
mod sparse;
mod stamp;
mod untar;
mod verify;

pub(super) use look::{Looked, look};

pub use caches::{ClearPaths, Cleared, ClearedPaths, Paths};
pub use disk::{Disk, FreeDisk, Growth, MeasureDisk};
pub use known::{Holds, Known, Shelf, Verified};
pub use known_caches::{CachesInput, FindCaches, FoundCache, FoundCaches};
pub use leftovers::{FindLeftovers, Found, Kind, Leftover, LeftoversInput, RemoveLeftovers, Swept, ToRemove};
pub use prune::{ListBackups, Listed, RemoveBackups, RemoveInput, Removed, ShelfInput, listed};
pub use restore_backup::{RestoreBackup, RestoreInput, Restored};
pub use roll_back::{InPlace, PreviewRollBack, Previewed, RollBack, RolledBack};
pub use differences::Replace;
pub use restore_checkout::{CheckoutInput, RestoreCheckout, RestoredCheckout};
pub use databases::{RestoreDatabase, RestoreDatabaseInput, RestoredDatabases, VerifiedDatabase};
pub use script::{ScriptInput, WriteRollbackScript, WrittenScript};
pub use snapshot::{CreateBackup, Snapshot, SnapshotInput};
pub use verify::{Verification, VerifyInput, VerifySnapshot};
