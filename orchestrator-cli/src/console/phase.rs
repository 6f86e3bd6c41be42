//! A phase: its title, a line for each task, its status.

use std::fmt::Write as _;

use orchestrator_core::effect::Effect;
use orchestrator_core::event::Stopped;
use orchestrator_core::outcome::{Outcome, Reason};
use orchestrator_core::plan::TaskIx;
use orchestrator_core::state::{RunState, RunStatus, Stage, TaskState};

use super::paint::Paint;
use super::text::{between, clean, plural, took};
use super::{Volume, notes, task};

/// The most reused tasks of a phase that get a line each.
const CACHED: usize = 10;

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
    let mut text = format!("{} {} · {} · {tasks} · {how}\n", word, paint.bold(&run), clean(plan.pipeline()));
    for note in notes::of_plan(plan) {
        let _ = writeln!(text, "{}", paint.dim(&format!("– {note}")));
    }
    text
}

/// The text of a phase, with an empty line before it.
pub(crate) fn render(state: &RunState, at: usize, shown: Shown, volume: Volume, paint: Paint) -> String {
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
    for line in lines(state, &tasks, volume, paint) {
        let _ = writeln!(text, "  {line}");
    }
    for note in notes::of_phase(plan, &phase.name) {
        let _ = writeln!(text, "  {}", paint.dim(&format!("– {note}")));
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

/// A line for each task; one for all that were reused where they are many and not everything is wanted.
fn lines(state: &RunState, tasks: &[TaskIx], volume: Volume, paint: Paint) -> Vec<String> {
    let is_cached = |ix: &TaskIx| state.task(*ix).outcome() == Some(Outcome::Cached);
    let cached = tasks.iter().filter(|ix| is_cached(ix)).count();
    let folds = volume < Volume::Verbose && cached > CACHED;
    let rest = tasks.iter().filter(|ix| !(folds && is_cached(ix)));
    let mut lines: Vec<String> = rest.map(|ix| task::line(state, *ix, paint)).collect();
    if folds {
        // All before the first one are shown, so it has the same place among what is shown.
        let at = tasks.iter().position(is_cached).unwrap_or_default();
        let all = plural(cached, "task");
        lines.insert(at, format!("{} {all} {}", paint.good("✓"), paint.dim("(cached)")));
    }
    lines
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
