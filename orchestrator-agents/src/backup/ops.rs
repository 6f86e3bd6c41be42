//! The operations of the backup phase: the only code of it that touches the world.

mod archive;
mod bundle;
mod caches;
mod compress;
mod databases;
mod differences;
mod disk;
mod earlier;
mod in_place;
mod known;
mod known_caches;
mod leftovers;
mod list;
mod look;
pub(super) mod made;
mod pid_file;
mod pool;
mod prune;
#[cfg(feature = "repository")]
mod repository;
pub(super) mod restore;
mod restore_backup;
mod restore_checkout;
mod roll_back;
mod runs;
mod script;
mod snapshot;
mod sparse;
mod stamp;
mod untar;
mod verify;

pub(super) use look::{Looked, look};

pub use caches::{ClearPaths, Cleared, ClearedPaths, Paths};
pub(crate) use databases::Psql;
pub use databases::{RestoreDatabase, RestoreDatabaseInput, RestoredDatabases, VerifiedDatabase};
pub use differences::Replace;
pub use disk::{Disk, FreeDisk, Growth, MeasureDisk};
pub use known::{Holds, Known, Shelf, Verified};
pub use known_caches::{CachesInput, FindCaches, FoundCache, FoundCaches};
pub use leftovers::{FindLeftovers, Found, Kind, Leftover, LeftoversInput, RemoveLeftovers, Swept, ToRemove};
pub use prune::{ListBackups, Listed, RemoveBackups, RemoveInput, Removed, ShelfInput, listed};
#[cfg(feature = "repository")]
pub use repository::{
    InitInput, InitRepository, Initialized, LookAtRepository, LookInput, LookedAt, PruneInput,
    PruneRepository, Pruned, RepositoryVerification, StoreBackup, StoreInput, StoredBackup, VerifyRepository,
    VerifyRepositoryInput,
};
pub use restore_backup::{RestoreBackup, RestoreInput, Restored};
pub use restore_checkout::{CheckoutInput, RestoreCheckout, RestoredCheckout};
pub use roll_back::{InPlace, PreviewRollBack, Previewed, RollBack, RolledBack};
pub use script::{ScriptInput, WriteRollbackScript, WrittenScript};
pub use snapshot::{CreateBackup, Snapshot, SnapshotInput};
pub use verify::{Verification, VerifyInput, VerifySnapshot};
