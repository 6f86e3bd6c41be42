//! The report `json`: the summary as a file for other programs.

use orchestrator_core::report::{Report, ReportError, ReportGenerator, RunRecord};

use crate::summary::Summary;

/// Renders the summary as pretty JSON in a stable order: `summary.json`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Json {
    /// The file that it renders.
    pub const FILE: &'static str = "summary.json";
}

impl ReportGenerator for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn generate(&self, run: &RunRecord) -> Result<Report, ReportError> {
        let mut bytes = serde_json::to_vec_pretty(&Summary::of(run))
            .map_err(|error| ReportError { name: self.name().into(), source: error.into() })?;
        bytes.push(b'\n');
        Ok(Report { files: vec![(Self::FILE.into(), bytes)] })
    }
}
