//! What all commands that run something share: observers, signals, the end of the output.

use std::path::PathBuf;

use orchestrator_core::orchestrator::{Orchestrator, OrchestratorError, RunOptions};
use orchestrator_core::plan::Selection;
use orchestrator_core::report::RunRecord;
use orchestrator_core::run_log::RunLog;
use orchestrator_core::stop::Stop;
use serde_json::Value;

use super::answers::Answers;
use super::share::Sharing;
use crate::args::{Format, Output};
use crate::console::{Console, End, Paint, Volume};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::{self, JsonLines};
use crate::mended::Mended;
use crate::out::say;
use crate::signals::Signals;
use crate::{ci, console};

/// The agent after which reports are rendered once more, so that they are complete.
const REPORT: &str = "run-report";

/// Lets something run and shows it.
pub(super) async fn drive<F>(
    front: &Front,
    orchestrator: Orchestrator,
    output: Output,
    options: RunOptions,
    sharing: Option<&Sharing>,
    work: impl FnOnce(Orchestrator, RunOptions) -> F,
) -> Result<Exit, CliError>
where
    F: Future<Output = Result<RunRecord, OrchestratorError>>,
{
    let done = driven(front, orchestrator, output, options, work).await?;
    if let Some(sharing) = sharing {
        super::share::publish(front, sharing, &done.record).await;
    }
    done.tell(front, output, |_| {});
    done.tidy(front).await;
    Ok(done.exit)
}

/// What was run.
pub(super) struct Driven {
    pub(super) record: RunRecord,
    pub(super) exit: Exit,
    report: Option<PathBuf>,
}

/// Lets something run and shows it, but for the end. Where it waits for a person and there is a terminal, they are asked and it
/// goes on.
pub(super) async fn driven<F>(
    front: &Front,
    orchestrator: Orchestrator,
    output: Output,
    options: RunOptions,
    work: impl FnOnce(Orchestrator, RunOptions) -> F,
) -> Result<Driven, CliError>
where
    F: Future<Output = Result<RunRecord, OrchestratorError>>,
{
    let stop = options.stop.clone();
    let again = RunOptions { wait: options.wait, stop: stop.clone(), ..RunOptions::new(options.ceiling) };
    let (orchestrator, drawn) = observed(front, orchestrator, output, &stop);
    let signals = Signals::listen(stop.clone(), !drawn)
        .map_err(|source| CliError::io("signals could not be listened to", source))?;
    let mut record = work(orchestrator, options).await?;
    let (mut answers, asks) = (Answers::default(), output.format == Format::Human && !output.no_input);
    while asks {
        let next = front.orchestrator(record.plan().rules().grace, None)?;
        if !answers.given(&next, &record, &stop).await? {
            break;
        }
        let (next, _) = observed(front, next, output, &stop);
        record = next.resume(&record.run, again.clone()).await?;
    }
    let report = if renders(&record) { Some(super::report::write(&front.here, &record)?) } else { None };
    let exit = signals.exit(Exit::of(&record));
    Ok(Driven { record, exit, report })
}

impl Driven {
    /// Removes earlier runs that are over the limits.
    pub(super) async fn tidy(&self, front: &Front) {
        if let Some(keep) = front.keep() {
            super::prune::after(front, &keep, &self.record).await;
            super::cache::tidy(front, &keep);
        }
    }

    /// Says how it ended; programs also what `more` adds to the result.
    pub(super) fn tell(&self, front: &Front, output: Output, more: impl FnOnce(&mut Value)) {
        let Self { record, exit, report } = self;
        match output.format {
            Format::Json => {
                let mut result = json::result(record, *exit, report.as_deref());
                more(&mut result);
                say(&json::answer(&result));
            }
            Format::Human => {
                let (here, paint, volume) = (&front.here, Paint::stdout(), volume(output));
                say(&End { record, here, report: report.as_deref(), live: false, volume, paint }.text());
            }
        }
        ci::tell(record);
    }
}

fn observed(front: &Front, orchestrator: Orchestrator, output: Output, stop: &Stop) -> (Orchestrator, bool) {
    let logs = front.keep().map_or(0, |keep| keep.logs);
    let layout = &front.here.layout;
    let orchestrator = orchestrator.observer(RunLog::new(layout.clone(), logs)).observer(Mended::of(layout));
    match output.format {
        Format::Json => (orchestrator.observer(JsonLines::stdout()), false),
        Format::Human => {
            let console = Console::stdout().volume(volume(output));
            let console = if output.quiet { console } else { console.live(stop.clone()) };
            let drawn = console.is_live();
            (orchestrator.observer(console), drawn)
        }
    }
}

/// Whether the run renders reports itself; a task that was left out does not.
fn renders(record: &RunRecord) -> bool {
    let is_report = |task: &orchestrator_core::plan::PlannedTask| {
        task.agent.as_str() == REPORT && task.selection == Selection::Selected
    };
    record.plan().tasks().iter().any(is_report) && console::is_over(&record.state)
}

fn volume(output: Output) -> Volume {
    match (output.quiet, output.verbose) {
        (true, _) => Volume::Quiet,
        (false, true) => Volume::Verbose,
        (false, false) => Volume::Normal,
    }
}
