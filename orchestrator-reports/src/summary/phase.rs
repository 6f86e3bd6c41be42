//! Phases and groups: their tasks, and what came of them together.

use jiff::Timestamp;
use orchestrator_core::id::{GroupName, PhaseName};
use orchestrator_core::plan::TaskIx;
use orchestrator_core::report::RunRecord;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::millis;
use super::status::{self, PhaseStatus, Seen, TaskStatus};
use super::task::{self, TaskSummary};
use crate::measured::Measured;

/// A phase and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseSummary {
    /// Its name.
    pub name: PhaseName,
    /// What people read.
    pub title: String,
    /// Where it stands.
    pub status: PhaseStatus,
    /// Why, where the status is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When its first task began.
    #[schemars(with = "Measured<String>")]
    pub started: Measured<Timestamp>,
    /// When its last task ended.
    #[schemars(with = "Measured<String>")]
    pub ended: Measured<Timestamp>,
    /// Milliseconds from one to the other.
    pub duration_ms: Measured<f64>,
    /// Its groups.
    pub groups: Vec<GroupSummary>,
}

/// A group and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GroupSummary {
    /// Its name.
    pub name: GroupName,
    /// Whether it is the checkpoint of its phase.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checkpoint: bool,
    /// Where it stands.
    pub status: PhaseStatus,
    /// Why, where the status is not plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its tasks.
    pub tasks: Vec<TaskSummary>,
}

impl PhaseSummary {
    /// Its tasks, in the plan's order.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskSummary> {
        self.groups.iter().flat_map(|group| &group.tasks)
    }
}

/// All phases of a record, in order.
pub(super) fn all(record: &RunRecord) -> Vec<PhaseSummary> {
    let plan = record.plan();
    let mut of_group = vec![Vec::new(); plan.groups().len()];
    for (at, task) in plan.tasks().iter().enumerate() {
        of_group[task.group as usize].push(TaskIx(at as u32));
    }
    let mut of_phase = vec![Vec::new(); plan.phases().len()];
    for (at, group) in plan.groups().iter().enumerate() {
        of_phase[group.phase as usize].push(at);
    }
    of_phase.iter().enumerate().map(|(at, groups)| one(record, at, groups, &of_group)).collect()
}

fn one(record: &RunRecord, at: usize, groups: &[usize], of_group: &[Vec<TaskIx>]) -> PhaseSummary {
    let phase = &record.plan().phases()[at];
    let tasks: Vec<TaskIx> = groups.iter().flat_map(|group| of_group[*group].iter().copied()).collect();
    let (status, reason) = together(record, &tasks);
    let own = || tasks.iter().map(|ix| record.state.task(*ix));
    let started = own().filter_map(|task| task.started).min();
    let over = own().all(|task| task.outcome().is_some());
    let ended = own().filter(|task| task.started.is_some()).filter_map(|task| task.ended).max();
    let ended = ended.filter(|_| over);
    let open = if over { "no task of it was started" } else { "it has not ended" };
    PhaseSummary {
        name: phase.name.clone(),
        title: phase.title.clone(),
        status,
        reason,
        started: Measured::or(started, "no task of it was started"),
        ended: Measured::or(ended, open),
        duration_ms: Measured::or(started.zip(ended).map(|(from, to)| millis(from, to)), open),
        groups: groups.iter().map(|group| self::group(record, *group, &of_group[*group])).collect(),
    }
}

fn group(record: &RunRecord, at: usize, tasks: &[TaskIx]) -> GroupSummary {
    let group = &record.plan().groups()[at];
    let (status, reason) = together(record, tasks);
    GroupSummary {
        name: group.name.clone(),
        checkpoint: group.checkpoint,
        status,
        reason,
        tasks: tasks.iter().map(|ix| task::of(record, *ix)).collect(),
    }
}

fn together(record: &RunRecord, tasks: &[TaskIx]) -> (PhaseStatus, Option<String>) {
    let seen: Vec<Seen> = tasks
        .iter()
        .map(|ix| {
            let task = record.state.task(*ix);
            Seen {
                status: TaskStatus::of(task),
                reason: task.reason(),
                forgiven: record.plan().task(*ix).continue_on_error,
            }
        })
        .collect();
    status::together(&seen, record.state.status())
}
