//! From what is to be undone to the tasks of a plan.

use jiff::Timestamp;
use serde_json::json;

use super::super::{Orchestrator, OrchestratorError};
use super::undo::{Reversed, Undo, UndoConfig};
use super::{Found, Restoration, Reversal, Undoing};
use crate::action::{Action, Expects, Remove, Write};
use crate::agent::Agent;
use crate::effect::Effect;
use crate::id::{AgentName, GroupName, PhaseName, RunId, TaskId};
use crate::json::Json;
use crate::pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
use crate::plan::Plan;

/// A task to be: what is shown of it, and what it is made of.
pub(super) struct Made {
    task: TaskId,
    action: Option<Action>,
    at: Option<Timestamp>,
    undo: Vec<Action>,
    steps: Vec<Reversed>,
    backup: Option<String>,
}

impl Made {
    fn of(undoing: &Undoing<'_>) -> Self {
        let Undoing { change, undo, after } = undoing;
        Self {
            task: change.key.task.clone(),
            action: Some(change.action.clone()),
            at: change.step.started,
            undo: undo.clone(),
            steps: vec![reversed(undoing, *after)],
            backup: None,
        }
    }

    /// It and an earlier change of the same file as one, which `both` undoes.
    fn joined(self, undoing: &Undoing<'_>, both: Action) -> Self {
        let mut made = Self::of(undoing);
        made.undo = vec![both];
        made.steps.splice(0..0, self.steps);
        made
    }

    fn about(&self) -> String {
        match (&self.backup, &self.action) {
            (Some(backup), _) => format!("restores from backup {backup}"),
            (None, Some(action)) => format!("undoes `{action}` of `{}`", self.task),
            (None, None) => format!("undoes `{}`", self.task),
        }
    }
}

fn reversed(undoing: &Undoing<'_>, after: usize) -> Reversed {
    let Undoing { change, .. } = undoing;
    Reversed { step: change.key.clone(), open: change.step.receipt.is_none(), after }
}

/// What is to be done, in order: the latest change is undone first, and a backup restored where its time has come.
pub(super) fn made(
    run: &RunId,
    found: &Found<'_>,
    restoration: Option<&Restoration>,
) -> Result<Vec<Made>, OrchestratorError> {
    let needless = |at: usize| restoration.is_some_and(|restoration| restoration.instead_of.contains(&at));
    let all = found.undo.iter().enumerate().filter(|(at, _)| !needless(*at)).map(|(_, undoing)| undoing);
    let Some(restoration) = restoration else { return Ok(undos(all)) };
    let is_later = |undoing: &&Undoing<'_>| undoing.change.step.started > Some(restoration.at);
    let mut made = undos(all.clone().filter(is_later));
    made.push(restoring(run, found, restoration)?);
    made.extend(undos(all.filter(|undoing| !is_later(undoing))));
    Ok(made)
}

fn undos<'u>(all: impl Iterator<Item = &'u Undoing<'u>>) -> Vec<Made> {
    let mut made: Vec<Made> = Vec::new();
    for undoing in all {
        let both =
            made.iter().enumerate().find_map(|(at, later)| Some((at, joined(&later.undo, &undoing.undo)?)));
        let next = match both {
            Some((at, both)) => made.remove(at).joined(undoing, both),
            None => Made::of(undoing),
        };
        made.push(next);
    }
    made
}

fn restoring(run: &RunId, found: &Found<'_>, restoration: &Restoration) -> Result<Made, OrchestratorError> {
    let Restoration { name, at, actions, covers, instead_of, .. } = restoration;
    let lost = covers.iter().filter_map(|at| found.lost.get(*at));
    let lost = lost.map(|change| Reversed {
        step: change.key.clone(),
        open: change.step.receipt.is_none(),
        after: 0,
    });
    let undone = instead_of.iter().filter_map(|at| found.undo.get(*at)).map(|undoing| reversed(undoing, 0));
    let task = TaskId::new("backup").map_err(OrchestratorError::from)?;
    let steps: Vec<Reversed> = lost.chain(undone).collect();
    tracing::debug!(%run, name, steps = steps.len(), "a backup restores what the journal cannot undo");
    let (undo, backup) = (actions.clone(), Some(name.clone()));
    Ok(Made { task, action: None, at: Some(*at), undo, steps, backup })
}

/// The plan, what its tasks reverse, and how far it reaches.
pub(super) fn planned(
    orchestrator: &Orchestrator,
    name: String,
    made: Vec<Made>,
) -> Result<(Option<Plan>, Vec<Reversal>, Effect), OrchestratorError> {
    let mut group = GroupSpec::new(GroupName::new("undo")?).sequential();
    let (mut reach, mut steps) = (Effect::Reads, Vec::new());
    for made in made {
        reach = made.undo.iter().map(Action::effect).fold(reach, Effect::max);
        let id = TaskId::new(format!("undo.{}.{}", group.tasks.len() + 1, short(&made.task)))?;
        let about = made.about();
        let Made { task, action, at, undo, steps: reversed, backup } = made;
        let actions = Json::of(&undo).map_err(|error| odd(&id, error))?;
        let config = UndoConfig { task: task.clone(), actions, steps: reversed, backup };
        let config = serde_json::to_value(config).map_err(|error| odd(&id, error))?;
        let before = group.tasks.last().map(|task| task.id.clone());
        let spec = TaskSpec::new(id.clone(), AgentName::new(Undo::NAME)?, json!(config));
        group.tasks.push(spec.needs(before).describe(about));
        steps.push(Reversal { id, task, action, at, undo });
    }
    if group.tasks.is_empty() {
        return Ok((None, steps, reach));
    }
    let phase = PhaseSpec::new(PhaseName::new("rollback")?).group(group);
    Ok((Some(orchestrator.plan(&Pipeline::new(name).phase(phase))?), steps, reach))
}

fn odd(id: &TaskId, error: serde_json::Error) -> OrchestratorError {
    OrchestratorError::Io {
        what: format!("`{id}` could not be written down"),
        source: std::io::Error::other(error),
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
