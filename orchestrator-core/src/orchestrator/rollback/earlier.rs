//! What earlier rollbacks of a run reversed, from their own journals; and what a rollback itself undid of them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::{Orchestrator, OrchestratorError};
use super::changes::{Change, StepKey};
use super::undo::{Reversed, Undo, UndoConfig};
use crate::action::Action;
use crate::effect::Effect;
use crate::event::{Event, RunOutcome, RunStarted};
use crate::id::{RunId, TaskId};
use crate::outcome::Outcome;
use crate::plan::PlannedTask;
use crate::state::{RunState, RunStatus, TaskState};

/// What earlier rollbacks did to a run.
pub(super) struct Earlier {
    /// By the action of the run.
    reversed: BTreeMap<StepKey, Told>,
    /// Rollbacks of the run that were begun and are not over.
    open: Vec<(RunId, RunState)>,
    /// When rollbacks, and rollbacks of those, were at work.
    spans: Vec<(Timestamp, Timestamp)>,
}

/// What a rollback did about an action.
struct Told {
    by: RunId,
    /// How many of its undo actions were performed; none where all were.
    performed: Option<usize>,
    /// Where the action was cut off: a run that went on after this time may have performed it again.
    unless_after: Option<Timestamp>,
}

/// What is known of an action.
pub(super) enum Said {
    /// A rollback reversed it.
    Undone(RunId),
    /// A rollback was cut off after so many of its undo actions.
    Begun(RunId, usize),
    /// Nothing.
    Nothing,
}

impl Earlier {
    /// Reads the rollbacks of a run, and the rollbacks of those.
    pub(super) async fn of(orchestrator: &Orchestrator, run: &RunId) -> Result<Self, OrchestratorError> {
        let mut family: Vec<(RunId, RunId, RunState)> = Vec::new();
        let mut later: Vec<RunId> =
            orchestrator.runs().await?.into_iter().filter(|other| other > run).collect();
        // A rollback is later than what it reverses.
        later.sort();
        for other in later {
            let first = orchestrator.store.first(&other).await.ok().flatten();
            let Some(Event::RunStarted(begun)) = first.map(|record| record.event) else { continue };
            let Some(parent) = follows(&begun).filter(|_| begun.ceiling > Effect::Reads) else { continue };
            if parent == *run || family.iter().any(|(known, ..)| *known == parent) {
                let (state, _) = orchestrator.load(&other).await?;
                family.push((other, parent, state));
            }
        }
        let mut reversed: BTreeMap<RunId, BTreeMap<StepKey, Told>> = BTreeMap::new();
        // The latest first: what it reversed of the one before counts there as not done.
        for (by, parent, state) in family.iter().rev() {
            let undone = reversed.remove(by).unwrap_or_default();
            tell(by, state, &undone, reversed.entry(parent.clone()).or_default());
        }
        let spans =
            family.iter().filter_map(|(_, _, state)| Some((state.started()?, state.last()?))).collect();
        let open = family
            .into_iter()
            .filter(|(_, parent, state)| parent == run && !matches!(state.status(), RunStatus::Finished(_)));
        let open = open.map(|(by, _, state)| (by, state)).collect();
        Ok(Self { reversed: reversed.remove(run).unwrap_or_default(), open, spans })
    }

    /// What is known of an action of the run.
    pub(super) fn said(&self, change: &Change<'_>, state: &RunState) -> Said {
        let Some(told) = self.reversed.get(&change.key) else { return Said::Nothing };
        if told.unless_after.is_some() && (change.step.receipt.is_some() || state.last() > told.unless_after)
        {
            return Said::Nothing;
        }
        match told.performed {
            None => Said::Undone(told.by.clone()),
            Some(performed) => Said::Begun(told.by.clone(), performed),
        }
    }

    /// Rollbacks of the run that were begun and are not over.
    pub(super) fn open(&self) -> impl Iterator<Item = &RunId> {
        self.open.iter().map(|(run, _)| run)
    }

    /// When rollbacks of the run, and rollbacks of those, were at work.
    pub(super) fn spans(&self) -> &[(Timestamp, Timestamp)] {
        &self.spans
    }

    /// A rollback, and its task, that was cut off while it published: whether it went out is for a person to say.
    pub(super) fn unsure(&self) -> Option<(RunId, TaskId)> {
        self.open.iter().find_map(|(run, state)| {
            let tasks = state.tasks().iter().zip(state.plan().tasks());
            let open = |task: &TaskState| {
                let round = task.rounds.last()?;
                let step = round.steps.last().filter(|step| step.receipt.is_none())?;
                step.started?;
                Some(round.actions.get(round.steps.len() - 1)?.effect() == Effect::Publishes)
            };
            let (_, planned) = tasks.into_iter().find(|(task, _)| open(task) == Some(true))?;
            Some((run.clone(), planned.id.clone()))
        })
    }
}

/// What a rollback did to the run that it reverses; `undone` is what later ones reversed of it, and so does not count.
fn tell(
    by: &RunId,
    state: &RunState,
    undone: &BTreeMap<StepKey, Told>,
    reversed: &mut BTreeMap<StepKey, Told>,
) {
    for (task, planned) in state.tasks().iter().zip(state.plan().tasks()) {
        let Some(UndoConfig { task: _, steps, actions, backup }) = config(planned) else { continue };
        if undone.keys().any(|key| key.task == planned.id) {
            continue;
        }
        let performed = match task.outcome() {
            Some(Outcome::Passed) => None,
            // Half a restoration is none.
            _ if backup.is_some() => continue,
            _ => Some(performed(task, steps.len(), actions.parse().unwrap_or_default())),
        };
        if performed == Some(0) {
            continue;
        }
        for Reversed { step, open, after } in steps {
            let performed = performed.map(|performed| performed + after);
            let unless_after = open.then(|| task.ended.or(state.last())).flatten();
            // The rollbacks come from the latest to the first: the latest that reversed it counts.
            reversed.entry(step).or_insert_with(|| Told { by: by.clone(), performed, unless_after });
        }
    }
}

/// How many undo actions of one action were performed, from the first on.
fn performed(task: &TaskState, steps: usize, actions: Vec<Action>) -> usize {
    let Some(round) = task.rounds.last().filter(|round| steps == 1 && round.actions == actions) else {
        return 0;
    };
    let done =
        round.steps.iter().take_while(|step| step.receipt.as_ref().is_some_and(|receipt| receipt.ok()));
    done.count()
}

fn config(planned: &PlannedTask) -> Option<UndoConfig> {
    if planned.agent.as_str() != <Undo as crate::agent::Agent>::NAME {
        return None;
    }
    planned.config.parse().ok()
}

/// Name of the pipeline that reverses a run.
pub(super) fn name(run: &RunId, to: Option<&TaskId>) -> String {
    match to {
        None => format!("rollback of {run}"),
        Some(task) => format!("rollback of {run} to {task}"),
    }
}

/// The run that a rollback reverses, whole or in part.
pub(crate) fn follows(begun: &RunStarted) -> Option<RunId> {
    let parent = begun.parent.clone()?;
    let rest = begun.pipeline.strip_prefix(&name(&parent, None))?;
    (rest.is_empty() || rest.starts_with(" to ")).then_some(parent)
}

/// The run that this one has reversed: all that could be undone is undone.
pub(crate) fn reverses(state: &RunState) -> Option<RunId> {
    let begun = state.begun()?;
    let run = begun.parent.clone().filter(|run| begun.pipeline == name(run, None))?;
    let undone = |(planned, task): (&PlannedTask, &TaskState)| {
        planned.agent.as_str() == <Undo as crate::agent::Agent>::NAME
            && task.outcome() == Some(Outcome::Passed)
    };
    let passed = state.status() == RunStatus::Finished(RunOutcome::Passed) && begun.ceiling > Effect::Reads;
    (passed && state.plan().tasks().iter().zip(state.tasks()).all(undone)).then_some(run)
}
