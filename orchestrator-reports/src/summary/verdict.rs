//! How a run stands, in one word and one sentence.

use std::fmt;

use orchestrator_core::effect::Effect;
use orchestrator_core::event::{RunOutcome, Stopped};
use orchestrator_core::outcome::Outcome;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::RunStatus;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::status::TaskStatus;
use crate::theme::format;

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verdict {
    /// In one word.
    pub status: RunVerdict,
    /// In one sentence.
    pub headline: String,
    /// A dry run: whether a real run would change something.
    pub changes_pending: bool,
}

/// How a run stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunVerdict {
    /// It is over; no task failed that must not.
    Passed,
    /// It is over; a task failed.
    Failed,
    /// It is over; it was cancelled.
    Cancelled,
    /// It is not over: a process runs it, or ran it until it died.
    Running,
    /// It is not over: it was interrupted.
    Interrupted,
    /// It is not over: all that is left waits for a person.
    Waiting,
    /// It is not over: it is not known whether something was published.
    Unsure,
    /// Nothing happened yet.
    NotStarted,
}

impl RunVerdict {
    fn of(status: RunStatus) -> Self {
        match status {
            RunStatus::New => Self::NotStarted,
            RunStatus::Running => Self::Running,
            RunStatus::Stopped(Stopped::Interrupted) => Self::Interrupted,
            RunStatus::Stopped(Stopped::Waiting) => Self::Waiting,
            RunStatus::Stopped(Stopped::Unsure) => Self::Unsure,
            RunStatus::Finished(RunOutcome::Passed) => Self::Passed,
            RunStatus::Finished(RunOutcome::Failed) => Self::Failed,
            RunStatus::Finished(RunOutcome::Cancelled) => Self::Cancelled,
        }
    }

    /// Whether the run is over.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Passed | Self::Failed | Self::Cancelled)
    }

    /// The words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Running => "running",
            Self::Interrupted => "interrupted",
            Self::Waiting => "waiting",
            Self::Unsure => "unsure",
            Self::NotStarted => "not started",
        }
    }
}

impl fmt::Display for RunVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How the run of a record stands.
pub(super) fn of(record: &RunRecord) -> Verdict {
    let state = &record.state;
    let status = RunVerdict::of(state.status());
    let dry = state.begun().is_some() && state.ceiling() == Effect::Reads;
    let changes_pending = dry && !record.withheld().is_empty();
    let headline = headline(record, status, dry, changes_pending);
    Verdict { status, headline, changes_pending }
}

fn headline(record: &RunRecord, status: RunVerdict, dry: bool, pending: bool) -> String {
    let state = &record.state;
    let total = state.tasks().len();
    let ended = state.tasks().iter().filter(|task| task.outcome().is_some()).count();
    let good = state.tasks().iter().filter(|task| task.outcome().is_some_and(Outcome::is_success)).count();
    let failed = state.count(Outcome::Failed);
    let withheld = state.count(Outcome::Withheld) + state.count(Outcome::Deferred);
    let skipped = state.count(Outcome::Skipped);
    let rest = if skipped > 0 { format!(", {skipped} did not run") } else { String::new() };
    let may = match forgiven(record) {
        0 => String::new(),
        n if n == failed => format!(", {n} failed and may fail"),
        n => format!(" ({n} of them may fail)"),
    };
    let so_far = match failed {
        0 => format!("{ended} of {} ended, none failed so far", tasks(total)),
        _ => format!("{ended} of {} ended, {failed} failed so far", tasks(total)),
    };
    match status {
        RunVerdict::NotStarted => format!("{} planned; nothing happened yet", tasks(total)),
        RunVerdict::Passed if pending => {
            format!("dry run: {good} of {} passed, {withheld} would change something", tasks(total))
        }
        RunVerdict::Passed if dry => {
            format!("dry run: {good} of {} passed, no change is pending", tasks(total))
        }
        RunVerdict::Passed if withheld > 0 => {
            format!("{good} of {} passed, {withheld} withheld by the ceiling", tasks(total))
        }
        RunVerdict::Passed => format!("{good} of {} passed{may}{rest}", tasks(total)),
        RunVerdict::Failed => format!("{failed} of {} failed{may}, {good} passed{rest}", tasks(total)),
        RunVerdict::Cancelled => {
            format!("cancelled: {good} of {} passed, {failed} failed before", tasks(total))
        }
        RunVerdict::Running => format!("not over: {so_far}"),
        RunVerdict::Interrupted => format!("interrupted, can be resumed: {so_far}"),
        RunVerdict::Waiting => {
            let waits =
                state.tasks().iter().filter(|task| TaskStatus::of(task) == TaskStatus::Waiting).count();
            let verb = if waits == 1 { "waits" } else { "wait" };
            format!("{} {verb} for a person, a signal or a time; {so_far}", tasks(waits))
        }
        RunVerdict::Unsure => {
            format!("stopped while publishing; whether it went out is not known: {so_far}")
        }
    }
}

/// How many tasks failed that may.
fn forgiven(record: &RunRecord) -> usize {
    let tasks = record.state.tasks().iter().zip(record.plan().tasks());
    tasks
        .filter(|(task, planned)| task.outcome() == Some(Outcome::Failed) && planned.continue_on_error)
        .count()
}

fn tasks(n: usize) -> String {
    format::plural(n, "task")
}
