//! Plans: the frozen, validated graph of tasks of one run. Making one starts nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use petgraph::graph::DiGraph;
use serde::{Deserialize, Serialize};

use crate::effect::Effect;
use crate::graph::{self, Edge, Node};
use crate::id::{AgentName, GroupName, PhaseName, RunId, TaskId};
use crate::json::Json;
use crate::path::{Digest, RelPath};
use crate::pipeline::{Execution, Kind, Priority, Resources, Retry, Reuse, When};

/// Place of a task in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskIx(pub u32);

impl TaskIx {
    /// As an index.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

/// The frozen, validated graph of tasks of one run.
#[derive(Debug, Clone)]
#[must_use]
pub struct Plan {
    /// Shared: a run, its observers and its record all hold the plan.
    parts: Arc<PlanParts>,
    digest: Digest,
    graph: Arc<DiGraph<Node, Edge, u32>>,
    index: Arc<HashMap<TaskId, TaskIx>>,
    /// Its JSON, where it is known.
    json: Option<Arc<str>>,
}

/// All that a plan is made of; what `plan.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanParts {
    /// Format of this file.
    pub version: u32,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Limits and rules of the run.
    pub rules: Rules,
    /// In order.
    pub phases: Vec<PlannedPhase>,
    /// In order of their phases.
    pub groups: Vec<PlannedGroup>,
    /// In order of their groups.
    pub tasks: Vec<PlannedTask>,
    /// What was left out of the drafts, and why.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Limits and rules of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The most tasks at once.
    pub jobs: u32,
    /// Whether a failed task keeps the others from starting.
    pub fail_fast: bool,
    /// The ceiling that the settings name.
    pub ceiling: Effect,
    /// How long a stopped command gets before it is killed.
    pub grace: Duration,
    /// Thousandths of a processor that tasks share; 0 for no limit.
    pub cpu_milli: u32,
    /// Bytes of memory that tasks share; 0 for no limit.
    pub memory: u64,
}

/// A phase of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedPhase {
    /// Its name.
    pub name: PhaseName,
    /// What people read.
    pub title: String,
    /// Places of the phases that must have passed.
    pub depends_on: Vec<u32>,
    /// Name of its checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
}

/// A group of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedGroup {
    /// Its name.
    pub name: GroupName,
    /// What people read, where it says more than the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Place of its phase.
    pub phase: u32,
    /// How its tasks follow each other.
    pub execution: Execution,
    /// Whether a failed task keeps the others of the group from starting.
    pub fail_fast: bool,
    /// The most tasks of it at once.
    pub max_parallel: Option<u32>,
    /// Places of the groups that must have passed.
    pub depends_on: Vec<u32>,
    /// Whether it is its phase's checkpoint: starts when the phase's other groups have passed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checkpoint: bool,
}

/// A task of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// Its id.
    pub id: TaskId,
    /// Which agent.
    pub agent: AgentName,
    /// The agent's config, references in it.
    pub config: Json,
    /// Place of its group.
    pub group: u32,
    /// Tasks that must have passed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<TaskId>,
    /// Tasks whose output the config takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes: Vec<TaskId>,
    /// Tasks whose declared outputs are its declared inputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<TaskId>,
    /// When it runs.
    pub when: When,
    /// How long an attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// How often it is tried.
    pub retry: Retry,
    /// A failure does not fail its phase.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continue_on_error: bool,
    /// What starts first.
    pub priority: Priority,
    /// What kind of work.
    pub kind: Kind,
    /// What it weighs.
    pub resources: Resources,
    /// For `--tag`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Files that it reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// Files that it makes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// Files that its agent may write; tasks that touch the same one run one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touches: Vec<RelPath>,
    /// What its reuse depends on besides.
    #[serde(default, skip_serializing_if = "Reuse::is_plain")]
    pub reuse: Reuse,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it is to run.
    #[serde(default, skip_serializing_if = "Selection::is_selected")]
    pub selection: Selection,
}

/// Whether a task is to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selection {
    /// It is.
    #[default]
    Selected,
    /// The user left it out; its dependants start all the same.
    LeftOut,
    /// It passed in an earlier run, and that counts.
    Carried {
        /// The run.
        run: RunId,
        /// What it gave.
        output: Json,
    },
}

impl Selection {
    fn is_selected(&self) -> bool {
        *self == Self::Selected
    }
}

/// Parts that do not make a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A later version wrote it.
    #[error("the plan has format {0}, which this version does not read")]
    Version(u32),
    /// A place or name in it leads nowhere.
    #[error("the plan is damaged: {0}")]
    Damaged(String),
    /// Tasks that wait for each other.
    #[error("tasks wait for each other: {}", .0.join(" -> "))]
    Cycle(Vec<String>),
}

impl Plan {
    /// The format that this version writes.
    pub const VERSION: u32 = 1;

    /// Builds the graph and checks it.
    pub fn new(parts: PlanParts) -> Result<Self, PlanError> {
        Self::build(parts, None)
    }

    /// Reads what [`Plan::json`] gave.
    pub fn from_json(json: &str) -> Result<Self, PlanError> {
        let parts = serde_json::from_str(json).map_err(|error| PlanError::Damaged(error.to_string()))?;
        Self::build(parts, Some(json.into()))
    }

    /// All that it is made of, as JSON; its digest is that of these bytes.
    pub fn json(&self) -> Result<Arc<str>, serde_json::Error> {
        match &self.json {
            Some(json) => Ok(json.clone()),
            None => Ok(serde_json::to_string(&*self.parts)?.into()),
        }
    }

    fn build(parts: PlanParts, json: Option<Arc<str>>) -> Result<Self, PlanError> {
        if parts.version != Self::VERSION {
            return Err(PlanError::Version(parts.version));
        }
        let mut index = HashMap::with_capacity(parts.tasks.len());
        for (at, task) in parts.tasks.iter().enumerate() {
            if index.insert(task.id.clone(), TaskIx(at as u32)).is_some() {
                return Err(PlanError::Damaged(format!("two tasks are called `{}`", task.id)));
            }
        }
        let graph = graph::build(&parts, &index)?;
        let digest = match &json {
            Some(json) => Digest::of(json.as_bytes()),
            None => {
                let bytes =
                    serde_json::to_vec(&parts).map_err(|error| PlanError::Damaged(error.to_string()))?;
                Digest::of(&bytes)
            }
        };
        Ok(Self { parts: Arc::new(parts), digest, json, graph: Arc::new(graph), index: Arc::new(index) })
    }

    /// Its digest: same pipeline, project and settings, same digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Name of the pipeline.
    pub fn pipeline(&self) -> &str {
        &self.parts.pipeline
    }

    /// All that it is made of.
    pub fn parts(&self) -> &PlanParts {
        &self.parts
    }

    /// Limits and rules.
    pub fn rules(&self) -> &Rules {
        &self.parts.rules
    }

    /// Tasks, in order.
    pub fn tasks(&self) -> &[PlannedTask] {
        &self.parts.tasks
    }

    /// Groups, in order.
    pub fn groups(&self) -> &[PlannedGroup] {
        &self.parts.groups
    }

    /// Phases, in order.
    pub fn phases(&self) -> &[PlannedPhase] {
        &self.parts.phases
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.parts.tasks.is_empty()
    }

    /// A task by its place.
    pub fn task(&self, ix: TaskIx) -> &PlannedTask {
        &self.parts.tasks[ix.at()]
    }

    /// The group of a task.
    pub fn group_of(&self, ix: TaskIx) -> &PlannedGroup {
        &self.parts.groups[self.task(ix).group as usize]
    }

    /// The phase of a task.
    pub fn phase_of(&self, ix: TaskIx) -> &PlannedPhase {
        &self.parts.phases[self.group_of(ix).phase as usize]
    }

    /// Place of the phase of a task.
    pub fn phase_ix(&self, ix: TaskIx) -> usize {
        self.group_of(ix).phase as usize
    }

    /// The node that opens when a phase and its checkpoint have passed.
    pub(crate) fn phase_end(&self, phase: u32) -> petgraph::graph::NodeIndex {
        let before = self.parts.tasks.len() + 2 * self.parts.groups.len();
        petgraph::graph::NodeIndex::new(before + 3 * phase as usize + 2)
    }

    /// The place of a task by its id.
    pub fn find(&self, id: &TaskId) -> Option<TaskIx> {
        self.index.get(id).copied()
    }

    /// The graph: tasks, and the gates of their groups and phases.
    pub fn graph(&self) -> &DiGraph<Node, Edge, u32> {
        &self.graph
    }
}

/// Two plans are the same when all they are made of is.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

impl Serialize for Plan {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.parts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(PlanParts::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
