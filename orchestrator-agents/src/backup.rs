//! RESTART & BACKUP: free disk checked, a snapshot that is proven by restoring it, a script that brings it back, caches
//! cleared.

mod check_disk;
mod clear_caches;
mod create;
pub mod manifest;
pub mod ops;
pub mod repository;
mod rollback_script;
mod verify;

#[cfg(test)]
mod tests;

use orchestrator_core::BoxError;
use orchestrator_core::id::PhaseName;
use orchestrator_core::path::RelPath;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::{GroupSpec, TaskSpec};
use orchestrator_core::project::Project;
use serde::Deserialize;

pub use check_disk::{Bytes, CheckDisk, CheckDiskConfig, DiskChecked};
pub use clear_caches::{ClearCaches, ClearCachesConfig};
pub use create::{Backup, BackupConfig};
pub use repository::RepositoryConfig;
pub use rollback_script::{RollbackScript, RollbackScriptConfig};
pub use verify::{VerifyBackup, VerifyBackupConfig};

/// The phase `restart_backup`.
#[derive(Debug, Clone, Copy)]
pub struct RestartBackup;

/// What the phase may be given in `with:`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct With {
    /// The folder of all snapshots; `backups` by default.
    to: Option<RelPath>,
    /// Ignored paths to back up all the same.
    include: Vec<RelPath>,
    /// Ignored paths to clear.
    caches: Vec<RelPath>,
    /// Bytes of disk that must be free; the settings' by default.
    min_free: Option<Bytes>,
    /// A repository to back up into as well, or instead.
    repository: Option<RepositoryConfig>,
}

impl Phase for RestartBackup {
    fn name(&self) -> PhaseName {
        PhaseName::new("restart_backup").expect("a valid name")
    }

    fn title(&self) -> &'static str {
        "RESTART & BACKUP"
    }

    fn draft(&self, project: &Project, draft: &mut Draft<'_>) -> Result<(), BoxError> {
        let With { to, include, caches, min_free, repository } = draft.with()?;
        let to = to.unwrap_or_else(create::backups);
        let min_free = min_free.unwrap_or(Bytes(draft.settings().min_free_disk));
        let check = TaskSpec::of::<CheckDisk>("check-disk", &CheckDiskConfig { path: to.clone(), min_free })?;
        let mut group = draft_group()?.task(check);
        if !repository.as_ref().is_some_and(|repository| repository.instead) {
            let config = BackupConfig { to: to.clone(), include: include.clone() };
            let backup = TaskSpec::of::<Backup>("backup", &config)?;
            let verify = VerifyBackupConfig {
                snapshot: backup.output("snapshot"),
                manifest: Some(backup.output("manifest")),
            };
            let script = RollbackScriptConfig { snapshot: backup.output("snapshot") };
            group = group
                .task(backup)
                .task(TaskSpec::of::<VerifyBackup>("verify-backup", &verify)?)
                .task(TaskSpec::of::<RollbackScript>("rollback-script", &script)?);
        }
        if let Some(repository) = &repository {
            group = repository.tasks(&to, &include)?.into_iter().fold(group, GroupSpec::task);
        }
        *draft.group("backup")? = group;
        if !caches.is_empty() {
            let config = ClearCachesConfig { paths: caches };
            draft.task("backup", TaskSpec::of::<ClearCaches>("clear-caches", &config)?)?;
        }
        if project.git.is_none() {
            draft.note("not a git repository: the backup holds the files only, no history");
        }
        Ok(())
    }
}

fn draft_group() -> Result<GroupSpec, BoxError> {
    let name = orchestrator_core::id::GroupName::new("backup")?;
    Ok(GroupSpec::new(name).sequential())
}
