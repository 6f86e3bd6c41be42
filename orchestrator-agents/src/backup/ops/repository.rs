//! Operations on a repository in restic's format. All that they know of the library that keeps it is [`Vault`].

mod compare;
mod crypt;
mod folder;
mod here;
mod init;
mod lock;
mod look;
mod prune;
mod rustic;
mod sound;
mod source;
mod store;
mod verify;

use std::collections::BTreeMap;
use std::path::Path;

use orchestrator_core::BoxError;
use orchestrator_core::path::Digest;

use crate::backup::manifest::Name;
use crate::backup::repository::Saved;
use source::{Source, Stored};

pub use init::{InitInput, InitRepository, Initialized};
pub use look::{LookAtRepository, LookInput, LookedAt};
pub use prune::{PruneInput, PruneRepository, Pruned};
pub use store::{StoreBackup, StoreInput, StoredBackup};
pub use verify::{RepositoryVerification, VerifyRepository, VerifyRepositoryInput};

/// The folder of a snapshot that holds the working tree.
const FILES: &str = "files";
/// The file of a snapshot that says what it holds.
const MANIFEST: &str = "manifest.json";
/// The file of a snapshot that holds git's refs.
const BUNDLE: &str = "refs.bundle";

/// Digests of files that an earlier snapshot holds, with their sizes.
type Known = BTreeMap<Name, (u64, Digest)>;

/// A repository that was opened with its password.
trait Vault: Sized {
    /// Its id, the same for all who open it.
    fn id(&self) -> String;

    /// Every snapshot, the oldest first.
    fn snapshots(&self) -> Result<Vec<Saved>, BoxError>;

    /// Stores a snapshot; what an earlier one holds already is not read again where its stamps are the same. Nothing is
    /// listed as a snapshot before all of it is stored.
    fn store(
        &self,
        source: Source,
        earlier: Option<&str>,
        tags: &[String],
    ) -> Result<(Saved, Stored, Added), BoxError>;

    /// A file of a snapshot, of at most so many bytes.
    fn read(&self, snapshot: &str, file: &str, most: u64) -> Result<Vec<u8>, BoxError>;

    /// What is wrong with its structure, down to the content of every pack that snapshots need.
    fn check(&self) -> Result<Vec<String>, BoxError>;

    /// Restores a snapshot into an empty folder.
    fn restore(&self, snapshot: &str, into: &Path) -> Result<(), BoxError>;

    /// Forgets snapshots, and removes what no other needs. Nobody else may use the repository meanwhile.
    fn prune(&self, forget: &[String]) -> Result<Freed, BoxError>;
}

/// Bytes that a snapshot added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Added {
    /// As they lie in the repository, compressed and encrypted.
    bytes: u64,
}

/// Bytes that pruning removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Freed {
    bytes: u64,
}
