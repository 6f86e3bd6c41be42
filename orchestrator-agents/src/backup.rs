//! RESTART & BACKUP: what dead runs left is removed, free disk checked, a snapshot made that is proven by restoring it, a
//! script that brings it back, caches cleared, older snapshots removed by policy.

mod check_disk;
mod clear_caches;
mod create;
pub mod databases;
mod fallback;
pub mod keep;
pub mod manifest;
pub mod ops;
mod prune;
pub mod repository;
mod reset;
mod restore;
mod restore_databases;
mod rollback_script;
mod verify;

#[cfg(test)]
pub(crate) mod tests;

use orchestrator_core::BoxError;
use orchestrator_core::id::{GroupName, PhaseName, TaskId};
use orchestrator_core::path::RelPath;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::{GroupSpec, TaskSpec};
use orchestrator_core::project::Project;
use serde::Deserialize;

use keep::Keep;

pub use check_disk::{Bytes, CheckDisk, CheckDiskConfig, DiskChecked};
pub use clear_caches::{ClearCaches, ClearCachesConfig};
pub use create::{Backup, BackupConfig};
pub use fallback::OwnBackup;
pub use prune::{BackupsPruned, PruneBackups, PruneBackupsConfig};
pub use repository::RepositoryConfig;
pub use reset::{ResetEnvironment, ResetEnvironmentConfig};
pub use restore::{BackupRestored, Restore, RestoreConfig};
pub use restore_databases::{RestoreDatabases, RestoreDatabasesConfig};
pub use rollback_script::{RollbackScript, RollbackScriptConfig};
pub use verify::{VerifyBackup, VerifyBackupConfig};

/// The phase `restart_backup`.
#[derive(Debug, Clone, Copy)]
pub struct RestartBackup;

/// What the phase may be given in `with:`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct With {
    /// The folder of all snapshots; `backups` by default.
    to: RelPath,
    /// Ignored paths to back up all the same.
    include: Vec<RelPath>,
    /// Databases to dump.
    databases: Vec<databases::Database>,
    /// Bytes of disk that must be free; the settings' by default.
    min_free: Option<Bytes>,
    /// How many times the growth of the last backup must be free on top of that; 2 by default.
    growth: u32,
    /// Which snapshots are kept; all by default.
    keep: Option<Keep>,
    /// Ignored paths to clear.
    caches: Vec<RelPath>,
    /// Whether the caches that stacks are known to keep are cleared as well.
    known_caches: bool,
    /// Whether what dead runs left is removed; it is by default.
    reset: bool,
    /// Pid files of the project's programs.
    pid_files: Vec<RelPath>,
    /// A repository to back up into as well, or instead.
    repository: Option<RepositoryConfig>,
}

impl Default for With {
    fn default() -> Self {
        Self {
            to: create::backups(),
            include: Vec::new(),
            databases: Vec::new(),
            min_free: None,
            growth: check_disk::GROWTH,
            keep: None,
            caches: Vec::new(),
            known_caches: false,
            reset: true,
            pid_files: Vec::new(),
            repository: None,
        }
    }
}

impl Phase for RestartBackup {
    fn name(&self) -> PhaseName {
        PhaseName::new("restart_backup").expect("a valid name")
    }

    fn title(&self) -> &'static str {
        "RESTART & BACKUP"
    }

    fn draft(&self, project: &Project, draft: &mut Draft<'_>) -> Result<(), BoxError> {
        let with: With = draft.with()?;
        let min_free = with.min_free.unwrap_or(Bytes(draft.settings().min_free_disk));
        let group = draft.group("backup")?;
        *group = with.group(min_free)?;
        if project.git.is_none() {
            draft.note("not a git repository: the backup holds the files only, no history");
        }
        Ok(())
    }
}

impl With {
    /// One task after the other: room is made before it is measured, and nothing older goes before what is new is proven.
    fn group(self, min_free: Bytes) -> Result<GroupSpec, BoxError> {
        self.check()?;
        let mut group = GroupSpec::new(GroupName::new("backup")?).sequential();
        if self.reset {
            let config =
                ResetEnvironmentConfig { backups: self.to.clone(), pid_files: self.pid_files.clone() };
            group = group.task(TaskSpec::of::<ResetEnvironment>("reset-environment", &config)?);
        }
        let (path, backups) = (self.to.clone(), Some(self.to.clone()));
        let check = CheckDiskConfig { path, min_free, backups, growth: self.growth };
        let check = TaskSpec::of::<CheckDisk>("check-disk", &check)?;
        let room = check.id.clone();
        group = group.task(check);
        let snapshot = if self.instead() { Vec::new() } else { self.snapshot(&room)? };
        let proven: Vec<TaskId> = snapshot.iter().skip(1).map(|task| task.id.clone()).collect();
        group = snapshot.into_iter().fold(group, GroupSpec::task);
        if let Some(repository) = &self.repository {
            let tasks = repository.tasks(&self.to, &self.include)?;
            group = tasks.into_iter().fold(group, |group, task| group.task(task.needs([room.clone()])));
        }
        if !self.caches.is_empty() || self.known_caches {
            let config = ClearCachesConfig { paths: self.caches, known: self.known_caches };
            group = group.task(TaskSpec::of::<ClearCaches>("clear-caches", &config)?);
        }
        if self.keep.is_some() {
            let config = PruneBackupsConfig { of: self.to, keep: self.keep };
            group = group.task(TaskSpec::of::<PruneBackups>("prune-backups", &config)?.needs(proven));
        }
        Ok(group)
    }

    /// A snapshot, what proves it, and the script that brings it back. The order alone would let it begin on a disk that is full.
    fn snapshot(&self, room: &TaskId) -> Result<Vec<TaskSpec>, BoxError> {
        let config = BackupConfig {
            to: self.to.clone(),
            include: self.include.clone(),
            databases: self.databases.clone(),
        };
        let backup = TaskSpec::of::<Backup>("backup", &config)?.needs([room.clone()]);
        let verify = VerifyBackupConfig {
            snapshot: backup.output("snapshot"),
            manifest: Some(backup.output("manifest")),
        };
        let verify = TaskSpec::of::<VerifyBackup>("verify-backup", &verify)?;
        let script = RollbackScriptConfig { snapshot: backup.output("snapshot") };
        let script = TaskSpec::of::<RollbackScript>("rollback-script", &script)?;
        Ok(vec![backup, verify, script])
    }

    /// Whether a repository takes the place of snapshots.
    fn instead(&self) -> bool {
        self.repository.as_ref().is_some_and(|repository| repository.instead)
    }

    fn check(&self) -> Result<(), BoxError> {
        if self.keep.is_some_and(|keep| keep.is_empty()) {
            return Err("`with.keep` keeps nothing: say how many of `last`, `daily` or `weekly`".into());
        }
        if self.instead() && (self.keep.is_some() || !self.databases.is_empty()) {
            return Err("`with.repository.instead` leaves snapshots out, which `keep` and `databases` are for: leave out \
                        one or the other"
                .into());
        }
        Ok(())
    }
}
