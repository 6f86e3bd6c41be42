//! `reset-environment`: what earlier runs left behind that died goes.

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
use super::ops::{FindLeftovers, Found, Kind, Leftover, LeftoversInput, RemoveLeftovers, Swept, ToRemove};
use crate::said;

/// Removes stale pid files and what dead runs left: temporary folders, half-made backups, worktrees.
#[derive(Debug, Clone, Copy)]
pub struct ResetEnvironment;

/// Config of [`ResetEnvironment`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetEnvironmentConfig {
    /// The folder of all snapshots; `backups` by default.
    #[serde(default = "backups")]
    pub backups: RelPath,
    /// Pid files of the project's programs: removed where their process is gone or is another program.
    #[serde(default)]
    pub pid_files: Vec<RelPath>,
}

impl Agent for ResetEnvironment {
    const NAME: &'static str = "reset-environment";
    const ABOUT: &'static str = "Removes stale pid files and what dead runs left behind.";
    type Config = ResetEnvironmentConfig;
    type Output = Swept;

    async fn plan(
        &self,
        task: &Task<ResetEnvironmentConfig>,
        _: &Workspace,
    ) -> Result<Vec<Action>, BoxError> {
        let ResetEnvironmentConfig { backups, pid_files } = task.config.clone();
        Ok(vec![FindLeftovers::action(&LeftoversInput { backups, pid_files })?])
    }

    fn conclude(
        &self,
        task: &Task<ResetEnvironmentConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Swept>, BoxError> {
        match task.carried.parse::<Option<Found>>()? {
            None => {
                let found: Found = match said::output(receipts)? {
                    Ok(found) => found,
                    Err(why) => return Ok(Verdict::failed(why)),
                };
                if found.stale.is_empty() {
                    return Ok(Verdict::Passed(concluded(&found, Swept::default())));
                }
                let input = ToRemove { backups: task.config.backups.clone(), stale: found.stale.clone() };
                let actions = vec![RemoveLeftovers::action(&input)?];
                Ok(Verdict::More { actions, carried: Json::of(&found)? })
            }
            Some(found) => match said::output(receipts)? {
                Ok(swept) => Ok(Verdict::Passed(concluded(&found, swept))),
                Err(why) => Ok(Verdict::failed(why)),
            },
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(FindLeftovers)?, dyn_operation(RemoveLeftovers)?])
    }
}

fn concluded(found: &Found, swept: Swept) -> Conclusion<Swept> {
    let line = |rule: &str, did: &str, left: &Leftover| {
        let Leftover { kind, name, why } = left;
        Finding::new(rule, Severity::Note, format!("{} {name} {did}: {why}", kind.about()))
    };
    let mut findings: Vec<Finding> =
        swept.gone.iter().map(|left| line("leftover-removed", "removed", left)).collect();
    findings.extend(found.stays.iter().map(|left| line("leftover-stays", "stays", left)));
    let evidence = || Evidence::of("orchestrate").command("what was removed");
    let metrics = [
        Metric::new("reset.removed", swept.gone.len() as f64, "count", evidence()),
        Metric::new("reset.freed", swept.freed as f64, "bytes", evidence()),
    ];
    let mut counts: BTreeMap<Kind, u64> = BTreeMap::new();
    for left in &swept.gone {
        *counts.entry(left.kind).or_default() += 1;
    }
    let counts: Vec<String> = counts.into_iter().map(|(kind, n)| said::count(n, kind.about())).collect();
    let summary = if counts.is_empty() {
        "Nothing is left of earlier runs".to_owned()
    } else {
        format!("{} removed ({} freed)", counts.join(", "), said::bytes(swept.freed))
    };
    Conclusion::new(summary, swept).metrics(metrics).findings(findings)
}
