//! Reports rendered from the journal of a run: JSON for programs, one HTML page for people, Markdown for CI.
//!
//! Every report is a rendering of one value, the [`Summary`], which is made of a
//! [`RunRecord`](orchestrator_core::report::RunRecord) and nothing else: no clock, no file system, no environment. A
//! figure names its evidence or says why it was not measured. Same record, same bytes.
//!
//! Inside a run, the phase [`Reports`] renders the records so far; a front door that calls [`write_reports`] when the run
//! is over makes the pages complete.

mod agent;
mod generator;
mod html;
mod json;
mod markdown;
mod measured;
mod ops;
mod phase;
#[cfg(test)]
mod sample;
pub mod summary;
#[cfg(test)]
mod tests;
mod theme;
mod write;

use orchestrator_core::registry::Registry;

pub use agent::{Rendered, RunReport, RunReportConfig};
pub use generator::{Generator, generators};
pub use html::{Html, RUN_FOLDER};
pub use json::Json;
pub use markdown::Markdown;
pub use measured::Measured;
pub use ops::{JournalError, RenderReport, load_run};
pub use phase::Reports;
pub use summary::Summary;
pub use write::{WriteError, Written, write_reports};

/// The agent and the phase of reports.
pub fn standard() -> Registry {
    Registry::new().agent(RunReport).phase(Reports)
}
