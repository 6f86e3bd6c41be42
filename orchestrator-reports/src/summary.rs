//! The summary of a run: a value made of its record and nothing else, from which every report is rendered.

mod action;
mod figures;
mod phase;
mod status;
mod task;
mod undo;
mod verdict;

use std::collections::BTreeMap;

use jiff::Timestamp;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{RunId, TaskId};
use orchestrator_core::path::Digest;
use orchestrator_core::report::RunRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use action::{ActionKind, ActionState, ActionSummary};
pub use figures::{ArtifactFigure, EvidenceSummary, FindingSummary, MetricSummary};
pub use phase::{GroupSummary, PhaseSummary};
pub use status::{PhaseStatus, TaskStatus};
pub use task::{AttemptSummary, TaskSummary};
pub use undo::{Irreversible, Reversal, Undo};
pub use verdict::{RunVerdict, Verdict};

use crate::measured::Measured;

/// The schema of summaries that this version writes.
pub const SCHEMA: u32 = 1;

/// All that is known of a run up to a record, in a shape for people and for other programs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Version of this shape.
    pub schema: u32,
    /// The run.
    pub run: RunId,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Digest of the plan.
    pub plan: Digest,
    /// The records that this was made of.
    pub records: Records,
    /// How far the run may reach.
    pub ceiling: Effect,
    /// Whether it is a dry run: one with the ceiling `reads`.
    pub dry_run: bool,
    /// How it stands.
    pub verdict: Verdict,
    /// When it began.
    #[schemars(with = "Measured<String>")]
    pub started: Measured<Timestamp>,
    /// When it was over.
    #[schemars(with = "Measured<String>")]
    pub ended: Measured<Timestamp>,
    /// Milliseconds from beginning to end, pauses included.
    pub duration_ms: Measured<f64>,
    /// Time of the last record that is in this.
    #[schemars(with = "Measured<String>")]
    pub last_record: Measured<Timestamp>,
    /// How often another process took it up.
    pub resumes: u32,
    /// Version of the program that began it.
    pub version: Measured<String>,
    /// The machine that it began on.
    pub host: Measured<String>,
    /// The run that it belongs to or follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// How many tasks there are of each status.
    pub counts: BTreeMap<TaskStatus, usize>,
    /// What was changed and what was not.
    pub changes: Changes,
    /// Phases, their groups and their tasks.
    pub phases: Vec<PhaseSummary>,
    /// What lies above the ceiling and was not done.
    pub withheld: Vec<WithheldSummary>,
    /// Remarks of all tasks, the worst first.
    pub findings: Vec<FindingSummary>,
    /// Measured values of all tasks.
    pub metrics: Vec<MetricSummary>,
    /// Files that were kept.
    pub artifacts: Vec<ArtifactFigure>,
    /// What a rollback would do.
    pub undo: Undo,
    /// What was left out when the plan was made, and why.
    pub notes: Vec<String>,
}

/// The records that a summary was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Records {
    /// The first: 1; 0 where there are none.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// How much was changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// Actions that write, performed without a failure.
    pub written: usize,
    /// Actions that publish, performed without a failure.
    pub published: usize,
    /// Actions that write or publish and failed.
    pub failed: usize,
    /// Actions that write or publish, were started, and whose end is not on record.
    pub under_way: usize,
    /// Actions that lie above the ceiling.
    pub withheld: usize,
    /// Tasks that need something withheld.
    pub deferred: usize,
}

/// What a task did not do because it lies above the ceiling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WithheldSummary {
    /// The task.
    pub task: TaskId,
    /// The actions; empty where they are known only after something else was done.
    pub actions: Vec<WithheldAction>,
    /// Why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<String>,
}

/// An action that was not performed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WithheldAction {
    /// One line for people.
    pub what: String,
    /// How far it reaches.
    pub effect: Effect,
    /// The very value that a real run performs.
    #[schemars(with = "serde_json::Value")]
    pub action: Action,
}

impl Summary {
    /// The summary of a record. Same record, same summary.
    pub fn of(record: &RunRecord) -> Self {
        let state = &record.state;
        let begun = state.begun();
        let verdict = verdict::of(record);
        let phases = phase::all(record);
        let ended = verdict.status.is_over().then(|| state.last()).flatten();
        let duration = state.started().zip(ended).map(|(from, to)| millis(from, to));
        let withheld = withheld(record);
        let not_begun = "the run has not begun";
        Self {
            schema: SCHEMA,
            run: record.run.clone(),
            pipeline: record.plan().pipeline().to_owned(),
            plan: record.plan().digest(),
            records: Records { from: record.upto.min(1), to: record.upto },
            ceiling: state.ceiling(),
            dry_run: begun.is_some() && state.ceiling() == Effect::Reads,
            verdict,
            started: Measured::or(state.started(), not_begun),
            ended: Measured::or(ended, "the run is not over"),
            duration_ms: Measured::or(duration, "the run is not over"),
            last_record: Measured::or(state.last(), not_begun),
            resumes: state.resumes(),
            version: Measured::or(begun.map(|begun| begun.process.version.clone()), not_begun),
            host: Measured::or(
                begun.map(|begun| begun.process.host.clone()).filter(|host| !host.is_empty()),
                "the name of the machine is not on record",
            ),
            parent: begun.and_then(|begun| begun.parent.clone()),
            counts: status::counts(state),
            changes: changes(&phases, &withheld),
            phases,
            withheld,
            findings: figures::findings(record),
            metrics: figures::metrics(record),
            artifacts: figures::artifacts(record),
            undo: undo::of(record),
            notes: record.plan().parts().notes.clone(),
        }
    }

    /// All tasks, in the plan's order.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskSummary> {
        self.phases.iter().flat_map(PhaseSummary::tasks)
    }

    /// How many tasks have this status.
    pub fn count(&self, status: TaskStatus) -> usize {
        self.counts.get(&status).copied().unwrap_or_default()
    }
}

/// Milliseconds from one time to another; never negative, whatever the clock did.
pub(crate) fn millis(from: Timestamp, to: Timestamp) -> f64 {
    (to.as_microsecond() - from.as_microsecond()).max(0) as f64 / 1000.0
}

fn withheld(record: &RunRecord) -> Vec<WithheldSummary> {
    let plan = record.plan();
    let action = |action: &Action| WithheldAction {
        what: action.to_string(),
        effect: action.effect(),
        action: action.clone(),
    };
    let performed = record.withheld();
    let tasks = performed.tasks().map(|(ix, actions)| {
        let summary = WithheldSummary {
            task: plan.task(ix).id.clone(),
            actions: actions.into_iter().map(action).collect(),
            deferred: None,
        };
        (ix, summary)
    });
    let deferred = performed.deferred().map(|ix| {
        let why = Some("known after what it needs is done".to_owned());
        (ix, WithheldSummary { task: plan.task(ix).id.clone(), actions: Vec::new(), deferred: why })
    });
    let mut all: Vec<_> = tasks.chain(deferred).collect();
    all.sort_by_key(|(ix, _)| *ix);
    all.into_iter().map(|(_, summary)| summary).collect()
}

fn changes(phases: &[PhaseSummary], withheld: &[WithheldSummary]) -> Changes {
    let mut changes = Changes {
        withheld: withheld.iter().map(|task| task.actions.len()).sum(),
        deferred: withheld.iter().filter(|task| task.deferred.is_some()).count(),
        ..Changes::default()
    };
    let tasks = phases.iter().flat_map(PhaseSummary::tasks);
    for action in tasks.flat_map(TaskSummary::every_action).filter(|action| action.is_change()) {
        match (action.state, action.effect) {
            (ActionState::Done, Effect::Publishes) => changes.published += 1,
            (ActionState::Done, _) => changes.written += 1,
            (ActionState::Failed, _) => changes.failed += 1,
            (ActionState::UnderWay, _) => changes.under_way += 1,
            (ActionState::AlreadySo | ActionState::Withheld | ActionState::NotPerformed, _) => {}
        }
    }
    changes
}
