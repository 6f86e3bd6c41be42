//! Rollback: a plan made of the undo actions in a journal, in reverse; shown and run like any other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Orchestrator, OrchestratorError};
use crate::BoxError;
use crate::action::{Action, Expects, Remove, Write};
use crate::agent::{Agent, Task, Verdict};
use crate::effect::Effect;
use crate::event::RunOutcome;
use crate::id::{GroupName, PhaseName, RunId, TaskId};
use crate::json::Json;
use crate::order::{Artifacts, Receipt, Status};
use crate::outcome::Outcome;
use crate::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use crate::plan::{Plan, PlannedTask};
use crate::state::{Round, RunState, RunStatus, Step, TaskState};
use crate::workspace::Workspace;

/// What would reverse a run.
#[derive(Debug)]
pub struct Rollback {
    /// The plan; empty where nothing is to be reversed.
    pub plan: Option<Plan>,
    /// How far it reaches.
    pub reach: Effect,
    /// What was done and cannot be reversed from the journal.
    pub irreversible: Vec<Irreversible>,
}

/// Something that was done and cannot be reversed from the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Irreversible {
    /// Whose.
    pub task: TaskId,
    /// What was done.
    pub action: Action,
}

/// Performs recorded undo actions.
pub(super) struct Undo;

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UndoConfig {
    /// The task whose work is reversed.
    task: TaskId,
    /// The actions, as they were recorded.
    actions: Json,
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
        Ok(Verdict::passed(format!("{} undone", task.config.task), ()))
    }
}

/// Makes the plan.
pub(super) async fn plan(orchestrator: &Orchestrator, run: &RunId) -> Result<Rollback, OrchestratorError> {
    let (state, _) = orchestrator.load(run).await?;
    let mut done: Vec<(&TaskId, &Action, &Step)> = Vec::new();
    for (task, planned) in state.tasks().iter().zip(state.plan().tasks()) {
        let rounds = task.past.iter().flat_map(|attempt| &attempt.rounds).chain(&task.rounds);
        let steps = rounds.flat_map(|Round { actions, steps, carried: _ }| actions.iter().zip(steps));
        done.extend(
            steps
                .filter(|(_, step)| step.started.is_some())
                .map(|(action, step)| (&planned.id, action, step)),
        );
    }
    // Stable: of what was started at the same time the later in the plan is undone first.
    done.sort_by_key(|(_, _, step)| step.started);
    done.reverse();
    done.retain(|(_, action, step)| may_have_changed(action, step));
    let mut group = GroupSpec::new(GroupName::new("undo")?).sequential();
    let (mut reach, mut irreversible) = (Effect::Reads, Vec::new());
    let mut undos: Vec<(&TaskId, &Action, Vec<Action>)> = Vec::new();
    for (task, action, step) in done {
        if step.undo.is_empty() {
            irreversible.push(Irreversible { task: task.clone(), action: action.clone() });
            continue;
        }
        let mut undo = step.undo.clone();
        if let Some(at) = undos.iter().position(|(_, _, later)| joined(later, &undo).is_some()) {
            let (_, _, later) = undos.remove(at);
            undo = joined(&later, &undo).into_iter().collect();
        }
        undos.push((task, action, undo));
    }
    for (task, action, undo) in undos {
        reach = undo.iter().map(Action::effect).fold(reach, Effect::max);
        let actions =
            Json::of(&undo).map_err(|source| OrchestratorError::Plan { run: run.clone(), source })?;
        let config = serde_json::json!({ "task": task, "actions": actions });
        let id = TaskId::new(format!("undo.{}.{}", group.tasks.len() + 1, short(task)))?;
        let before = group.tasks.last().map(|task| task.id.clone());
        let agent = crate::id::AgentName::new(Undo::NAME)?;
        group
            .tasks
            .push(TaskSpec::new(id, agent, config).needs(before).describe(format!("undoes `{action}`")));
    }
    if group.tasks.is_empty() {
        return Ok(Rollback { plan: None, reach, irreversible });
    }
    let phase = PhaseSpec::new(PhaseName::new("rollback")?).group(group);
    let plan = orchestrator.plan(&Pipeline::new(name(run)).phase(phase))?;
    Ok(Rollback { plan: Some(plan), reach, irreversible })
}

/// Name of the pipeline that reverses a run.
fn name(run: &RunId) -> String {
    format!("rollback of {run}")
}

/// The run that this one has reversed: all that could be undone is undone.
pub(crate) fn reverses(state: &RunState) -> Option<RunId> {
    let begun = state.begun()?;
    let run = begun.parent.clone().filter(|run| begun.pipeline == name(run))?;
    let undone = |(planned, task): (&PlannedTask, &TaskState)| {
        planned.agent.as_str() == Undo::NAME && task.outcome() == Some(Outcome::Passed)
    };
    let passed = state.status() == RunStatus::Finished(RunOutcome::Passed) && begun.ceiling > Effect::Reads;
    (passed && state.plan().tasks().iter().zip(state.tasks()).all(undone)).then_some(run)
}

/// Whether there is something to reverse. A command that failed may have done half of its work.
pub(crate) fn may_have_changed(action: &Action, step: &Step) -> bool {
    let Some(receipt) = &step.receipt else { return true };
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

/// Two undos of one file as one, where the first brings back just what the second expects: so that a rollback can be
/// repeated, and shows a file once.
fn joined(first: &[Action], second: &[Action]) -> Option<Action> {
    let ([first], [second]) = (first, second) else { return None };
    let (path, expects, gives) = match first {
        Action::Write(write) => (&write.path, write.expects, Expects::Digest(write.content.digest()?)),
        Action::Remove(remove) => (&remove.path, remove.expects, Expects::Absent),
        Action::Run(_) | Action::Call(_) | Action::Await(_) => return None,
    };
    match second {
        Action::Write(write) if write.path == *path && write.expects == gives => {
            Some(Write { expects, ..write.clone() }.into())
        }
        Action::Remove(remove) if remove.path == *path && remove.expects == gives => {
            Some(Remove { expects, ..remove.clone() }.into())
        }
        _ => None,
    }
}

fn short(task: &TaskId) -> String {
    task.as_str().chars().take(100).collect()
}
