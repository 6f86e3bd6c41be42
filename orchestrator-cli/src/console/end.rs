//! The end of the output: what failed or is pending, and the last line.

use std::fmt::Write as _;
use std::path::Path;

use orchestrator_core::effect::Effect;
use orchestrator_core::event::{RunOutcome, Stopped};
use orchestrator_core::layout::Layout;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::{RunState, RunStatus};

use super::paint::Paint;
use super::text::{between, counts, plural, took};
use super::{Volume, failure, pending};
use crate::here::shown;

/// Everything that follows the phases.
pub(crate) fn end(
    record: &RunRecord,
    root: &Path,
    layout: &Layout,
    report: Option<&Path>,
    volume: Volume,
    paint: Paint,
) -> String {
    let dry = record.state.ceiling() == Effect::Reads && !record.withheld().is_empty();
    let mut text = failure::render(record, layout, paint);
    if dry && volume > Volume::Quiet {
        text.push_str(&pending::render(record, root, layout, paint));
    }
    if volume > Volume::Quiet {
        text.push('\n');
    }
    let _ = writeln!(text, "{}", last(record, paint));
    if let Some(report) = report {
        let _ = writeln!(text, "Report: {}", shown(report));
    }
    if let Some(next) = next(record) {
        let _ = writeln!(text, "{next}");
    }
    if dry {
        let _ = writeln!(text, "{}", paint.warn(&pending::sentence(record)));
    }
    text
}

/// The run, how it ended, how long it took, how its tasks ended.
fn last(record: &RunRecord, paint: Paint) -> String {
    let state = &record.state;
    let time =
        between(state.started(), state.last()).map_or_else(String::new, |time| format!(" in {}", took(time)));
    let what = if state.ceiling() == Effect::Reads { "Dry run" } else { "Run" };
    format!("{what} {} {}{time}: {}", record.run, word(state, paint), counts(state))
}

/// Where a run stands, in a word.
pub(crate) fn word(state: &RunState, paint: Paint) -> String {
    match state.status() {
        RunStatus::New => "never began".to_owned(),
        RunStatus::Running => "is running".to_owned(),
        RunStatus::Finished(RunOutcome::Passed) => paint.good("passed"),
        RunStatus::Finished(RunOutcome::Failed) => paint.bad("failed"),
        RunStatus::Finished(RunOutcome::Cancelled) => paint.warn("was cancelled"),
        RunStatus::Stopped(Stopped::Interrupted) => paint.warn("stopped"),
        RunStatus::Stopped(Stopped::Waiting) => paint.warn("waits for a person"),
        RunStatus::Stopped(Stopped::Unsure) => paint.warn("stopped while publishing"),
    }
}

/// Whether no process has anything left to do.
pub(crate) fn is_over(state: &RunState) -> bool {
    matches!(state.status(), RunStatus::Finished(_))
}

/// Whether no process runs it, as its journal says.
pub(crate) fn is_settled(state: &RunState) -> bool {
    matches!(state.status(), RunStatus::Finished(_) | RunStatus::Stopped(_))
}

fn next(record: &RunRecord) -> Option<String> {
    let (state, run) = (&record.state, &record.run);
    match state.status() {
        RunStatus::Stopped(Stopped::Interrupted | Stopped::Unsure) => {
            Some(format!("Go on with: orchestrate resume {run}"))
        }
        RunStatus::Stopped(Stopped::Waiting) => {
            Some(format!("Once it has what it waits for: orchestrate resume {run}"))
        }
        RunStatus::Finished(_) if state.ceiling() == Effect::Writes && !record.withheld().is_empty() => {
            let tasks = record.withheld().tasks().count() + record.withheld().deferred().count();
            Some(format!(
                "{} above the ceiling `writes`: run them with --ceiling publishes",
                plural(tasks, "task")
            ))
        }
        _ => None,
    }
}
