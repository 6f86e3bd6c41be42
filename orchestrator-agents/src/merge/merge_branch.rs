//! `merge-branch`: a branch goes into the candidate of another, or nothing changes. `land` and `push` let it out.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::main_branch;
use super::ops::{MergeInput, MergeIntoBranch, Merged, RestoreCandidate};
use crate::said;

/// Merges a branch into what is prepared for another.
#[derive(Debug, Clone, Copy)]
pub struct MergeBranch;

/// Config of [`MergeBranch`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeBranchConfig {
    /// The branch to merge: a local one, or `origin/x`.
    pub branch: String,
    /// The branch that it is to go into; the main branch by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// The remote whose tip of that branch counts; none where the local branch alone does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// How.
    #[serde(default)]
    pub strategy: Strategy,
    /// The commit message; `Merge branch 'x'` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// How branches are merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// By a merge commit, also where a fast-forward were possible.
    #[default]
    Merge,
}

impl MergeBranchConfig {
    /// A branch that goes into the main branch.
    pub fn new(branch: impl Into<String>) -> Self {
        Self { branch: branch.into(), into: None, remote: None, strategy: Strategy::Merge, message: None }
    }
}

impl Agent for MergeBranch {
    const NAME: &'static str = "merge-branch";
    const ABOUT: &'static str = "Merges a branch into another, outside the user's tree.";
    type Config = MergeBranchConfig;
    type Output = Merged;

    async fn plan(&self, task: &Task<MergeBranchConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let MergeBranchConfig { branch, into, remote, strategy: Strategy::Merge, message } =
            task.config.clone();
        let into = into.map_or_else(|| main_branch(look), Ok)?;
        let message = message.unwrap_or_else(|| format!("Merge branch '{branch}'"));
        Ok(vec![MergeIntoBranch::action(&MergeInput { branch, into, remote, message })?])
    }

    fn conclude(
        &self,
        task: &Task<MergeBranchConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Merged>, BoxError> {
        let merged: Merged = match said::output(receipts)? {
            Ok(merged) => merged,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let branch = &task.config.branch;
        let into = task.config.into.as_ref().map_or_else(String::new, |into| format!(" into {into}"));
        let summary = if merged.already_so {
            format!("Branch {branch} was merged before")
        } else {
            format!("Branch {branch} merged{into}")
        };
        Ok(Verdict::passed(summary, merged))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(MergeIntoBranch)?, dyn_operation(RestoreCandidate)?])
    }
}
