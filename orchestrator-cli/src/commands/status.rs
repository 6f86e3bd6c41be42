//! `status`: where a run stands, from its journal.

use std::fmt::Write as _;
use std::path::PathBuf;

use orchestrator_core::report::RunRecord;
use orchestrator_core::state::{RunState, Stage};
use serde_json::{Value, json};

use super::share;
use crate::args::{Format, OneArgs};
use crate::console::{End, Paint, Shown, Volume, heading, phase, waits};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::here::shown;
use crate::json;
use crate::out::say;
use crate::questions::is_waiting;

pub(super) async fn status(front: Front, args: OneArgs) -> Result<Exit, CliError> {
    let orchestrator = front.look()?;
    let run = share::look(&front, &orchestrator, args.run.as_deref()).await?;
    let record = orchestrator.status(&run).await?;
    let live = orchestrator.is_live(&run);
    match args.show.format {
        Format::Human => say(&human(&front, &record, live, Paint::stdout())),
        Format::Json => {
            let mut result = json::result(&record, Exit::of(&record), None);
            result["live"] = live.into();
            result["log"] = json!(log(&front, &record));
            result["of"] = tasks(&record.state);
            say(&json::answer(&result));
        }
    }
    Ok(Exit::Passed)
}

fn human(front: &Front, record: &RunRecord, live: bool, paint: Paint) -> String {
    let state = &record.state;
    let mut text = heading(state, false, paint);
    for at in 0..state.plan().phases().len() {
        text.push_str(&phase(state, at, Shown::Begun, Volume::Normal, paint));
    }
    // Of a run that has stopped, the end says it.
    let waits = if is_waiting(state) { String::new() } else { waits(state, &record.run, paint) };
    if !waits.is_empty() {
        let _ = writeln!(text, "\n{waits}");
    }
    let here = &front.here;
    let page = here.layout.reports(&record.run).join("index.html");
    let page = page.is_file().then_some(page);
    let (report, volume) = (page.as_deref(), Volume::Normal);
    text += &End { record, here, report, live, volume, paint }.text();
    if let Some(log) = log(front, record) {
        let _ = writeln!(text, "Log: {}", shown(&log));
    }
    text
}

/// The log of the run, where it is kept still.
fn log(front: &Front, record: &RunRecord) -> Option<PathBuf> {
    Some(front.here.layout.run_log(&record.run)).filter(|log| log.is_file())
}

fn tasks(state: &RunState) -> Value {
    let tasks = state.tasks().iter().zip(state.plan().tasks());
    tasks
        .map(|(task, planned)| {
            let stage = match task.stage {
                Stage::Pending => "pending",
                Stage::Running if task.waits().is_some() => "waiting",
                Stage::Running => "running",
                Stage::Retrying(_) => "retrying",
                Stage::Ended(outcome) => outcome.as_str(),
            };
            let summary = task.end.as_ref().and_then(|end| end.conclusion.as_ref());
            json!({
                "id": planned.id, "agent": planned.agent, "stage": stage, "reason": task.reason(),
                "attempt": task.attempt, "started": task.started, "ended": task.ended,
                "summary": summary.map(|conclusion| &conclusion.summary),
            })
        })
        .collect()
}
