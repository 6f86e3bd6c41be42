//! Reuse, as the facade gives it.

use std::sync::Arc;

use jiff::Timestamp;

use super::earlier::Passed;
use super::{Orchestrator, OrchestratorError};
use crate::agent::Task;
use crate::cache::Cache;
use crate::id::TaskId;
use crate::input::resolve;
use crate::json::Json;
use crate::plan::Plan;
use crate::planner::Earlier as _;
use crate::reuse::{Restore, Reuse, ReuseMode, Why};
use crate::workspace::Workspace;

impl Orchestrator {
    /// Reuse for a run; none where it is off or there is no cache.
    pub(super) fn reuse(&self, look: &Workspace, mode: ReuseMode) -> Option<Arc<Reuse>> {
        let cache = self.cache.clone()?;
        // A run that was cut off while it restored goes on, whatever the mode.
        match crate::operation::dyn_operation(Restore(cache.clone())) {
            Ok(restore) => self.executor.register(restore),
            Err(error) => tracing::warn!(%error, "results cannot be restored"),
        }
        let settings = self.settings.clone().unwrap_or_default();
        if mode == ReuseMode::Off || !settings.reuse {
            return None;
        }
        match Reuse::new(cache, look.clone(), settings.ttl, mode) {
            Ok(reuse) => Some(Arc::new(reuse)),
            Err(error) => {
                tracing::warn!(%error, "the tree cannot be looked at; nothing is reused");
                None
            }
        }
    }

    /// The cache.
    pub fn results(&self) -> Option<&Arc<Cache>> {
        self.cache.as_ref()
    }

    /// Why a task of a plan would run again, or would not. What it takes from others is what they gave when they last
    /// passed.
    pub async fn why(&self, plan: &Plan, task: &TaskId) -> Result<Why, OrchestratorError> {
        let io = |source| OrchestratorError::Io { what: "the tree could not be looked at".into(), source };
        let look =
            Workspace::new(self.executor.root(), Timestamp::now()).environment(self.executor.environment());
        let Some(cache) = self.cache.clone() else { return Ok(Why::Never) };
        let settings = self.settings.clone().unwrap_or_default();
        let reuse = Reuse::new(cache, look, settings.ttl, ReuseMode::On).map_err(io)?;
        let Some(ix) = plan.find(task) else { return Ok(Why::Never) };
        let planned = plan.task(ix);
        let Some(agent) = self.registry.agents().get(&planned.agent) else { return Ok(Why::Never) };
        let (id, phase, group) =
            (task.clone(), plan.phase_of(ix).name.clone(), plan.group_of(ix).name.clone());
        let config = if planned.takes.is_empty() {
            planned.config.clone()
        } else {
            taken(&planned.config, &Passed::in_runs(self, plan.pipeline()).await?)
        };
        let carried = Json::null();
        let seen = Task { id, phase, group, config, carried };
        let Some(spec) = reuse.spec(plan, planned, &**agent, &seen) else { return Ok(Why::Never) };
        let why = reuse.why(task.as_str(), &spec);
        reuse.keep();
        Ok(why)
    }
}

/// A config with what others gave in place of references; as it is where one of them never passed.
fn taken(config: &Json, earlier: &Passed) -> Json {
    let mut value = config.value();
    let resolved = resolve(&mut value, &mut |reference| {
        let (_, output) = earlier.passed(&reference.task)?;
        reference.find(&output.value()).cloned()
    });
    if resolved.is_ok() { value.into() } else { config.clone() }
}
