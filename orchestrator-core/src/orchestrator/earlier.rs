//! What passed in earlier runs of a pipeline.

use std::collections::HashMap;

use super::{Orchestrator, OrchestratorError};
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{RunId, TaskId};
use crate::json::Json;
use crate::outcome::{Outcome, Reason};
use crate::planner::Earlier;
use crate::state::RunState;

/// How many earlier runs of the pipeline are read.
const RUNS: usize = 20;
/// How many runs are looked at for them: of most, how they began is enough.
const LOOKED_AT: usize = 1_000;

/// What passed in earlier runs.
#[derive(Default)]
pub(super) struct Passed(HashMap<TaskId, Said>);

/// What an earlier run said of a task.
#[derive(Clone)]
enum Said {
    /// It passed: where, what it gave, and with what config.
    Passed { run: RunId, output: Json, config: Json },
    /// It did not.
    NotPassed,
    /// A person left it out.
    ByHand,
}

impl Passed {
    /// In the latest runs of a pipeline that were no dry runs. A run that cannot be read is passed over, and said.
    pub(super) async fn in_runs(
        orchestrator: &Orchestrator,
        pipeline: &str,
    ) -> Result<Self, OrchestratorError> {
        let mut passed = Self::default();
        let mut read = 0;
        for run in orchestrator.runs().await?.into_iter().take(LOOKED_AT) {
            let first = orchestrator.store.first(&run).await.ok().flatten();
            let counts = first.is_some_and(|record| match record.event {
                Event::RunStarted(begun) => begun.pipeline == pipeline && begun.ceiling > Effect::Reads,
                _ => false,
            });
            if !counts {
                continue;
            }
            match orchestrator.load(&run).await {
                Ok((state, _)) => passed.add(&run, &state),
                Err(error) => tracing::warn!(%run, %error, "an earlier run could not be read"),
            }
            read += 1;
            if read == RUNS {
                break;
            }
        }
        Ok(passed)
    }

    /// In one run.
    pub(super) async fn in_run(orchestrator: &Orchestrator, run: &RunId) -> Result<Self, OrchestratorError> {
        let (state, _) = orchestrator.load(run).await?;
        let mut passed = Self::default();
        passed.add(run, &state);
        Ok(passed)
    }

    /// What a later run said of a task counts.
    fn add(&mut self, run: &RunId, state: &RunState) {
        for (task, planned) in state.tasks().iter().zip(state.plan().tasks()) {
            let said = match task.outcome() {
                Some(Outcome::Passed | Outcome::Cached) => {
                    let from = task.end.as_ref().and_then(|end| end.from_run.clone());
                    let output = task.output().cloned().unwrap_or_default();
                    let config = planned.config.clone();
                    Said::Passed { run: from.unwrap_or_else(|| run.clone()), output, config }
                }
                Some(Outcome::Failed | Outcome::Cancelled) => Said::NotPassed,
                Some(Outcome::Skipped) if task.reason() == Some(Reason::ByHand) => Said::ByHand,
                _ => continue,
            };
            self.0.entry(planned.id.clone()).or_insert(said);
        }
    }
}

impl Earlier for Passed {
    fn passed(&self, task: &TaskId) -> Option<(RunId, Json)> {
        match self.0.get(task)? {
            Said::Passed { run, output, config: _ } => Some((run.clone(), output.clone())),
            Said::NotPassed | Said::ByHand => None,
        }
    }

    fn passed_with(&self, task: &TaskId, config: &Json) -> bool {
        matches!(self.0.get(task), Some(Said::Passed { config: own, .. }) if own == config)
    }

    fn skipped(&self, task: &TaskId) -> bool {
        matches!(self.0.get(task), Some(Said::ByHand))
    }
}
