//! What all commands that run something share: observers, signals, the end of the output.

use std::path::PathBuf;

use orchestrator_core::orchestrator::{Orchestrator, OrchestratorError, RunOptions};
use orchestrator_core::plan::Selection;
use orchestrator_core::report::RunRecord;
use orchestrator_core::stop::Stop;

use super::share::Sharing;
use crate::args::{Format, Output};
use crate::console::{Console, End, Paint, Volume};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::{self, JsonLines};
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
    let stop = options.stop.clone();
    let (orchestrator, drawn) = observed(orchestrator, output, &stop);
    let signals = Signals::listen(stop, !drawn)
        .map_err(|source| CliError::io("signals could not be listened to", source))?;
    let record = work(orchestrator, options).await?;
    let report = if renders(&record) { Some(super::report::write(&front.here, &record)?) } else { None };
    if let Some(sharing) = sharing {
        super::share::publish(front, sharing, &record).await;
    }
    let exit = signals.exit(Exit::of(&record));
    finish(front, output, &record, report, exit);
    Ok(exit)
}

fn observed(orchestrator: Orchestrator, output: Output, stop: &Stop) -> (Orchestrator, bool) {
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

fn finish(front: &Front, output: Output, record: &RunRecord, report: Option<PathBuf>, exit: Exit) {
    match output.format {
        Format::Json => {
            let result = json::result(record, exit, report.as_deref());
            say(&json::answer(&result));
        }
        Format::Human => {
            let (here, paint, volume) = (&front.here, Paint::stdout(), volume(output));
            say(&End { record, here, report: report.as_deref(), live: false, volume, paint }.text());
        }
    }
    ci::tell(record);
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
