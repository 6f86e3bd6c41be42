//! `rollback-script`: a script in the snapshot that restores it without this program.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{RestoreCheckout, ScriptInput, WriteRollbackScript, WrittenScript};
use crate::said;

/// Writes `rollback.sh` into a snapshot and restores with it into a scratch folder.
#[derive(Debug, Clone, Copy)]
pub struct RollbackScript;

/// Config of [`RollbackScript`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackScriptConfig {
    /// The snapshot's folder.
    pub snapshot: Input<RelPath>,
}

impl Agent for RollbackScript {
    const NAME: &'static str = "rollback-script";
    const ABOUT: &'static str = "Writes a script that restores a backup, and tries it.";
    type Config = RollbackScriptConfig;
    type Output = WrittenScript;

    async fn plan(&self, task: &Task<RollbackScriptConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let snapshot = task.config.snapshot.value()?.clone();
        Ok(vec![WriteRollbackScript::action(&ScriptInput { snapshot })?])
    }

    fn conclude(
        &self,
        _: &Task<RollbackScriptConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<WrittenScript>, BoxError> {
        let written: WrittenScript = match said::output(receipts)? {
            Ok(written) => written,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let tool = Evidence::of("rollback.sh").command(format!("sh {} --target SCRATCH", written.script));
        let metrics = [Metric::new("backup.rollback_time", written.restore_ms, "ms", tool)];
        let summary = "Rollback script verified";
        Ok(Verdict::Passed(Conclusion::new(summary, written).metrics(metrics)))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(WriteRollbackScript)?, dyn_operation(RestoreCheckout)?])
    }
}
