//! A phase: its title, a line for each task, its status.

use std::fmt::Write as _;

use orchestrator_core::effect::Effect;
use orchestrator_core::event::Stopped;
use orchestrator_core::outcome::{Outcome, Reason};
use orchestrator_core::plan::TaskIx;
use orchestrator_core::state::{RunState, RunStatus, Stage, TaskState};

use super::paint::Paint;
use super::task;
use super::text::{between, clean, plural, took};

/// Which phases are worth showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Those that are over.
    Over,
    /// Also those that were begun; of the others a line.
    Begun,
}

/// What a run is, on a line.
pub(crate) fn heading(state: &RunState, resumed: bool, paint: Paint) -> String {
    let (plan, ceiling) = (state.plan(), state.ceiling());
    let run = state.begun().map_or_else(String::new, |begun| begun.run.to_string());
    let how = match ceiling {
        Effect::Reads => "dry run: nothing is changed".to_owned(),
        Effect::Writes | Effect::Publishes => format!("ceiling {ceiling}"),
    };
    let word = if resumed { "Resuming run" } else { "Run" };
    let tasks = plural(plan.tasks().len(), "task");
    format!("{} {} · {} · {tasks} · {how}\n", word, paint.bold(&run), clean(plan.pipeline()))
}

/// The text of a phase, with an empty line before it.
pub(crate) fn render(state: &RunState, at: usize, shown: Shown, paint: Paint) -> String {
    let plan = state.plan();
    let phase = &plan.phases()[at];
    let tasks: Vec<TaskIx> =
        (0..plan.tasks().len() as u32).map(TaskIx).filter(|ix| plan.phase_ix(*ix) == at).collect();
    let states = || tasks.iter().map(|ix| state.task(*ix));
    let mut text = String::new();
    let title = format!("[Phase {}/{}] {}", at + 1, plan.phases().len(), clean(&phase.title));
    let untouched = states().all(|task| task.stage == Stage::Pending) && !tasks.is_empty();
    // Of a phase that drafts nothing is not known whether it was chosen; where others were left out, it is no news.
    let chosen = !state.tasks().iter().any(task::left_out);
    let left_out = states().all(task::left_out) && !(tasks.is_empty() && chosen);
    if left_out || (untouched && shown == Shown::Begun) {
        let why = if left_out { "left out" } else { "not started" };
        return format!("\n{} {}\n", paint.dim(&title), paint.dim(&format!("– {why}")));
    }
    let _ = writeln!(text, "\n{}", paint.bold(&title));
    for ix in &tasks {
        let _ = writeln!(text, "  {}", task::line(state, *ix, paint));
    }
    let prefix = format!("{}: ", phase.name);
    for note in plan.parts().notes.iter().filter_map(|note| note.strip_prefix(&prefix)) {
        let _ = writeln!(text, "  {}", paint.dim(&format!("– {}", clean(note))));
    }
    let failed =
        |ix: &TaskIx| state.task(*ix).outcome() == Some(Outcome::Failed) && !plan.task(*ix).continue_on_error;
    let failed = tasks.iter().any(failed);
    let status = status(state, &states().collect::<Vec<_>>(), failed, paint);
    let time =
        between(states().filter_map(|task| task.started).min(), states().filter_map(|task| task.ended).max());
    let time = time.map_or_else(String::new, |time| format!(" ({})", took(time)));
    let _ = writeln!(text, "  Status: {status}{time}");
    text
}

/// The word for where a phase stands; a failure that was forgiven does not fail it.
fn status(state: &RunState, tasks: &[&TaskState], failed: bool, paint: Paint) -> String {
    let any = |outcome| tasks.iter().any(|task| task.outcome() == Some(outcome));
    let open = tasks.iter().any(|task| task.outcome().is_none());
    let upstream = |task: &&TaskState| {
        task.outcome() == Some(Outcome::Skipped)
            && matches!(task.reason(), Some(Reason::Upstream | Reason::FailFast))
    };
    if failed {
        paint.bad("FAILED")
    } else if open {
        match state.status() {
            RunStatus::Stopped(Stopped::Waiting) => paint.warn("WAITING"),
            RunStatus::Stopped(_) => paint.warn("STOPPED"),
            _ if tasks.iter().any(|task| task.waits().is_some()) => paint.warn("WAITING"),
            _ => "RUNNING".to_owned(),
        }
    } else if any(Outcome::Cancelled) {
        paint.warn("CANCELLED")
    } else if any(Outcome::Withheld) || any(Outcome::Deferred) {
        let dry = state.ceiling() == Effect::Reads;
        paint.warn(if dry { "CHANGES PENDING" } else { "WITHHELD" })
    } else if tasks.is_empty() {
        paint.dim("NOTHING TO DO")
    } else if tasks.iter().all(upstream) {
        paint.dim("NOT STARTED")
    } else if tasks.iter().all(|task| task.outcome() == Some(Outcome::Skipped)) {
        paint.dim("SKIPPED")
    } else {
        paint.good("COMPLETED")
    }
}
