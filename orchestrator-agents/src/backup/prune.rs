//! `prune-backups`: removes the snapshots that a policy does not keep.

use std::collections::BTreeMap;
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

use super::create::backups;
use super::keep::{Judged, Keep, judge};
use super::ops::{Known, ListBackups, Listed, RemoveBackups, RemoveInput, Removed, ShelfInput};
use crate::said;

/// Removes the snapshots that a policy does not keep; never one that something holds.
#[derive(Debug, Clone, Copy)]
pub struct PruneBackups;

/// Config of [`PruneBackups`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneBackupsConfig {
    /// The folder of all snapshots; `backups` by default.
    #[serde(default = "backups")]
    pub of: RelPath,
    /// Which are kept; none: all.
    #[serde(default)]
    pub keep: Option<Keep>,
}

/// Output of [`PruneBackups`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupsPruned {
    /// The snapshots that stay, and why.
    pub kept: BTreeMap<String, String>,
    /// The snapshots that were removed.
    pub removed: Vec<String>,
    /// Bytes on disk that were freed.
    pub freed: u64,
}

/// What the second round has to know of the first.
#[derive(Serialize, Deserialize)]
struct Carried {
    kept: BTreeMap<String, String>,
    strangers: Vec<String>,
}

impl Agent for PruneBackups {
    const NAME: &'static str = "prune-backups";
    const ABOUT: &'static str = "Removes the backups that a policy does not keep.";
    type Config = PruneBackupsConfig;
    type Output = BackupsPruned;

    async fn plan(&self, task: &Task<PruneBackupsConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        if task.config.keep.is_some_and(|keep| keep.is_empty()) {
            return Err("`keep` keeps nothing: say how many of `last`, `daily` or `weekly`".into());
        }
        Ok(vec![ListBackups::action(&ShelfInput { of: task.config.of.clone() })?])
    }

    fn conclude(
        &self,
        task: &Task<PruneBackupsConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<BackupsPruned>, BoxError> {
        match task.carried.parse::<Option<Carried>>()? {
            None => match said::output(receipts)? {
                Ok(listed) => judged(&task.config, &listed),
                Err(why) => Ok(Verdict::failed(why)),
            },
            Some(carried) => match said::output(receipts)? {
                Ok(removed) => Ok(Verdict::Passed(concluded(carried, removed))),
                Err(why) => Ok(Verdict::failed(why)),
            },
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(ListBackups)?, dyn_operation(RemoveBackups)?])
    }
}

fn judged(config: &PruneBackupsConfig, listed: &Listed) -> Result<Verdict<BackupsPruned>, BoxError> {
    let seen: Vec<_> = listed.shelf.snapshots.iter().map(Known::seen).collect();
    let judged = judge(&seen, config.keep.as_ref(), &listed.held);
    let why = |judged: &Judged| {
        let rules: Vec<String> = judged.stays.iter().map(ToString::to_string).collect();
        (judged.name.clone(), rules.join(", "))
    };
    let kept: BTreeMap<String, String> =
        judged.iter().filter(|judged| !judged.stays.is_empty()).map(why).collect();
    let carried = Carried { kept, strangers: listed.shelf.strangers.clone() };
    let mut remove: Vec<String> =
        judged.into_iter().filter(|judged| judged.stays.is_empty()).map(|judged| judged.name).collect();
    remove.sort();
    match config.keep {
        Some(keep) if !remove.is_empty() => {
            let actions = vec![RemoveBackups::action(&RemoveInput { of: config.of.clone(), keep, remove })?];
            Ok(Verdict::More { actions, carried: Json::of(&carried)? })
        }
        _ => {
            let removed = Removed { gone: Vec::new(), stayed: BTreeMap::new(), freed: 0 };
            Ok(Verdict::Passed(concluded(carried, removed)))
        }
    }
}

fn concluded(carried: Carried, removed: Removed) -> Conclusion<BackupsPruned> {
    let Carried { mut kept, strangers } = carried;
    let Removed { gone, stayed, freed } = removed;
    let note = |rule: &str, message: String| Finding::new(rule, Severity::Note, message);
    let mut findings: Vec<Finding> =
        gone.iter().map(|name| note("backup-removed", format!("{name} removed: no rule keeps it"))).collect();
    findings.extend(kept.iter().map(|(name, why)| note("backup-kept", format!("{name} stays: {why}"))));
    let came =
        |(name, why): (&String, &String)| note("backup-kept", format!("{name} stays after all: {why}"));
    findings.extend(stayed.iter().map(came));
    let left = |name: &String| note("backup-left-alone", format!("{name} left alone: it is no backup"));
    findings.extend(strangers.iter().map(left));
    kept.extend(stayed);
    let evidence = Evidence::of("orchestrate").command("blocks of the removed files");
    let metrics = [Metric::new("backups.freed", freed as f64, "bytes", evidence)];
    let summary = match gone.len() as u64 {
        0 => format!("No backup to remove ({} kept)", kept.len()),
        n => format!(
            "{} removed ({} kept, {} freed)",
            said::count(n, "backup"),
            kept.len(),
            said::bytes(freed)
        ),
    };
    let output = BackupsPruned { kept, removed: gone, freed };
    Conclusion::new(summary, output).metrics(metrics).findings(findings)
}
