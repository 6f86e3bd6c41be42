//! What a run changed, or may have changed, as its journal tells it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::OrchestratorError;
use crate::action::Action;
use crate::id::{RunId, TaskId};
use crate::order::Status;
use crate::problem::unknown;
use crate::state::{RunState, Step, TaskState};

/// Names an action of a run for good.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepKey {
    /// Its task.
    pub(crate) task: TaskId,
    /// Attempt of the task, from 1.
    pub(crate) attempt: u32,
    /// Round of the attempt, from 0.
    pub(crate) round: u32,
    /// Place of the action in its round, from 0.
    pub(crate) index: u32,
}

/// An action that changed something, or may have.
#[derive(Debug, Clone)]
pub(super) struct Change<'s> {
    pub(super) key: StepKey,
    pub(super) action: &'s Action,
    pub(super) step: &'s Step,
}

/// The changes of a run, the latest first.
pub(super) fn of(state: &RunState) -> Vec<Change<'_>> {
    let mut changes = Vec::new();
    for (task, planned) in state.tasks().iter().zip(state.plan().tasks()) {
        of_task(&planned.id, task, &mut changes);
    }
    // Stable: of what was started at the same time the later in the plan is undone first.
    changes.sort_by_key(|change| change.step.started);
    changes.reverse();
    changes
}

fn of_task<'s>(id: &TaskId, task: &'s TaskState, changes: &mut Vec<Change<'s>>) {
    let past = (1..).zip(task.past.iter().map(|attempt| &attempt.rounds));
    for (attempt, rounds) in past.chain([(task.attempt, &task.rounds)]) {
        for (round, all) in (0..).zip(rounds) {
            for (index, (action, step)) in (0..).zip(all.actions.iter().zip(&all.steps)) {
                if step.started.is_some() && may_have_changed(action, step) {
                    let key = StepKey { task: id.clone(), attempt, round, index };
                    changes.push(Change { key, action, step });
                }
            }
        }
    }
}

/// Whether there is something to reverse. A command that failed may have done half of its work.
pub(crate) fn may_have_changed(action: &Action, step: &Step) -> bool {
    let Some(receipt) = &step.receipt else { return true };
    if receipt.unbegun {
        return false;
    }
    match (action, &receipt.status) {
        (Action::Await(_), _) | (_, Status::AlreadySo) => false,
        (Action::Write(_) | Action::Remove(_), _) => receipt.ok(),
        // It was not started.
        (Action::Run(_), Status::Failed { .. }) if receipt.stdout.is_none() && receipt.stderr.is_none() => {
            false
        }
        (Action::Run(_) | Action::Call(_), _) => true,
    }
}

/// Which changes are to be undone.
pub(super) struct Scope<'s> {
    state: &'s RunState,
    /// A task, and when it started; none where it never did.
    to: Option<(&'s TaskId, Option<Timestamp>)>,
}

impl<'s> Scope<'s> {
    /// Everything, or what came to pass from the start of a task on.
    pub(super) fn new(
        run: &RunId,
        state: &'s RunState,
        to: Option<&'s TaskId>,
    ) -> Result<Self, OrchestratorError> {
        let Some(to) = to else { return Ok(Self { state, to: None }) };
        let Some(ix) = state.plan().find(to) else {
            let known = state.plan().tasks().iter().map(|task| task.id.as_str());
            let message = unknown("task", to.as_str(), known);
            return Err(OrchestratorError::NoTask { run: run.clone(), message });
        };
        Ok(Self { state, to: Some((to, state.task(ix).started)) })
    }

    /// Whether a change is to be undone. Tasks that ran side by side: what was over before the task started stays.
    pub(super) fn has(&self, change: &Change<'_>) -> bool {
        let Some((to, from)) = self.to else { return true };
        if change.key.task == *to {
            return true;
        }
        let Some(from) = from else { return false };
        let ended = self.state.plan().find(&change.key.task).and_then(|ix| self.state.task(ix).ended);
        change.step.started >= Some(from) && ended.is_none_or(|ended| ended > from)
    }
}
