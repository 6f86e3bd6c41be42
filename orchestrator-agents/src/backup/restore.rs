//! `restore-backup`: brings a snapshot back, into a folder of its own or in place.

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

use super::ops::{
    InPlace, PreviewRollBack, Previewed, RestoreBackup, RestoreInput, Restored, RollBack, RolledBack,
};
use crate::said;

/// Restores a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Restore;

/// Config of [`Restore`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreConfig {
    /// The snapshot's folder.
    pub snapshot: RelPath,
    /// The folder to make, from the root of the file system; none: in place, by the snapshot's own `rollback.sh`.
    #[serde(default)]
    pub to: Option<String>,
    /// In place: whether uncommitted work that is newer may be replaced; it stays under `refs/before-rollback/`.
    #[serde(default)]
    pub force: bool,
}

/// Output of [`Restore`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupRestored {
    /// Where it is; none: in place.
    pub to: Option<String>,
    /// The folder under `refs/` with what was replaced in place.
    pub kept: Option<String>,
    /// Milliseconds that restoring took; none where that is not known any more.
    pub restore_ms: Option<f64>,
}

impl Agent for Restore {
    const NAME: &'static str = "restore-backup";
    const ABOUT: &'static str = "Restores a backup into a new folder, or in place.";
    type Config = RestoreConfig;
    type Output = BackupRestored;

    async fn plan(&self, task: &Task<RestoreConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let RestoreConfig { snapshot, to, force } = task.config.clone();
        Ok(vec![match to {
            Some(to) => RestoreBackup::action(&RestoreInput { snapshot, to })?,
            None => PreviewRollBack::action(&InPlace { snapshot, force })?,
        }])
    }

    fn conclude(
        &self,
        task: &Task<RestoreConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<BackupRestored>, BoxError> {
        let RestoreConfig { snapshot, to, force } = &task.config;
        if to.is_some() {
            return Ok(match said::output(receipts)? {
                Ok(restored) => Verdict::Passed(into_folder(snapshot, restored)),
                Err(why) => Verdict::failed(why),
            });
        }
        match task.carried.parse::<Option<Previewed>>()? {
            None => {
                let seen: Previewed = match said::output(receipts)? {
                    Ok(seen) => seen,
                    Err(why) => return Ok(Verdict::failed(why)),
                };
                if !seen.newer.is_empty() && !force {
                    return Ok(refused(&seen));
                }
                let actions = vec![RollBack::action(&InPlace { snapshot: snapshot.clone(), force: *force })?];
                Ok(Verdict::More { actions, carried: Json::of(&seen)? })
            }
            Some(_) => Ok(match said::output(receipts)? {
                Ok(done) => Verdict::Passed(in_place(done)),
                Err(why) => Verdict::failed(why),
            }),
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(RestoreBackup)?, dyn_operation(PreviewRollBack)?, dyn_operation(RollBack)?])
    }
}

fn refused(seen: &Previewed) -> Verdict<BackupRestored> {
    let findings = seen.newer.iter().map(|path| {
        Finding::new("newer-than-the-backup", Severity::Error, "uncommitted work that is not in the backup")
            .at(path.clone(), None)
    });
    let summary = format!(
        "Nothing was restored: uncommitted work is newer than the backup ({}); commit it, or say `--force` (it then stays \
         under refs/before-rollback/)",
        said::some(&seen.newer)
    );
    Verdict::Failed(Conclusion::new(summary, ()).findings(findings))
}

fn into_folder(snapshot: &RelPath, restored: Restored) -> Conclusion<BackupRestored> {
    let Restored { to, files, refs, restore_ms } = restored;
    let evidence = || Evidence::of("orchestrate").command(format!("restore {snapshot}"));
    let mut metrics = vec![Metric::new("backup.files_restored", files as f64, "count", evidence())];
    metrics.extend(restore_ms.map(|ms| Metric::new("backup.restore_time", ms, "ms", evidence())));
    let with_refs = refs.map_or(String::new(), |refs| format!(" and {}", said::count(refs, "ref")));
    let took = restore_ms.map_or(String::new(), |ms| format!(" in {}", said::duration(ms)));
    let summary = format!("{}{with_refs} restored{took}, compared, in {to}", said::count(files, "file"));
    Conclusion::new(summary, BackupRestored { to: Some(to), kept: None, restore_ms }).metrics(metrics)
}

fn in_place(done: RolledBack) -> Conclusion<BackupRestored> {
    let RolledBack { snapshot, kept, restore_ms } = done;
    let evidence = Evidence::of("rollback.sh").command(format!("sh {snapshot}/rollback.sh"));
    let metrics = [Metric::new("backup.restore_time", restore_ms, "ms", evidence)];
    let stays = kept.as_ref().map_or(String::new(), |kept| format!("; what it replaced stays under {kept}/"));
    let summary = format!("{snapshot} restored in place in {}{stays}", said::duration(restore_ms));
    Conclusion::new(summary, BackupRestored { to: None, kept, restore_ms: Some(restore_ms) }).metrics(metrics)
}
