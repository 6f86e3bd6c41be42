//! A repository of backups in restic's format: deduplicating, encrypted, and restored by restic as well. Its config is
//! always known; what works with it is the feature `repository`.

#[cfg(feature = "repository")]
mod contents;
mod place;
#[cfg(feature = "repository")]
mod prune;
#[cfg(feature = "repository")]
mod retention;
#[cfg(feature = "repository")]
mod store;
#[cfg(feature = "repository")]
mod verify;

#[cfg(all(test, feature = "repository"))]
mod tests;

use std::num::NonZeroU32;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use orchestrator_core::pipeline::TaskSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::secret::SecretName;

#[cfg(feature = "repository")]
pub(super) use contents::{CONTENTS_VERSION, Contents};
#[cfg(feature = "repository")]
pub(super) use place::Key;
pub use place::Place;
#[cfg(feature = "repository")]
pub use prune::{RepositoryPrune, RepositoryPruneConfig};
#[cfg(feature = "repository")]
pub(super) use retention::{Saved, forgotten};
#[cfg(feature = "repository")]
pub use store::{RepositoryBackup, RepositoryBackupConfig};
#[cfg(feature = "repository")]
pub use verify::{RepositoryVerify, RepositoryVerifyConfig};

/// `repository` of the phase `restart_backup`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepositoryConfig {
    /// Its folder, relative to the root of the checkout or absolute; it may lie outside the checkout.
    pub path: String,
    /// The secret that holds its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretName>,
    /// The file that holds its password, instead of a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<String>,
    /// Which of this checkout's snapshots are kept in it; all of them by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// Whether it stands in for the snapshot folder, instead of beside it. There is no `rollback.sh` then.
    #[serde(default)]
    pub instead: bool,
}

/// Which snapshots are kept: those that any of these names. What was verified last is always kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// The last so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<NonZeroU32>,
    /// The last of each of the last so many days that have one, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily: Option<NonZeroU32>,
    /// The last of each of the last so many weeks that have one, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weekly: Option<NonZeroU32>,
}

impl RepositoryConfig {
    /// The tasks that back up into it, in order. `to` is the folder of ordinary snapshots, which is never part of a backup.
    #[cfg(feature = "repository")]
    pub fn tasks(&self, to: &RelPath, include: &[RelPath]) -> Result<Vec<TaskSpec>, BoxError> {
        let repository = Place::new(&self.path, self.password.clone(), self.password_file.clone())?;
        let config = RepositoryBackupConfig {
            repository: repository.clone(),
            to: to.clone(),
            include: include.to_vec(),
        };
        let store = TaskSpec::of::<RepositoryBackup>("repository-backup", &config)?;
        let config = RepositoryVerifyConfig {
            repository: repository.clone(),
            snapshot: store.output("snapshot"),
            manifest: Some(store.output("manifest")),
        };
        let verify = TaskSpec::of::<RepositoryVerify>("repository-verify", &config)?;
        let mut tasks = vec![store];
        if let Some(keep) = self.keep {
            let config = RepositoryPruneConfig { repository, keep, verified: verify.output("snapshot") };
            tasks.extend([verify, TaskSpec::of::<RepositoryPrune>("repository-prune", &config)?]);
        } else {
            tasks.push(verify);
        }
        Ok(tasks)
    }

    /// Without the feature there is nothing that could back up into it.
    #[cfg(not(feature = "repository"))]
    pub fn tasks(&self, _: &RelPath, _: &[RelPath]) -> Result<Vec<TaskSpec>, BoxError> {
        Place::new(&self.path, self.password.clone(), self.password_file.clone())?;
        Err("this program was built without repositories of backups (`repository`); build it with \
             `cargo build --release -p orchestrator-cli --features repository`, or leave `repository` out"
            .into())
    }
}

#[cfg(all(test, not(feature = "repository")))]
mod without {
    use super::*;

    #[test]
    fn a_pipeline_that_names_one_is_told_how_to_build() {
        let tasks = |json| {
            let config: RepositoryConfig = serde_json::from_value(json).unwrap();
            config.tasks(&RelPath::new("backups").unwrap(), &[]).unwrap_err().to_string()
        };
        let error = tasks(serde_json::json!({ "path": "../b", "password": { "secret": "KEY" } }));
        assert!(error.contains("--features repository"), "{error}");
        let error = tasks(serde_json::json!({ "path": "../b" }));
        assert!(error.contains("nothing says where its password comes from"), "{error}");
    }
}
