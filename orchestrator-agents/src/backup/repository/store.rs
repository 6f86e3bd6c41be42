//! `repository-backup`: a snapshot in a repository that restic reads as well. Looks first; sets the repository up where there
//! is none, which a dry run shows; then stores.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Place;
use crate::backup::create::backups;
use crate::backup::ops::{
    InitInput, InitRepository, LookAtRepository, LookInput, LookedAt, StoreBackup, StoreInput, StoredBackup,
};
use crate::said;

/// Stores the working tree and git's refs in a repository.
#[derive(Debug, Clone, Copy)]
pub struct RepositoryBackup;

/// Config of [`RepositoryBackup`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepositoryBackupConfig {
    /// Where the repository lies, and where its password comes from.
    pub repository: Place,
    /// The folder of ordinary snapshots, which is no part of this one; `backups` by default.
    #[serde(default = "backups")]
    pub to: RelPath,
    /// Ignored paths to keep all the same.
    #[serde(default)]
    pub include: Vec<RelPath>,
}

/// Carried from the look to the end.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Known {
    /// Whether the repository is set up by this task.
    new: bool,
}

impl Agent for RepositoryBackup {
    const NAME: &'static str = "repository-backup";
    const ABOUT: &'static str = "Backs up into a repository of restic's format.";
    type Config = RepositoryBackupConfig;
    type Output = StoredBackup;

    async fn plan(
        &self,
        task: &Task<RepositoryBackupConfig>,
        _: &Workspace,
    ) -> Result<Vec<Action>, BoxError> {
        Ok(vec![LookAtRepository::action(&LookInput { repository: task.config.repository.clone() })?])
    }

    fn conclude(
        &self,
        task: &Task<RepositoryBackupConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<StoredBackup>, BoxError> {
        if task.carried.is_null() {
            return looked(&task.config, receipts);
        }
        let Known { new } = task.carried.parse()?;
        if let Some(failed) = receipts.iter().find(|receipt| !receipt.ok()) {
            return Ok(Verdict::failed(failed.status.to_string()));
        }
        // Where it was set up, that came first.
        match said::output::<StoredBackup>(&receipts[receipts.len().min(usize::from(new))..])? {
            Ok(stored) => Ok(Verdict::Passed(concluded(&task.config.repository, new, stored))),
            Err(why) => Ok(Verdict::failed(why)),
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![
            dyn_operation(LookAtRepository)?,
            dyn_operation(InitRepository)?,
            dyn_operation(StoreBackup)?,
        ])
    }
}

fn looked(config: &RepositoryBackupConfig, receipts: &[Receipt]) -> Result<Verdict<StoredBackup>, BoxError> {
    let looked: LookedAt = match said::output(receipts)? {
        Ok(looked) => looked,
        Err(why) => return Ok(Verdict::failed(why)),
    };
    let RepositoryBackupConfig { repository, to, include } = config.clone();
    let new = looked.id.is_none();
    let mut actions = Vec::new();
    if new {
        actions.push(InitRepository::action(&InitInput { repository: repository.clone() })?);
    }
    actions.push(StoreBackup::action(&StoreInput { repository, to, include })?);
    Ok(Verdict::More { actions, carried: Json::of(&Known { new })? })
}

fn concluded(repository: &Place, new: bool, stored: StoredBackup) -> Conclusion<StoredBackup> {
    let place = repository.path();
    let tool = || Evidence::of("orchestrate").command(format!("snapshot {} of {place}", stored.snapshot));
    let mut metrics = vec![
        Metric::new("repository.files", stored.files as f64, "count", tool()),
        Metric::new("repository.tree_bytes", stored.tree_bytes as f64, "bytes", tool()),
    ];
    metrics.extend(stored.added.map(|added| Metric::new("repository.added", added as f64, "bytes", tool())));
    metrics.extend(stored.took_ms.map(|ms| Metric::new("repository.time", ms, "ms", tool())));
    let unsettled = stored.unsettled.iter().map(|found| {
        Finding::new("backup-unsettled", Severity::Warning, &found.why).at(found.path.to_string(), None)
    });
    let mut findings: Vec<Finding> = unsettled.collect();
    let not_settled = match findings.len() as u64 {
        0 => String::new(),
        n => format!(", {} not as they were", said::count(n, "path")),
    };
    if new {
        let key = repository.key();
        let text = format!(
            "`{place}` is a new repository; its password is in {key}: without it nobody restores, so keep a copy elsewhere"
        );
        findings.push(Finding::new("repository-new", Severity::Note, text));
    }
    let files_only = if stored.refs { "" } else { ", files only" };
    let added = stored.added.map(|added| format!("{} added, ", said::bytes(added))).unwrap_or_default();
    let id: String = stored.snapshot.chars().take(8).collect();
    let summary = format!("Backup stored in `{place}` ({added}snapshot {id}{files_only}{not_settled})");
    Conclusion::new(summary, stored).metrics(metrics).findings(findings)
}
