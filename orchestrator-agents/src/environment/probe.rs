//! Checks of the machine: what is looked at, what the answers mean, what would mend it; and the agent that does so.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Run};
use orchestrator_core::agent::{Agent, Dependencies, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::id::NameError;
use orchestrator_core::json::Json;
use orchestrator_core::operation::DynOperation;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::settings::Remedies;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::remedy::{Carried, Found, Mending};
use crate::validation::ran::{Called, Ran};

/// A check of the machine.
pub trait Probe: Send + Sync + 'static {
    /// As pipelines name its agent.
    const NAME: &'static str;
    /// One sentence for `orchestrate agents`.
    const ABOUT: &'static str;
    /// What a pipeline gives it.
    type Config: Serialize + DeserializeOwned + JsonSchema + Send + Sync;
    /// What later tasks may take.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send + 'static;
    /// What it must know to say which actions, and what they mean. A struct.
    type Seen: Serialize + DeserializeOwned + Default + Send;

    /// What happens with a remedy; nothing where it knows none.
    fn remedies(&self, _config: &Self::Config) -> Remedies {
        Remedies::Off
    }

    /// Looks, before anything else.
    fn see(&self, config: &Self::Config, look: &Workspace) -> Result<Self::Seen, BoxError>;

    /// The actions of the check; all of them only read. Same config and sight, same actions.
    fn actions(&self, config: &Self::Config, seen: &Self::Seen) -> Result<Vec<Action>, BoxError>;

    /// What the answers mean.
    fn read(
        &self,
        config: &Self::Config,
        seen: &Self::Seen,
        answers: &Answers<'_>,
    ) -> Result<Found<Self::Output>, BoxError>;

    /// What its answer depends on, and what kind of fact that is; none where it is asked each time.
    fn depends_on(&self, config: &Self::Config) -> Option<Dependencies>;

    /// The operations that remedies call.
    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(Vec::new())
    }
}

/// What the actions of a check gave.
pub struct Answers<'a> {
    actions: &'a [Action],
    receipts: &'a [Receipt],
    artifacts: &'a Artifacts<'a>,
}

impl<'a> Answers<'a> {
    /// What the command at this place of the actions gave.
    pub fn ran(&self, at: usize, tool: &'a str) -> Result<Ran<'a>, BoxError> {
        let (Some(Action::Run(run)), Some(receipt)) = (self.actions.get(at), self.receipts.get(at)) else {
            return Err(format!("the check of `{tool}` was not performed").into());
        };
        let command = run.command.to_string();
        let called = Called { tool, command, version: None, root: None, cwd: &run.cwd };
        Ran::read(called, receipt, self.artifacts)
    }
}

/// A command that only looks; the rest of a check goes on when it fails.
pub(super) fn looks<S: Into<String>>(argv: impl IntoIterator<Item = S>, cwd: &RelPath) -> Action {
    Action::from(Run { cwd: cwd.clone(), ..Run::new(Effect::Reads, argv) }).keep_going()
}

/// A command that mends.
pub(super) fn mends<S: Into<String>>(argv: impl IntoIterator<Item = S>, cwd: &RelPath) -> Action {
    Run { cwd: cwd.clone(), ..Run::new(Effect::Writes, argv) }.into()
}

/// The agent that performs a check.
#[derive(Debug, Clone, Copy, Default)]
pub struct Probing<P>(pub P);

impl<P: Probe> Agent for Probing<P> {
    const NAME: &'static str = P::NAME;
    const ABOUT: &'static str = P::ABOUT;
    type Config = P::Config;
    type Output = P::Output;

    async fn survey(&self, task: &Task<P::Config>, look: &Workspace) -> Result<Json, BoxError> {
        Ok(Json::of(&Carried::first(self.0.see(&task.config, look)?))?)
    }

    async fn plan(&self, task: &Task<P::Config>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let seen = if task.carried.is_null() {
            self.0.see(&task.config, look)?
        } else {
            Carried::of(&task.carried)?.seen
        };
        self.0.actions(&task.config, &seen)
    }

    fn conclude(
        &self,
        task: &Task<P::Config>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<P::Output>, BoxError> {
        let carried: Carried<P::Seen> = Carried::of(&task.carried)?;
        let actions = self.0.actions(&task.config, &carried.seen)?;
        let mode = self.0.remedies(&task.config);
        let mending = Mending { task: &task.id, mode, check: actions.clone() };
        mending.verdict(carried, receipts, |seen, receipts| {
            self.0.read(&task.config, seen, &Answers { actions: &actions, receipts, artifacts })
        })
    }

    fn depends_on(&self, task: &Task<P::Config>) -> Option<Dependencies> {
        self.0.depends_on(&task.config)
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        self.0.operations()
    }
}
