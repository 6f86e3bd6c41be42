//! The end of the output: what failed or is pending, and the last line.

use std::fmt::Write as _;
use std::path::Path;

use orchestrator_core::effect::Effect;
use orchestrator_core::event::{RunOutcome, Stopped};
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::{RunState, RunStatus};

use super::paint::Paint;
use super::task::waits;
use super::text::{between, counts, plural, took};
use super::{Volume, failure, pending};
use crate::here::{Here, shown};
use crate::questions::is_waiting;

/// Everything that follows the phases.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End<'a> {
    pub(crate) record: &'a RunRecord,
    /// Where the project is and where its state is.
    pub(crate) here: &'a Here,
    /// The page to open, where there is one.
    pub(crate) report: Option<&'a Path>,
    /// Whether a process runs it now.
    pub(crate) live: bool,
    pub(crate) volume: Volume,
    pub(crate) paint: Paint,
}

impl End<'_> {
    /// What failed, what is pending, the last line, what to do next.
    pub(crate) fn text(self) -> String {
        let Self { record, here, report, live: _, volume, paint } = self;
        let dry = record.state.ceiling() == Effect::Reads && !record.withheld().is_empty();
        let mut text = failure::render(record, &here.layout, paint);
        if dry && volume > Volume::Quiet {
            text.push_str(&pending::render(record, &here.root, &here.layout, paint));
        }
        if is_waiting(&record.state) {
            let _ = writeln!(text, "\n{}", waits(&record.state, &record.run, paint));
        }
        if volume > Volume::Quiet {
            text.push('\n');
        }
        let _ = writeln!(text, "{}", self.last());
        if let Some(report) = report {
            let _ = writeln!(text, "Report: {}", shown(report));
        }
        if let Some(next) = self.next() {
            let _ = writeln!(text, "{next}");
        }
        if dry && is_over(&record.state) {
            let _ = writeln!(text, "{}", paint.warn(&pending::sentence(record)));
        }
        text
    }

    /// The run, how it ended, how long it took, how its tasks ended.
    fn last(self) -> String {
        let Self { record, live, paint, .. } = self;
        let state = &record.state;
        let what = if state.ceiling() == Effect::Reads { "Dry run" } else { "Run" };
        let since = if is_settled(state) { "in" } else { "after" };
        let time = between(state.started(), state.last());
        let time = time.map_or_else(String::new, |time| format!(" {since} {}", took(time)));
        format!("{what} {} {}{time}: {}", record.run, word(state, live, paint), counts(state))
    }

    fn next(self) -> Option<String> {
        let (state, run) = (&self.record.state, &self.record.run);
        match state.status() {
            RunStatus::Stopped(Stopped::Interrupted | Stopped::Unsure) => {
                Some(format!("Go on with: orchestrate resume {run}"))
            }
            RunStatus::New | RunStatus::Running if !self.live => {
                Some(format!("Go on with: orchestrate resume {run}"))
            }
            RunStatus::Stopped(Stopped::Waiting) => {
                Some(format!("Once it has what it waits for: orchestrate resume {run}"))
            }
            RunStatus::Finished(_)
                if state.ceiling() == Effect::Writes && !self.record.withheld().is_empty() =>
            {
                let withheld = self.record.withheld();
                let tasks = plural(withheld.tasks().count() + withheld.deferred().count(), "task");
                Some(format!("{tasks} above the ceiling `writes`: run with --ceiling publishes"))
            }
            _ => None,
        }
    }
}

/// Where a run stands, in a word.
pub(crate) fn word(state: &RunState, live: bool, paint: Paint) -> String {
    match state.status() {
        RunStatus::New | RunStatus::Running if !live => paint.warn("died"),
        RunStatus::New | RunStatus::Running => "is running".to_owned(),
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
