//! `push`: the release goes out, whole or not at all.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::main_branch;
use super::ops::{PushInput, PushRelease, Pushed};
use super::tag::names;
use crate::said;

/// Pushes a branch and tags in one atomic step, never by force.
#[derive(Debug, Clone, Copy)]
pub struct Push;

/// Config of [`Push`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// The remote; `origin` by default.
    #[serde(default = "origin")]
    pub remote: String,
    /// The branch; the main branch by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Tags to push with it.
    #[serde(default)]
    pub tags: Vec<Input<String>>,
}

pub(super) fn origin() -> String {
    "origin".to_owned()
}

impl Agent for Push {
    const NAME: &'static str = "push";
    const ABOUT: &'static str = "Pushes a branch and tags atomically.";
    type Config = PushConfig;
    type Output = Pushed;

    async fn plan(&self, task: &Task<PushConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let PushConfig { remote, branch, tags } = &task.config;
        let branch = branch.clone().map_or_else(|| main_branch(look), Ok)?;
        let (remote, tags) = (remote.clone(), names(tags)?);
        Ok(vec![PushRelease::action(&PushInput { remote, branch, tags })?])
    }

    fn conclude(
        &self,
        task: &Task<PushConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Pushed>, BoxError> {
        let remote = &task.config.remote;
        if receipts.first().is_some_and(|receipt| receipt.status == Status::AssumedDone) {
            let summary = format!("Pushed to {remote}, as a person said");
            return Ok(Verdict::passed(summary, Pushed::default()));
        }
        let pushed: Pushed = match said::output(receipts)? {
            Ok(pushed) => pushed,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let refs: Vec<&str> =
            pushed.refs.keys().map(|name| name.splitn(3, '/').nth(2).unwrap_or(name)).collect();
        Ok(Verdict::passed(format!("Pushed to {remote}: {}", refs.join(", ")), pushed))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(PushRelease)?])
    }
}
