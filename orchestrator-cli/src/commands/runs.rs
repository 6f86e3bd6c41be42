//! `runs`: all runs, the latest first.

use orchestrator_core::report::RunRecord;
use serde_json::{Value, json};

use crate::args::{Format, ShowArgs};
use crate::console::{Paint, clean, counts, word};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json;
use crate::out::Out;

pub(super) async fn runs(front: Front, args: ShowArgs) -> Result<Exit, CliError> {
    let orchestrator = front.look()?;
    let (mut out, paint) = (Out::stdout(), Paint::stdout());
    let runs = orchestrator.runs().await?;
    if runs.is_empty() && args.format == Format::Human {
        out.line("There are no runs yet. Start one with: orchestrate run");
    }
    for run in runs {
        let loaded = orchestrator.status(&run).await;
        out.line(&match (args.format, loaded) {
            (Format::Human, Ok(record)) => {
                let state = &record.state;
                let word = word(state, orchestrator.is_live(&run), paint);
                let (pipeline, ceiling) = (clean(state.plan().pipeline()), state.ceiling());
                format!("{run}  {ceiling:<9}  {pipeline}  {word}: {}", counts(state))
            }
            (Format::Human, Err(error)) => format!("{run}  cannot be read: {error}"),
            (Format::Json, Ok(record)) => line(&record, orchestrator.is_live(&run)).to_string(),
            (Format::Json, Err(error)) => {
                json!({ "v": json::VERSION, "run": run, "error": error.to_string() }).to_string()
            }
        });
        if out.is_gone() {
            break;
        }
    }
    Ok(Exit::Passed)
}

fn line(record: &RunRecord, live: bool) -> Value {
    let mut result = json::result(record, Exit::of(record), None);
    result["v"] = json::VERSION.into();
    result["started"] = json!(record.state.started());
    result["live"] = live.into();
    result
}
