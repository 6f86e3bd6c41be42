//! Where tasks and phases stand, in one word each.

use std::collections::BTreeMap;
use std::fmt;

use orchestrator_core::event::Stopped;
use orchestrator_core::outcome::{Outcome, Reason};
use orchestrator_core::state::{RunState, RunStatus, Stage, TaskState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a task stands: how it ended, or what it does while it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// It did what it was to do.
    Passed,
    /// An earlier result still holds.
    Cached,
    /// It did not do what it was to do, or found that something is wrong.
    Failed,
    /// It was not started.
    Skipped,
    /// It was stopped on request.
    Cancelled,
    /// It reaches above the ceiling.
    Withheld,
    /// It needs something that was withheld.
    Deferred,
    /// It waits for a person, a signal or a time.
    Waiting,
    /// An attempt is under way.
    Running,
    /// An attempt failed; another follows.
    Retrying,
    /// It has not started yet.
    Pending,
}

impl TaskStatus {
    /// All of them, in the order of declaration.
    pub const ALL: [Self; 11] = [
        Self::Passed,
        Self::Cached,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
        Self::Withheld,
        Self::Deferred,
        Self::Waiting,
        Self::Running,
        Self::Retrying,
        Self::Pending,
    ];

    /// Where a task stands.
    pub fn of(task: &TaskState) -> Self {
        match task.stage {
            Stage::Pending => Self::Pending,
            Stage::Running if task.waits().is_some() => Self::Waiting,
            Stage::Running => Self::Running,
            Stage::Retrying(_) => Self::Retrying,
            Stage::Ended(Outcome::Passed) => Self::Passed,
            Stage::Ended(Outcome::Cached) => Self::Cached,
            Stage::Ended(Outcome::Failed) => Self::Failed,
            Stage::Ended(Outcome::Skipped) => Self::Skipped,
            Stage::Ended(Outcome::Cancelled) => Self::Cancelled,
            Stage::Ended(Outcome::Withheld) => Self::Withheld,
            Stage::Ended(Outcome::Deferred) => Self::Deferred,
            Stage::Ended(Outcome::Waiting) => Self::Waiting,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Cached => "cached",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Withheld => "withheld",
            Self::Deferred => "deferred",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Pending => "pending",
        }
    }

    /// Whether the task has not ended.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Waiting | Self::Running | Self::Retrying | Self::Pending)
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many tasks there are of each status; every status is named.
pub(super) fn counts(state: &RunState) -> BTreeMap<TaskStatus, usize> {
    let mut counts: BTreeMap<_, _> = TaskStatus::ALL.into_iter().map(|status| (status, 0)).collect();
    for task in state.tasks() {
        *counts.entry(TaskStatus::of(task)).or_default() += 1;
    }
    counts
}

/// Where a phase or a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PhaseStatus {
    /// Each task passed, still holds, was skipped by its condition or by hand, or may fail.
    Passed,
    /// A task failed that must not.
    Failed,
    /// Every task was skipped by its condition or by hand.
    Skipped,
    /// A task was stopped on request.
    Cancelled,
    /// Something lies above the ceiling.
    Withheld,
    /// It is under way.
    Running,
    /// It waits for a person, a signal or a time.
    Waiting,
    /// It, or part of it, was not run.
    NotRun,
}

impl PhaseStatus {
    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Withheld => "withheld",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::NotRun => "not run",
        }
    }
}

impl fmt::Display for PhaseStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A task as the rule for phases sees it.
pub(super) struct Seen {
    pub(super) status: TaskStatus,
    pub(super) reason: Option<Reason>,
    pub(super) forgiven: bool,
}

/// The status of tasks taken together, and why where it is not plain.
pub(super) fn together(tasks: &[Seen], run: RunStatus) -> (PhaseStatus, Option<String>) {
    let count = |status: TaskStatus| tasks.iter().filter(|task| task.status == status).count();
    let of = |n: usize, what: &str| Some(format!("{n} of {} tasks {what}", tasks.len()));
    let failed = tasks.iter().filter(|task| task.status == TaskStatus::Failed && !task.forgiven).count();
    let pending = count(TaskStatus::Pending);
    let active = count(TaskStatus::Running) + count(TaskStatus::Retrying);
    let waiting = count(TaskStatus::Waiting);
    let cancelled = count(TaskStatus::Cancelled);
    if tasks.is_empty() {
        (PhaseStatus::NotRun, Some("it has no tasks".into()))
    } else if failed > 0 {
        (PhaseStatus::Failed, of(failed, "failed"))
    } else if cancelled > 0 {
        (PhaseStatus::Cancelled, of(cancelled, "were cancelled"))
    } else if active > 0 {
        (PhaseStatus::Running, of(active, going(run)))
    } else if waiting > 0 {
        (PhaseStatus::Waiting, of(waiting, "wait for a person, a signal or a time"))
    } else if pending == tasks.len() {
        (PhaseStatus::NotRun, Some(yet(run).into()))
    } else if pending > 0 {
        (PhaseStatus::Running, of(pending, yet(run)))
    } else {
        ended(tasks)
    }
}

/// The same where every task has ended, none badly.
fn ended(tasks: &[Seen]) -> (PhaseStatus, Option<String>) {
    let chosen = |task: &&Seen| task.reason.is_some_and(Reason::lets_go_on);
    let skipped: Vec<&Seen> = tasks.iter().filter(|task| task.status == TaskStatus::Skipped).collect();
    let withheld = tasks
        .iter()
        .filter(|task| matches!(task.status, TaskStatus::Withheld | TaskStatus::Deferred))
        .count();
    let why = |task: &Seen| task.reason.map_or_else(|| "no reason on record".into(), |why| why.to_string());
    if let Some(first) = skipped.iter().find(|task| !chosen(task)) {
        let missing = skipped.iter().filter(|task| !chosen(task)).count();
        let why = format!("{missing} of {} tasks did not run: {}", tasks.len(), why(first));
        (PhaseStatus::NotRun, Some(why))
    } else if withheld > 0 {
        (PhaseStatus::Withheld, Some(format!("{withheld} of {} tasks withheld by the ceiling", tasks.len())))
    } else if skipped.len() == tasks.len() {
        (PhaseStatus::Skipped, Some(why(skipped[0])))
    } else {
        (PhaseStatus::Passed, None)
    }
}

fn going(run: RunStatus) -> &'static str {
    match run {
        RunStatus::Stopped(_) => "were under way when the run stopped",
        RunStatus::New | RunStatus::Running | RunStatus::Finished(_) => "are under way",
    }
}

fn yet(run: RunStatus) -> &'static str {
    match run {
        RunStatus::Stopped(Stopped::Interrupted) => "not started: the run was interrupted",
        RunStatus::Stopped(Stopped::Waiting) => "not started: the run waits",
        RunStatus::Stopped(Stopped::Unsure) => "not started: the run stopped while publishing",
        RunStatus::New | RunStatus::Running | RunStatus::Finished(_) => "not started yet",
    }
}
