//! `cancel`: ends a run for good.

use orchestrator_agents::deployment::ops::end_loads;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::RunId;
use orchestrator_core::orchestrator::{Orchestrator, RunOptions};
use orchestrator_core::run_log::RunLog;
use serde_json::json;

use super::share::{self, Sharing};
use crate::args::{Format, OneArgs};
use crate::console::{is_over, word};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json::answer;
use crate::out::{note, say};
use crate::runs::{self, Latest};

pub(super) async fn cancel(front: Front, args: OneArgs) -> Result<Exit, CliError> {
    let log = RunLog::new(front.here.layout.clone(), 0);
    let orchestrator = front.look()?.observer(log);
    let run = runs::find(&orchestrator, args.run.as_deref(), Latest::Open).await?;
    let record = orchestrator.status(&run).await?;
    if is_over(&record.state) {
        let how = word(&record.state, false, crate::console::Paint::OFF);
        return Err(CliError::usage(format!("run `{run}` is over already: it {how}")));
    }
    orchestrator.cancel(&run).await?;
    if let Err(error) = end_loads(front.here.layout.state(), &run) {
        note(&format!("the load of a deployment could not be told to end: {error}"));
    }
    let live = orchestrator.is_live(&run);
    if !live {
        // Nobody would see the signal: taking the run up for a moment ends it, and starts nothing.
        end(&front, &orchestrator, &run).await?;
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

/// Takes a run up for a moment; one that is shared is over for the others as well.
async fn end(front: &Front, orchestrator: &Orchestrator, run: &RunId) -> Result<(), CliError> {
    let options = RunOptions::new(Effect::Reads);
    let Some(team) = front.team()? else {
        orchestrator.resume(run, options).await?;
        return Ok(());
    };
    let lease = share::lease(&team, run, false).await?;
    let sharing = Sharing { team, lease };
    let done = match share::bring(front, &sharing.team, run).await {
        Ok(()) => orchestrator.resume(run, options).await.map_err(CliError::from),
        Err(error) => Err(error),
    };
    if let Ok(record) = &done {
        share::publish(front, &sharing, record).await;
    }
    if let Some(lease) = sharing.lease {
        share::blocking(move || lease.release()).await;
    }
    done.map(|_| ())
}
