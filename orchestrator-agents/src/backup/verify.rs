//! `verify-backup`: a snapshot counts only when it was restored.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{Verification, VerifyInput, VerifySnapshot};
use crate::said;

/// Restores a snapshot into a scratch folder, its databases into scratch databases, and compares every file, mode, link,
/// ref, schema and number of rows.
#[derive(Debug, Clone, Copy)]
pub struct VerifyBackup;

/// Config of [`VerifyBackup`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyBackupConfig {
    /// The snapshot's folder.
    pub snapshot: Input<RelPath>,
    /// Digest of its manifest; by default the one that lies beside it.
    #[serde(default)]
    pub manifest: Option<Input<Digest>>,
}

impl Agent for VerifyBackup {
    const NAME: &'static str = "verify-backup";
    const ABOUT: &'static str = "Restores a backup into a scratch folder and compares.";
    type Config = VerifyBackupConfig;
    type Output = Verification;

    async fn plan(&self, task: &Task<VerifyBackupConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let VerifyBackupConfig { snapshot, manifest } = &task.config;
        let manifest = manifest.as_ref().map(Input::value).transpose()?.copied();
        Ok(vec![VerifySnapshot::action(&VerifyInput { snapshot: snapshot.value()?.clone(), manifest })?])
    }

    fn conclude(
        &self,
        _: &Task<VerifyBackupConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Verification>, BoxError> {
        let verified: Verification = match said::output(receipts)? {
            Ok(verified) => verified,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let tool = || Evidence::of("orchestrate").command(format!("restore {}", verified.snapshot));
        let mut metrics = vec![
            Metric::new("backup.restore_time", verified.restore_ms, "ms", tool()),
            Metric::new("backup.files_verified", verified.files as f64, "count", tool()),
        ];
        metrics.extend(verified.databases.iter().map(|database| {
            let name = format!("backup.database_restore_time.{}", database.name);
            Metric::new(&name, database.restore_ms, "ms", tool())
        }));
        let databases = match verified.databases.len() as u64 {
            0 => String::new(),
            n => {
                let rows = verified.databases.iter().map(|database| database.rows).sum();
                format!(", {} with {}", said::count(n, "database"), said::count(rows, "row"))
            }
        };
        let summary = format!(
            "Backup verified: {}{databases} restored in {}",
            said::count(verified.files, "file"),
            said::duration(verified.restore_ms)
        );
        Ok(Verdict::Passed(Conclusion::new(summary, verified).metrics(metrics)))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(VerifySnapshot)?])
    }
}
