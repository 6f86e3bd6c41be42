//! `candidate`: what is to be released starts from the branch as it is, at the remote or here.

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
use super::ops::{CandidateInput, OpenCandidate, Opened, RestoreCandidate};
use crate::said;

/// Fetches the branch that is released and opens its candidate, on which merges, changelog and tags are made.
#[derive(Debug, Clone, Copy)]
pub struct Candidate;

/// Config of [`Candidate`].
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CandidateConfig {
    /// The branch; the main branch by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The remote whose tip of that branch counts; none where the local branch alone does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

impl Agent for Candidate {
    const NAME: &'static str = "candidate";
    const ABOUT: &'static str = "Opens what is to be released on the branch as it is at the remote, or here.";
    type Config = CandidateConfig;
    type Output = Opened;

    async fn plan(&self, task: &Task<CandidateConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let CandidateConfig { branch, remote } = task.config.clone();
        let branch = branch.map_or_else(|| main_branch(look), Ok)?;
        Ok(vec![OpenCandidate::action(&CandidateInput { branch, remote })?])
    }

    fn conclude(
        &self,
        _: &Task<CandidateConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Opened>, BoxError> {
        let opened: Opened = match said::output(receipts)? {
            Ok(opened) => opened,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let base = opened.base.get(..12).unwrap_or(&opened.base);
        Ok(Verdict::passed(format!("The next {} starts from {base}", opened.branch), opened))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(OpenCandidate)?, dyn_operation(RestoreCandidate)?])
    }
}
