//! `backup`: a snapshot of the working tree, of git's refs and of databases.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::databases::{Database, check};
use super::ops::{CreateBackup, RestoreDatabase, Snapshot, SnapshotInput};
use crate::said;

/// Backs up the working tree, git's refs and databases into a folder named after the time.
#[derive(Debug, Clone, Copy)]
pub struct Backup;

/// Config of [`Backup`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupConfig {
    /// The folder of all snapshots; `backups` by default.
    #[serde(default = "backups")]
    pub to: RelPath,
    /// Ignored paths to keep all the same.
    #[serde(default)]
    pub include: Vec<RelPath>,
    /// Databases to dump: `{name, kind: sqlite, path}`, `{name, kind: postgres|mysql|mariadb, host, database, ..}`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<Database>,
}

/// The folder of all snapshots where nothing else is said.
pub(super) fn backups() -> RelPath {
    RelPath::new("backups").expect("a valid path")
}

impl Agent for Backup {
    const NAME: &'static str = "backup";
    const ABOUT: &'static str = "Backs up the working tree, git's refs and databases.";
    type Config = BackupConfig;
    type Output = Snapshot;

    async fn plan(&self, task: &Task<BackupConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let BackupConfig { to, include, databases } = task.config.clone();
        check(&databases)?;
        let name = look.started().strftime("%Y-%m-%d-%H%M%S").to_string();
        Ok(vec![CreateBackup::action(&SnapshotInput { to, name, include, databases })?])
    }

    fn conclude(
        &self,
        _: &Task<BackupConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Snapshot>, BoxError> {
        let made: Snapshot = match said::output(receipts)? {
            Ok(made) => made,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let tool = || Evidence::of("orchestrate").command(format!("manifest {}", made.manifest));
        let mut metrics = vec![
            Metric::new("backup.bytes", made.bytes as f64, "bytes", tool()),
            Metric::new("backup.files", made.files as f64, "count", tool()),
            Metric::new("backup.tree_bytes", made.tree_bytes as f64, "bytes", tool()),
        ];
        metrics.extend(made.took_ms.map(|ms| Metric::new("backup.time", ms, "ms", tool())));
        let findings: Vec<Finding> = made
            .unsettled
            .iter()
            .map(|found| {
                Finding::new("backup-unsettled", Severity::Warning, &found.why)
                    .at(found.path.to_string(), None)
            })
            .collect();
        let files_only = if made.refs { "" } else { ", files only" };
        let unsettled = match findings.len() as u64 {
            0 => String::new(),
            n => format!(", {} not as they were", said::count(n, "path")),
        };
        let databases = match made.databases.len() as u64 {
            0 => String::new(),
            n => format!(", {}", said::count(n, "database")),
        };
        let summary =
            format!("Backup created ({}{files_only}{databases}{unsettled})", said::bytes(made.bytes));
        Ok(Verdict::Passed(Conclusion::new(summary, made).metrics(metrics).findings(findings)))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(CreateBackup)?, dyn_operation(RestoreDatabase)?])
    }
}
