//! What is known of one task.

use jiff::Timestamp;
use orchestrator_core::id::{AgentName, RunId, TaskId};
use orchestrator_core::outcome::{Failure, Outcome};
use orchestrator_core::plan::{PlannedTask, Selection, TaskIx};
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::{Attempt, Stage, TaskState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::action::{self, ActionState, ActionSummary};
use super::millis;
use super::status::TaskStatus;
use crate::measured::Measured;

/// What is known of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TaskSummary {
    /// Its id.
    pub id: TaskId,
    /// Which agent.
    pub agent: AgentName,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it stands.
    pub status: TaskStatus,
    /// Why it was not started, did not end by itself, or has not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why it failed, where the agent did not say so in its summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// It failed, and that does not fail its phase.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgiven: bool,
    /// What the agent says was done, or why it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Attempts so far.
    pub attempts: u32,
    /// Attempts that failed before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_attempts: Vec<AttemptSummary>,
    /// When the first attempt began.
    #[schemars(with = "Measured<String>")]
    pub started: Measured<Timestamp>,
    /// When it ended.
    #[schemars(with = "Measured<String>")]
    pub ended: Measured<Timestamp>,
    /// Milliseconds from the start of the first attempt to the end, waits and retries included.
    pub duration_ms: Measured<f64>,
    /// Number of the record that ended it.
    pub record: Measured<u64>,
    /// The earlier run in which it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_run: Option<RunId>,
    /// Actions of the last attempt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<ActionSummary>,
}

/// An attempt that failed and was followed by another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptSummary {
    /// From 1.
    pub attempt: u32,
    /// Why it failed.
    pub failure: Failure,
    /// When.
    #[schemars(with = "String")]
    pub ended: Timestamp,
    /// Its actions.
    pub actions: Vec<ActionSummary>,
}

impl TaskSummary {
    /// The actions of all attempts, in order.
    pub fn every_action(&self) -> impl Iterator<Item = &ActionSummary> {
        self.failed_attempts.iter().flat_map(|attempt| &attempt.actions).chain(&self.actions)
    }

    /// One line that says what came of it: the agent's own, or else why it failed or did not run.
    pub fn line(&self) -> String {
        if let Some(failure) = &self.failure {
            failure.to_string()
        } else if self.summary.is_empty() {
            self.reason.clone().unwrap_or_default()
        } else {
            self.summary.clone()
        }
    }

    /// The last lines of the action that failed last.
    pub fn tail(&self) -> Option<&str> {
        self.actions.iter().rev().map(|action| action.tail.as_str()).find(|tail| !tail.trim().is_empty())
    }
}

/// What is known of the task at `ix`.
pub(super) fn of(record: &RunRecord, ix: TaskIx) -> TaskSummary {
    let planned = record.plan().task(ix);
    let task = record.state.task(ix);
    let status = TaskStatus::of(task);
    let end = task.end.as_deref();
    let rest = if task.outcome() == Some(Outcome::Withheld) {
        ActionState::Withheld
    } else {
        ActionState::NotPerformed
    };
    let open = if status == TaskStatus::Pending { "it has not started" } else { "it has not ended" };
    let span = task.started.zip(task.ended).map(|(from, to)| millis(from, to));
    let never = if task.outcome().is_some() { "it was not started" } else { "it has not started" };
    TaskSummary {
        id: planned.id.clone(),
        agent: planned.agent.clone(),
        description: planned.description.clone(),
        status,
        reason: reason(planned, task),
        failure: end.and_then(|end| end.failure.clone()),
        forgiven: status == TaskStatus::Failed && planned.continue_on_error,
        summary: end
            .and_then(|end| end.conclusion.as_ref())
            .map_or_else(String::new, |conclusion| conclusion.summary.clone()),
        attempts: task.attempt,
        failed_attempts: attempts(&task.past),
        started: Measured::or(task.started, never),
        ended: Measured::or(task.ended, open),
        duration_ms: Measured::or(span, if task.ended.is_some() { never } else { open }),
        record: Measured::or(task.record, open),
        from_run: end.and_then(|end| end.from_run.clone()),
        actions: [action::all(&task.rounds, rest), action::following(task)].concat(),
    }
}

fn attempts(past: &[Attempt]) -> Vec<AttemptSummary> {
    let one = |(at, attempt): (usize, &Attempt)| AttemptSummary {
        attempt: at as u32 + 1,
        failure: attempt.failure.clone(),
        ended: attempt.ended,
        actions: action::all(&attempt.rounds, ActionState::NotPerformed),
    };
    past.iter().enumerate().map(one).collect()
}

fn reason(planned: &PlannedTask, task: &TaskState) -> Option<String> {
    if let Some((wait, since)) = task.waits() {
        let signal = wait.signal.as_ref().map_or_else(String::new, |signal| format!(" (signal `{signal}`)"));
        return Some(format!("waits since {since:.0}{signal}: {}", wait.message));
    }
    match (task.stage, &planned.selection) {
        (Stage::Retrying(at), _) => Some(format!("the next attempt begins at {at:.0}")),
        (Stage::Running, _) => Some("it was under way at the last record of this report".into()),
        (Stage::Ended(Outcome::Passed), Selection::Carried { run, .. }) => {
            Some(format!("it passed in run {run}"))
        }
        (Stage::Ended(Outcome::Withheld), _) if task.reason().is_none() => {
            Some("it reaches above the ceiling".into())
        }
        _ => task.reason().map(|reason| reason.to_string()),
    }
}
