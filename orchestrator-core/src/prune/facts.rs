//! What of a run decides whether it may go; from its journal alone.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::event::Stopped;
use crate::id::RunId;
use crate::orchestrator::{follows, may_have_changed, reverses};
use crate::plan::Selection;
use crate::state::{RunState, RunStatus};

/// What of a run decides whether it may go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(super) end: End,
    /// An action with a journaled undo may have changed something.
    pub(super) undo: bool,
    /// An action that publishes and has no undo may have changed something.
    pub(super) published: bool,
    /// The runs that it needs while it is kept.
    pub(super) cites: BTreeSet<RunId>,
    /// The run that it has rolled back whole.
    pub(super) reverses: Option<RunId>,
    /// The run that it is a rollback of, whole or in part.
    #[serde(default)]
    pub(super) follows: Option<RunId>,
    /// Time of its first record.
    pub(super) first: Option<Timestamp>,
    /// Time of its last record.
    pub(super) last: Option<Timestamp>,
}

/// How its process let go of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Over,
    Waiting,
    Unsure,
    /// Stopped on request, or its process died.
    Open,
}

impl Facts {
    /// Of a run.
    pub(crate) fn of(state: &RunState) -> Self {
        let end = match state.status() {
            RunStatus::Finished(_) => End::Over,
            RunStatus::Stopped(Stopped::Waiting) => End::Waiting,
            RunStatus::Stopped(Stopped::Unsure) => End::Unsure,
            RunStatus::Stopped(Stopped::Interrupted) | RunStatus::New | RunStatus::Running => End::Open,
        };
        let (mut undo, mut published) = (false, false);
        for task in state.tasks() {
            let rounds = task.past.iter().flat_map(|attempt| &attempt.rounds).chain(&task.rounds);
            for (action, step) in rounds.flat_map(|round| round.actions.iter().zip(&round.steps)) {
                if step.started.is_some() && may_have_changed(action, step) {
                    undo |= !step.undo.is_empty();
                    published |= step.undo.is_empty() && action.effect() == Effect::Publishes;
                }
            }
        }
        let carried = state.plan().tasks().iter().filter_map(|task| match &task.selection {
            Selection::Carried { run, output: _ } => Some(run.clone()),
            Selection::Selected | Selection::LeftOut => None,
        });
        // What was reused lies in the cache and beside this run's own files: its run may go.
        let ends =
            state.tasks().iter().filter_map(|task| task.end.as_ref().filter(|end| end.reused.is_none()));
        let ends = ends.filter_map(|end| end.from_run.clone());
        let mut cites: BTreeSet<RunId> = carried.chain(ends).collect();
        if end != End::Over {
            cites.extend(state.begun().and_then(|begun| begun.parent.clone()));
        }
        let (reverses, follows) = (reverses(state), state.begun().and_then(follows));
        Self { end, undo, published, cites, reverses, follows, first: state.started(), last: state.last() }
    }
}
