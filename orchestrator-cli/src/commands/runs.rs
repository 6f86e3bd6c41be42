//! `runs`: all runs, the latest first.

use orchestrator_core::id::RunId;
use orchestrator_core::report::RunRecord;
use serde_json::{Value, json};

use super::share;
use crate::args::{Format, ShowArgs};
use crate::console::{Paint, clean, counts, word};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::json;
use crate::out::Out;
use crate::shared::{Manifest, SharedError};

/// How many runs from elsewhere are listed.
const SHARED: usize = 20;

pub(super) async fn runs(front: Front, args: ShowArgs) -> Result<Exit, CliError> {
    let orchestrator = front.look()?;
    let (mut out, paint) = (Out::stdout(), Paint::stdout());
    let runs = orchestrator.runs().await?;
    let shared = shared(&front, &runs).await?;
    if runs.is_empty() && shared.is_empty() && args.format == Format::Human {
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
    for manifest in shared {
        if out.is_gone() {
            break;
        }
        out.line(&elsewhere(&manifest, args.format));
    }
    Ok(Exit::Passed)
}

/// The latest runs that are shared and do not lie here.
async fn shared(front: &Front, here: &[RunId]) -> Result<Vec<Manifest>, CliError> {
    let (Some(team), here) = (front.team()?, here.to_vec()) else { return Ok(Vec::new()) };
    let found = share::blocking(move || {
        let runs = team.runs()?;
        let others = runs.iter().filter(|run| !here.contains(run)).take(SHARED);
        let manifests = others.filter_map(|run| match team.manifest(run) {
            Ok(manifest) => manifest.map(Ok),
            // One that is damaged hides no other.
            Err(error @ SharedError::Damaged { .. }) => {
                tracing::warn!("{error}");
                None
            }
            Err(error) => Some(Err(error)),
        });
        manifests.collect::<Result<Vec<_>, SharedError>>()
    });
    Ok(found.await.unwrap_or_else(|error| {
        tracing::warn!("runs elsewhere are not known: {}", CliError::from(error).line());
        Vec::new()
    }))
}

fn elsewhere(manifest: &Manifest, format: Format) -> String {
    let Manifest { run, pipeline, ceiling, state, host, at, .. } = manifest;
    match format {
        Format::Human => {
            let [ceiling, pipeline, state, host] = [ceiling, pipeline, state, host].map(|text| clean(text));
            format!("{run}  {ceiling:<9}  {pipeline}  {state} (shared by {host})")
        }
        Format::Json => json!({
            "v": json::VERSION, "run": run,
            "shared": { "pipeline": pipeline, "ceiling": ceiling, "state": state, "host": host, "at": at },
        })
        .to_string(),
    }
}

fn line(record: &RunRecord, live: bool) -> Value {
    let mut result = json::result(record, Exit::of(record), None);
    result["v"] = json::VERSION.into();
    result["started"] = json!(record.state.started());
    result["live"] = live.into();
    result
}
