//! The agent of rollbacks: performs recorded undo actions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::changes::StepKey;
use crate::BoxError;
use crate::action::Action;
use crate::agent::{Agent, Task, Verdict};
use crate::id::TaskId;
use crate::json::Json;
use crate::order::{Artifacts, Receipt};
use crate::workspace::Workspace;

/// Performs recorded undo actions.
pub(crate) struct Undo;

/// Config of [`Undo`].
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UndoConfig {
    /// The task whose work is reversed.
    pub(super) task: TaskId,
    /// The actions, as they were recorded.
    pub(super) actions: Json,
    /// What they reverse. Rollbacks of before this was recorded have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) steps: Vec<Reversed>,
    /// The backup that they restore from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) backup: Option<String>,
}

/// An action of the run that is reversed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reversed {
    /// Which.
    pub(super) step: StepKey,
    /// It was cut off: where the run is resumed, it is performed again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) open: bool,
    /// How many of its undo actions an earlier rollback performed, that was cut off; they are not among the actions.
    #[serde(default, skip_serializing_if = "is_nought")]
    pub(super) after: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over by reference")]
fn is_nought(n: &usize) -> bool {
    *n == 0
}

impl Agent for Undo {
    const NAME: &'static str = "undo";
    const ABOUT: &'static str = "Performs the undo actions that a run recorded; made by `rollback`.";
    type Config = UndoConfig;
    type Output = ();

    async fn plan(&self, task: &Task<UndoConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(task.config.actions.parse()?)
    }

    fn conclude(
        &self,
        task: &Task<UndoConfig>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<()>, BoxError> {
        let actions: Vec<Action> = task.config.actions.parse()?;
        for (action, receipt) in actions.iter().zip(receipts) {
            if !receipt.ok() {
                return Ok(Verdict::failed(format!("`{action}`: {}", receipt.status)));
            }
        }
        let summary = match &task.config.backup {
            Some(backup) => format!("restored from backup {backup}"),
            None => format!("{} undone", task.config.task),
        };
        Ok(Verdict::passed(summary, ()))
    }
}
