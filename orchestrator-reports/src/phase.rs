//! The phase `reports`: renders reports of the run, whatever came before.

use orchestrator_core::BoxError;
use orchestrator_core::id::PhaseName;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::{TaskSpec, When};
use orchestrator_core::project::Project;

use crate::agent::{RunReport, RunReportConfig};

/// Drafts one task, `report`, that runs also after failures.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reports;

impl Phase for Reports {
    fn name(&self) -> PhaseName {
        PhaseName::new("reports").expect("it matches the pattern of phase names")
    }

    fn title(&self) -> &'static str {
        "REPORTS"
    }

    fn draft(&self, _project: &Project, draft: &mut Draft<'_>) -> Result<(), BoxError> {
        let config: RunReportConfig = draft.with()?;
        let task = TaskSpec::of::<RunReport>("report", &config)?
            .when(When::Always)
            .describe("JSON, HTML and Markdown reports of this run");
        draft.task("reports", task)
    }
}
