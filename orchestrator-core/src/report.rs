//! Reports: renderings of a run record. Pure.

use std::sync::Arc;

use crate::BoxError;
use crate::id::RunId;
use crate::plan::Plan;
use crate::state::RunState;

/// All that is known of a run up to a record.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Its state: the fold over records 1 to `upto`.
    pub state: RunState,
    /// The run.
    pub run: RunId,
    /// Number of the last record that is in it.
    pub upto: u64,
}

impl RunRecord {
    /// The record of a state.
    pub fn new(run: RunId, state: RunState) -> Self {
        let upto = state.records();
        Self { state, run, upto }
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        self.state.plan()
    }

    /// What the run did not do because it lies above its ceiling, and what it put off for that.
    pub fn withheld(&self) -> crate::preview::Withheld<'_> {
        crate::preview::Withheld::of(&self.state)
    }
}

/// A rendered report: files by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Name and bytes of each file; the first is the one to open.
    pub files: Vec<(String, Vec<u8>)>,
}

/// A report could not be rendered.
#[derive(Debug, thiserror::Error)]
#[error("report `{name}` could not be rendered")]
pub struct ReportError {
    /// Which one.
    pub name: String,
    /// Why.
    pub source: BoxError,
}

/// Renders a run record. Same record, same report.
pub trait ReportGenerator: Send + Sync {
    /// Its name, as pipelines use it.
    fn name(&self) -> &'static str;
    /// Renders it.
    fn generate(&self, run: &RunRecord) -> Result<Report, ReportError>;
}
