//! A task on a line.

use std::fmt::Write as _;

use orchestrator_core::action::Await;
use orchestrator_core::id::{RunId, TaskId};
use orchestrator_core::outcome::{Outcome, Reason};
use orchestrator_core::plan::{PlannedTask, TaskIx};
use orchestrator_core::state::{RunState, RunStatus, Stage, TaskState};

use super::paint::Paint;
use super::text::{clean, plural};
use crate::questions::{Kind, Question};

/// The line of a task: a sign and what is known of it.
pub(crate) fn line(state: &RunState, ix: TaskIx, paint: Paint) -> String {
    let (planned, task) = (state.plan().task(ix), state.task(ix));
    let id = &planned.id;
    match task.stage {
        Stage::Pending => paint.dim(&format!("· {id}")),
        Stage::Running if task.waits().is_some() => format!("{} {id}: waiting", paint.warn("…")),
        Stage::Running if state.status() == RunStatus::Running => format!("› {id}: running"),
        Stage::Running => format!("{} {id}: not finished", paint.warn("…")),
        Stage::Retrying(_) => format!("{} {id}: to be tried again", paint.warn("…")),
        Stage::Ended(outcome) => ended(planned, task, outcome, paint),
    }
}

fn ended(planned: &PlannedTask, task: &TaskState, outcome: Outcome, paint: Paint) -> String {
    let id = &planned.id;
    let reason = task.reason().map_or_else(|| outcome.to_string(), |reason| reason.to_string());
    match outcome {
        Outcome::Passed => match task.end.as_ref().and_then(|end| end.from_run.as_ref()) {
            Some(run) => format!("{} {id}: passed in run {run}", paint.good("✓")),
            None => format!("{} {}", paint.good("✓"), said(planned, task)),
        },
        Outcome::Cached => format!("{} {} {}", paint.good("✓"), said(planned, task), paint.dim("(cached)")),
        Outcome::Failed => {
            let text = summary(task).or_else(|| {
                let failure = task.end.as_ref()?.failure.as_ref()?;
                Some(clean(&failure.message))
            });
            let text = text.unwrap_or_else(|| "failed".to_owned());
            let goes_on = if planned.continue_on_error { " (goes on all the same)" } else { "" };
            format!("{} {id}: {text}{goes_on}", paint.bad("✗"))
        }
        Outcome::Skipped if task.reason() == Some(Reason::ByHand) => {
            paint.warn(&format!("– {}", summary(task).unwrap_or_else(|| format!("{id}: {reason}"))))
        }
        Outcome::Skipped | Outcome::Cancelled => paint.dim(&format!("– {id}: {reason}")),
        Outcome::Withheld => {
            let what = plural(task.unperformed().count(), "change");
            format!("{} {id}: {what} withheld", paint.warn("…"))
        }
        Outcome::Deferred => format!("{} {id}: known once what it needs is done", paint.warn("…")),
        Outcome::Waiting => format!("{} {id}: waiting", paint.warn("…")),
    }
}

fn summary(task: &TaskState) -> Option<String> {
    let conclusion = task.end.as_ref()?.conclusion.as_ref()?;
    (!conclusion.summary.is_empty()).then(|| clean(&conclusion.summary).replace('\n', " "))
}

/// What the agent said, or else what the task is for, or else its id.
fn said(planned: &PlannedTask, task: &TaskState) -> String {
    let said = summary(task).or_else(|| planned.description.as_deref().map(clean));
    said.unwrap_or_else(|| planned.id.to_string())
}

/// Seconds under which a wait for a person is a pause between looks.
const PAUSE: u64 = 60;

/// What a task waits for, and how to give it.
pub(crate) fn wait(task: &TaskId, wait: &Await, run: &RunId, paint: Paint) -> String {
    let message = clean(&wait.message).replace('\n', "\n    ");
    let mut text = format!("{} {task} waits: {message}", paint.warn("…"));
    // A pause between two looks, which a person may cut short, says nothing of how long it will be.
    let pause = wait.signal.is_some() && wait.seconds.is_some_and(|seconds| seconds < PAUSE);
    if let Some(seconds) = wait.seconds.filter(|_| !pause) {
        let _ = write!(text, " (at most {seconds} s)");
    }
    if let Some(question) = Question::of(task, wait) {
        let verb = if question.kind == Kind::Other { "give it" } else { "answer" };
        let _ = write!(text, "\n    {verb} with: {}{}", question.command(run), question.instead());
    }
    text
}

/// All that tasks wait for now, and how to give it.
pub(crate) fn waits(state: &RunState, run: &RunId, paint: Paint) -> String {
    let tasks = state.tasks().iter().zip(state.plan().tasks());
    let texts: Vec<String> =
        tasks.filter_map(|(task, planned)| Some(wait(&planned.id, task.waits()?.0, run, paint))).collect();
    texts.join("\n")
}

/// Whether a reason says that the user did not want it.
pub(super) fn left_out(task: &TaskState) -> bool {
    task.outcome() == Some(Outcome::Skipped) && task.reason() == Some(Reason::Manual)
}
