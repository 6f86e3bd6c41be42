//! `land`: the local branch follows to what was prepared for it.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::main_branch;
use super::ops::{LandCandidate, LandInput, Landed, RestoreRef};
use super::record::Record;
use crate::said;

/// Moves the local branch forward to its candidate.
#[derive(Debug, Clone, Copy)]
pub struct Land;

/// Config of [`Land`].
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LandConfig {
    /// The branch; the main branch by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The remote where it must be out; none where nothing is pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

impl Agent for Land {
    const NAME: &'static str = "land";
    const ABOUT: &'static str = "Moves the local branch forward to what was prepared for it.";
    type Config = LandConfig;
    type Output = Landed;

    async fn plan(&self, task: &Task<LandConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let branch = task.config.branch.clone().map_or_else(|| main_branch(look), Ok)?;
        let record = Record::read(look, &branch)?.filter(|(_, record)| Some(&record.run) == look.run());
        let commit = record.map(|(_, record)| record.tip);
        Ok(vec![LandCandidate::action(&LandInput { branch, commit, remote: task.config.remote.clone() })?])
    }

    fn conclude(
        &self,
        task: &Task<LandConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Landed>, BoxError> {
        let landed: Landed = match said::output(receipts)? {
            Ok(landed) => landed,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let branch = task.config.branch.as_deref().unwrap_or("The branch");
        let commit = landed.commit.get(..12).unwrap_or(&landed.commit);
        if let Some(why) = landed.stayed.clone() {
            let finding = Finding::new("local-branch", Severity::Warning, why);
            let summary = format!("{branch} stays where it is: {}", finding.message);
            return Ok(Verdict::Passed(Conclusion::new(summary, landed).findings([finding])));
        }
        Ok(Verdict::passed(format!("{branch} is at {commit}"), landed))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(LandCandidate)?, dyn_operation(RestoreRef)?])
    }
}
