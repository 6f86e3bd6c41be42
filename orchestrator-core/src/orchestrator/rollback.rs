//! Rollback: a plan made of the undo actions in a journal, in reverse; shown and run like any other. What a journal cannot
//! undo is listed with advice; where a front door hands in a [`Fallback`], the run's own backup brings back what it can.
//!
//! A rollback is a run as well: it is journaled, resumed and rolled back like any other. What it undid is read from its own
//! journal (`earlier`), so that the next rollback of the same run does the rest only.

mod advice;
mod changes;
mod earlier;
mod fallback;
mod steps;
mod undo;

use jiff::Timestamp;

use super::{Orchestrator, OrchestratorError};
use crate::BoxError;
use crate::action::Action;
use crate::effect::Effect;
use crate::id::{RunId, TaskId};
use crate::plan::Plan;
use crate::state::RunState;
use crate::store::StoreError;

pub(crate) use changes::may_have_changed;
pub(crate) use earlier::{follows, reverses};
pub use fallback::{Fallback, Lost, Restoration};
pub(super) use undo::Undo;

use changes::{Change, Scope, StepKey};
use earlier::{Earlier, Said};

/// What of a run is to be undone, and with what.
#[derive(Clone, Copy, Default)]
pub struct RollbackOptions<'a> {
    /// Back to how things were before this task started: it and everything after it is undone. By default everything is.
    pub to: Option<&'a TaskId>,
    /// What restores where the journal cannot undo; by default nothing.
    pub fallback: Option<&'a dyn Fallback>,
}

/// What would reverse a run.
#[derive(Debug)]
pub struct Rollback {
    /// The plan; none where nothing is to be reversed. It is run with the run as `RunOptions::parent`: by that later rollbacks
    /// know what it reversed.
    pub plan: Option<Plan>,
    /// How far it reaches.
    pub reach: Effect,
    /// What the tasks of the plan reverse, in their order.
    pub steps: Vec<Reversal>,
    /// What earlier rollbacks reversed already; it is left out.
    pub left_out: Vec<LeftOut>,
    /// What was done and cannot be reversed from the journal, the latest first.
    pub irreversible: Vec<Irreversible>,
    /// What the backup brings back; one of the steps.
    pub restoration: Option<Restoration>,
    /// Rollbacks of the run that were cut off. This one does what they left, so they are not to be resumed.
    pub cut_off: Vec<RunId>,
}

impl Rollback {
    /// The run that a run is a rollback of; none where it is no rollback.
    pub fn of(state: &RunState) -> Option<RunId> {
        state.begun().and_then(follows)
    }
}

/// What a task of the plan reverses.
#[derive(Debug, Clone, PartialEq)]
pub struct Reversal {
    /// The task of the plan.
    pub id: TaskId,
    /// Whose work is reversed.
    pub task: TaskId,
    /// What was done; of several changes of one file the first. None where a backup brings many things back.
    pub action: Option<Action>,
    /// When it was started.
    pub at: Option<Timestamp>,
    /// What reverses it.
    pub undo: Vec<Action>,
}

/// Something that an earlier rollback reversed.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftOut {
    /// Whose.
    pub task: TaskId,
    /// What was done.
    pub action: Action,
    /// The rollback that reversed it.
    pub by: RunId,
}

/// Something that was done and cannot be reversed from the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Irreversible {
    /// Whose.
    pub task: TaskId,
    /// What was done.
    pub action: Action,
    /// When it was started.
    pub at: Option<Timestamp>,
    /// What to do instead, as far as anybody knows.
    pub advice: Option<String>,
    /// Whether the backup brings back what it did to the checkout.
    pub covered: bool,
}

/// Makes the plan.
pub(super) async fn plan(
    orchestrator: &Orchestrator,
    run: &RunId,
    options: RollbackOptions<'_>,
) -> Result<Rollback, OrchestratorError> {
    let (state, _) = orchestrator.load(run).await?;
    let earlier = Earlier::of(orchestrator, run).await?;
    for run in std::iter::once(run).chain(earlier.open()) {
        if orchestrator.store.is_live(run) {
            return Err(StoreError::Busy { run: run.clone(), owner: None }.into());
        }
    }
    if let Some((rollback, task)) = earlier.unsure() {
        return Err(OrchestratorError::HalfPublished { rollback, task });
    }
    let scope = Scope::new(run, &state, options.to)?;
    let mut found = Found::default();
    for change in changes::of(&state) {
        if scope.has(&change) {
            found.sort(change, &earlier, &state);
        } else if !matches!(earlier.said(&change, &state), Said::Undone(_)) {
            found.kept.push((change.step.started, change.action));
        }
    }
    let mut irreversible: Vec<Irreversible> =
        found.lost.iter().map(|lost| irreversible(orchestrator, lost)).collect();
    let restoration = match options.fallback {
        Some(fallback) if !irreversible.is_empty() => {
            let restoration = found.restoration(fallback, &state, &irreversible, earlier.spans()).await;
            restoration.map_err(|source| OrchestratorError::Fallback { run: run.clone(), source })?
        }
        _ => None,
    };
    for at in restoration.iter().flat_map(|restoration| &restoration.covers) {
        if let Some(lost) = irreversible.get_mut(*at) {
            lost.covered = true;
        }
    }
    let made = steps::made(run, &found, restoration.as_ref())?;
    let name = earlier::name(run, options.to);
    let (plan, steps, reach) = steps::planned(orchestrator, name, made)?;
    let cut_off = earlier.open().cloned().collect();
    Ok(Rollback { plan, reach, steps, left_out: found.left_out, irreversible, restoration, cut_off })
}

/// The changes of a run, the latest first, by what can be done about them.
#[derive(Default)]
struct Found<'s> {
    undo: Vec<Undoing<'s>>,
    lost: Vec<Change<'s>>,
    left_out: Vec<LeftOut>,
    /// What is to stay.
    kept: Vec<(Option<Timestamp>, &'s Action)>,
}

/// A change, and what is left to do to undo it.
struct Undoing<'s> {
    change: Change<'s>,
    undo: Vec<Action>,
    /// How many of its undo actions were performed already.
    after: usize,
}

impl<'s> Found<'s> {
    fn sort(&mut self, change: Change<'s>, earlier: &Earlier, state: &RunState) {
        let Change { action, step, .. } = change;
        let (by, done) = match earlier.said(&change, state) {
            Said::Undone(by) => (Some(by), step.undo.len()),
            Said::Begun(by, done) => (Some(by), done),
            Said::Nothing => (None, 0),
        };
        let rest = step.undo.get(done..).unwrap_or_default();
        match by {
            // What a backup brought back had no undo.
            Some(by) if rest.is_empty() => {
                self.left_out.push(LeftOut { task: change.key.task, action: action.clone(), by });
            }
            _ if step.undo.is_empty() => self.lost.push(change),
            _ => self.undo.push(Undoing { undo: rest.to_vec(), after: done, change }),
        }
    }
}

impl Found<'_> {
    /// What brings back what is lost.
    async fn restoration(
        &self,
        fallback: &dyn Fallback,
        state: &RunState,
        actions: &[Irreversible],
        spans: &[(Timestamp, Timestamp)],
    ) -> Result<Option<Restoration>, BoxError> {
        let undo: Vec<_> = self.undo.iter().map(|it| (it.change.step.started, it.undo.as_slice())).collect();
        fallback.restoration(&Lost { state, actions, undo: &undo, spans, kept: &self.kept }).await
    }
}

fn irreversible(orchestrator: &Orchestrator, change: &Change<'_>) -> Irreversible {
    let Change { key: StepKey { task, .. }, action, step } = change;
    let advice = orchestrator.advice(action, step);
    Irreversible { task: task.clone(), action: (*action).clone(), at: step.started, advice, covered: false }
}
