//! `cancel`: ends a run for good.

use orchestrator_core::effect::Effect;
use orchestrator_core::orchestrator::RunOptions;
use orchestrator_core::run_log::RunLog;
use serde_json::json;

use crate::args::{Format, OneArgs};
use crate::console::{is_over, word};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::answer;
use crate::out::say;
use crate::runs::{self, Latest};

pub(super) async fn cancel(front: Front, args: OneArgs) -> Result<Exit, CliError> {
    let orchestrator = front.look()?;
    let run = runs::find(&orchestrator, args.run.as_deref(), Latest::Open).await?;
    let record = orchestrator.status(&run).await?;
    if is_over(&record.state) {
        let how = word(&record.state, false, crate::console::Paint::OFF);
        return Err(CliError::usage(format!("run `{run}` is over already: it {how}")));
    }
    orchestrator.cancel(&run).await?;
    let live = orchestrator.is_live(&run);
    if !live {
        // Nobody would see the signal: taking the run up for a moment ends it, and starts nothing.
        let orchestrator = orchestrator.observer(RunLog::new(front.here.layout.clone(), 0));
        orchestrator.resume(&run, RunOptions::new(Effect::Reads)).await?;
    }
    match (args.show.format, live) {
        (Format::Human, true) => say(&format!("Run {run} is told to end; what runs is stopped.")),
        (Format::Human, false) => say(&format!("Run {run} is cancelled.")),
        (Format::Json, _) => {
            say(&answer(&json!({ "run": run, "cancelled": !live, "told": live })));
        }
    }
    Ok(Exit::Passed)
}
