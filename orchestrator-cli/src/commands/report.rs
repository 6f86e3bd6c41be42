//! `report`: renders the reports of a run from its journal.

use std::path::PathBuf;

use orchestrator_core::report::RunRecord;
use orchestrator_reports::{generators, write_reports};
use serde_json::json;

use super::share;
use crate::args::{Format, OneArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::here::{Here, shown};
use crate::json::answer;
use crate::out::say;

pub(super) async fn report(front: Front, args: OneArgs) -> Result<Exit, CliError> {
    let orchestrator = front.look()?;
    let run = share::look(&front, &orchestrator, args.run.as_deref()).await?;
    let record = orchestrator.status(&run).await?;
    let page = write(&front.here, &record)?;
    match args.show.format {
        Format::Human => say(&shown(&page)),
        Format::Json => say(&answer(&json!({ "run": run, "report": page }))),
    }
    Ok(Exit::Passed)
}

/// Writes all reports into the folder of the run and says which one to open.
pub(super) fn write(here: &Here, record: &RunRecord) -> Result<PathBuf, CliError> {
    let folder = here.layout.reports(&record.run);
    let written =
        write_reports(record, &generators(), &folder).map_err(|error| CliError::Report(error.into()))?;
    let is_page = |path: &str| std::path::Path::new(path).extension().is_some_and(|end| end == "html");
    let page = written.iter().find(|file| is_page(file.path.as_str())).or(written.first());
    Ok(page.map_or_else(|| folder.clone(), |page| page.path.under(&folder)))
}
