//! Figures and remarks of all tasks, each with where it comes from.

use orchestrator_core::evidence::{Finding, Metric};
use orchestrator_core::id::TaskId;
use orchestrator_core::order::Artifact;
use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::plan::{PlannedTask, TaskIx};
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::TaskState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measured::Measured;

/// A measured value and where it comes from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricSummary {
    /// The task that measured it.
    pub task: TaskId,
    /// What was measured.
    pub name: String,
    /// The value.
    pub value: Measured<f64>,
    /// Its unit.
    pub unit: String,
    /// Where it comes from.
    pub evidence: EvidenceSummary,
}

/// Where a figure comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceSummary {
    /// The tool that measured it.
    pub tool: String,
    /// Its version.
    pub version: Measured<String>,
    /// The command line.
    pub command: Measured<String>,
    /// Digest of the output or file that the figure was read from.
    pub artifact: Measured<Digest>,
    /// Where that file is, relative to the run's folder.
    pub place: Measured<RelPath>,
    /// Number of the record of the journal that holds the figure.
    pub record: Measured<u64>,
}

/// A remark and the task that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingSummary {
    /// The task.
    pub task: TaskId,
    /// Number of the record of the journal that holds it.
    pub record: Measured<u64>,
    /// The remark.
    #[serde(flatten)]
    pub finding: Finding,
}

/// A kept file and the task that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactFigure {
    /// The task.
    pub task: TaskId,
    /// The file.
    #[serde(flatten)]
    pub artifact: Artifact,
}

fn tasks(record: &RunRecord) -> impl Iterator<Item = (&PlannedTask, &TaskState)> {
    (0..record.plan().tasks().len() as u32)
        .map(TaskIx)
        .map(|ix| (record.plan().task(ix), record.state.task(ix)))
}

fn number(task: &TaskState) -> Measured<u64> {
    Measured::or(task.record, "the task has not ended")
}

/// Measured values, in the plan's order.
pub(super) fn metrics(record: &RunRecord) -> Vec<MetricSummary> {
    let concluded = tasks(record)
        .filter_map(|(planned, task)| Some((planned, task, task.end.as_ref()?.conclusion.as_ref()?)));
    concluded
        .flat_map(|(planned, task, conclusion)| {
            conclusion.metrics.iter().map(move |metric| one(&planned.id, metric, number(task)))
        })
        .collect()
}

fn one(task: &TaskId, metric: &Metric, record: Measured<u64>) -> MetricSummary {
    let Metric { name, value, unit, evidence } = metric;
    let value = Some(*value).filter(|value| value.is_finite());
    MetricSummary {
        task: task.clone(),
        name: name.clone(),
        value: Measured::or(value, "the agent gave no number"),
        unit: unit.clone(),
        evidence: EvidenceSummary {
            tool: evidence.tool.clone(),
            version: Measured::or(evidence.version.clone(), "version not asked for"),
            command: Measured::or(evidence.command.clone(), "no command on record"),
            artifact: Measured::or(evidence.artifact, "no file was kept"),
            place: Measured::or(evidence.place.clone(), "no file was kept"),
            record,
        },
    }
}

/// Remarks, the worst first; those of the same severity in the plan's order.
pub(super) fn findings(record: &RunRecord) -> Vec<FindingSummary> {
    let mut all: Vec<FindingSummary> = tasks(record)
        .filter_map(|(planned, task)| Some((planned, task, task.end.as_ref()?.conclusion.as_ref()?)))
        .flat_map(|(planned, task, conclusion)| {
            conclusion.findings.iter().map(move |finding| FindingSummary {
                task: planned.id.clone(),
                record: number(task),
                finding: finding.clone(),
            })
        })
        .collect();
    all.sort_by_key(|one| std::cmp::Reverse(one.finding.severity));
    all
}

/// Files that tasks told the executor to keep, in the plan's order.
pub(super) fn artifacts(record: &RunRecord) -> Vec<ArtifactFigure> {
    let kept = |(planned, task): (&PlannedTask, &TaskState)| {
        let of = planned.id.clone();
        let files: Vec<Artifact> =
            task.receipts().flat_map(|(_, receipt)| receipt.artifacts.iter().cloned()).collect();
        files.into_iter().map(move |artifact| ArtifactFigure { task: of.clone(), artifact })
    };
    tasks(record).flat_map(kept).collect()
}
