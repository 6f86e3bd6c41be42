//! The agent `run-report`: renders reports of the run that it is part of.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Generator;
use crate::ops::RenderReport;
use crate::write::Written;

/// Renders reports of the run that it is part of, from the records so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunReport;

/// What `run-report` is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunReportConfig {
    /// The reports to render; by default all.
    pub generators: Vec<Generator>,
    /// A folder, relative to the root of the repository, that gets a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<RelPath>,
}

impl Default for RunReportConfig {
    fn default() -> Self {
        Self { generators: Generator::ALL.to_vec(), to: None }
    }
}

/// What was rendered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rendered {
    /// The files, below the run's `reports` folder.
    pub files: Vec<Written>,
    /// Number of the last record that is in them.
    pub upto: u64,
}

impl Agent for RunReport {
    const NAME: &'static str = "run-report";
    const ABOUT: &'static str =
        "renders reports of the run so far: JSON, one self-contained HTML page, Markdown";
    type Config = RunReportConfig;
    type Output = Rendered;

    async fn plan(&self, task: &Task<RunReportConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        Ok(vec![RenderReport::action(&task.config)?])
    }

    fn conclude(
        &self,
        _task: &Task<RunReportConfig>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<Rendered>, BoxError> {
        let Some(receipt) = receipts.first() else {
            return Ok(Verdict::failed("no report was rendered"));
        };
        if !receipt.ok() {
            return Ok(Verdict::failed(format!("no report was rendered: {}", receipt.status)));
        }
        let rendered: Rendered = receipt.output.parse()?;
        let names: Vec<&str> = rendered.files.iter().map(|file| file.path.as_str()).collect();
        let summary = format!("rendered {} from records 1 to {}", names.join(", "), rendered.upto);
        Ok(Verdict::passed(summary, rendered))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(RenderReport)?])
    }
}
