//! What a rollback would do, from the undo actions that were recorded before each change.

use std::cmp::Reverse;
use std::collections::HashSet;

use jiff::Timestamp;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::TaskId;
use orchestrator_core::order::Status;
use orchestrator_core::plan::TaskIx;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::{Round, Step, TaskState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a rollback would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Undo {
    /// What can be reversed, in the order of a rollback: the latest change first.
    pub can: Vec<Reversal>,
    /// What cannot, the latest change first.
    pub cannot: Vec<Irreversible>,
}

/// A change that can be reversed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reversal {
    /// The task that made it.
    pub task: TaskId,
    /// The change.
    pub change: String,
    /// The actions that reverse it.
    pub undo: Vec<String>,
}

/// A change that cannot be reversed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Irreversible {
    /// The task that made it.
    pub task: TaskId,
    /// The change.
    pub change: String,
    /// How far it reached.
    pub effect: Effect,
    /// Why not.
    pub why: String,
}

struct Change<'a> {
    at: Option<Timestamp>,
    seq: usize,
    task: &'a TaskId,
    action: &'a Action,
    step: &'a Step,
}

/// What a rollback of a record would do.
pub(super) fn of(record: &RunRecord) -> Undo {
    let mut changes = Vec::new();
    for at in 0..record.plan().tasks().len() as u32 {
        let ix = TaskIx(at);
        of_task(&record.plan().task(ix).id, record.state.task(ix), &mut changes);
    }
    changes.sort_by_key(|change| Reverse((change.at, change.seq)));
    let mut undo = Undo::default();
    for Change { task, action, step, .. } in changes {
        let (task, change) = (task.clone(), action.to_string());
        if step.undo.is_empty() {
            let why = "nothing that reverses it was recorded".to_owned();
            undo.cannot.push(Irreversible { task, change, effect: action.effect(), why });
        } else {
            let actions = step.undo.iter().map(ToString::to_string).collect();
            undo.can.push(Reversal { task, change, undo: actions });
        }
    }
    undo
}

/// The changes of a task. An action that was repeated counts once, with its first capture.
fn of_task<'a>(id: &'a TaskId, task: &'a TaskState, changes: &mut Vec<Change<'a>>) {
    let mut seen = HashSet::new();
    let attempts = task.past.iter().map(|attempt| attempt.rounds.as_slice());
    for rounds in attempts.chain([task.rounds.as_slice()]) {
        for (round, Round { actions, steps, .. }) in rounds.iter().enumerate() {
            for (index, (action, step)) in actions.iter().zip(steps).enumerate() {
                if changed(action, step) && seen.insert((round, index, action.to_string())) {
                    changes.push(Change { at: step.started, seq: changes.len(), task: id, action, step });
                }
            }
        }
    }
}

/// Whether an action changed, or may have changed, something.
fn changed(action: &Action, step: &Step) -> bool {
    let untouched = step.receipt.as_ref().is_some_and(|receipt| receipt.status == Status::AlreadySo);
    action.effect() > Effect::Reads && !matches!(action, Action::Await(_)) && !untouched
}
