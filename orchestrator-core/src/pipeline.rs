//! Pipelines: what the user wants done. Values, with no environment in them; from a file or built in Rust.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::BoxError;
use crate::agent::Agent;
use crate::id::{AgentName, GroupName, PhaseName, TaskId};
use crate::json::Json;

/// Ordered phases, groups and their settings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pipeline {
    /// Name; that of the project by default.
    pub name: Option<String>,
    /// The `settings:` of the file: one layer of several.
    pub settings: Value,
    /// In the order of the file.
    pub phases: Vec<PhaseSpec>,
    /// Path of the file it came from, for messages.
    pub file: Option<String>,
    /// Whether the file is a roadmap, for messages.
    pub roadmap: bool,
}

/// A place in a pipeline file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// From 1.
    pub line: u32,
    /// From 1.
    pub column: u32,
}

/// A stage of delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseSpec {
    /// Its name.
    pub name: PhaseName,
    /// What people read.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Phases that must have passed; by default the one before.
    pub depends_on: Option<Vec<PhaseName>>,
    /// Phases that may run at the same time.
    pub parallel_with: Vec<PhaseName>,
    /// Its groups.
    pub groups: Vec<GroupSpec>,
    /// Validations after it.
    pub checkpoint: Option<Checkpoint>,
    /// A registered phase that drafts the groups for this project.
    pub uses: Option<String>,
    /// What the draft is given.
    pub with: Value,
    /// Where it stands.
    pub place: Option<Place>,
}

/// Validations after a phase; what depends on the phase waits until they hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Its name.
    pub name: String,
    /// One task each.
    pub validations: Vec<TaskSpec>,
}

/// How the tasks of a group follow each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// As their needs allow.
    #[default]
    Parallel,
    /// One after the other, in order.
    Sequential,
}

/// Tasks that share a limit, an order and a failure rule.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSpec {
    /// Its name.
    pub name: GroupName,
    /// What people read.
    pub title: Option<String>,
    /// How its tasks follow each other.
    pub execution: Execution,
    /// Whether a failed task keeps the others of the group from starting; the settings' by default.
    pub fail_fast: Option<bool>,
    /// The most tasks of it at once.
    pub max_parallel: Option<u32>,
    /// Groups that must have passed: of the same phase, or `phase/group`.
    pub depends_on: Vec<String>,
    /// Its tasks.
    pub tasks: Vec<TaskSpec>,
    /// Where it stands.
    pub place: Option<Place>,
}

/// When a task runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub enum When {
    /// When all that it needs has passed.
    #[default]
    Needed,
    /// Whatever happened before.
    Always,
    /// When that task passed.
    Passed(TaskId),
    /// When that task failed.
    Failed(TaskId),
    /// When that phase passed, its checkpoint included.
    PhasePassed(PhaseName),
    /// When a task of that phase failed, once all of it has ended.
    PhaseFailed(PhaseName),
}

/// What starts first when not all can.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Last.
    Low,
    /// As declared.
    #[default]
    Medium,
    /// Before most.
    High,
    /// Before all.
    Critical,
}

/// What kind of work a task is: what fast runs leave out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Looks at the sources only.
    Static,
    /// Runs tests.
    Test,
    /// A full gate.
    Gate,
    /// Anything else.
    #[default]
    Other,
}

/// How often and how soon a failed task is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retry {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Before the second attempt; doubles from then on, with jitter, up to five minutes.
    pub delay: Duration,
    /// Whether the pipeline said so; an explicit retry covers any failed command.
    pub explicit: bool,
}

/// What a task weighs against the machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// Thousandths of a processor.
    pub cpu_milli: u32,
    /// Bytes of memory.
    pub memory: u64,
}

/// What the reuse of a task's result depends on besides its files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default)]
pub struct Reuse {
    /// Never reused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub off: bool,
    /// Environment variables that count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    /// Tools whose versions count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// How long a result may be reused at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Duration>,
}

impl Reuse {
    pub(crate) fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// One use of an agent. A template; has no state.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSpec {
    /// Unique in the pipeline.
    pub id: TaskId,
    /// Which agent.
    pub agent: AgentName,
    /// The agent's config.
    pub with: Value,
    /// Tasks that must have passed.
    pub needs: Vec<TaskId>,
    /// When it runs.
    pub when: When,
    /// How long an attempt may take; the settings' by default.
    pub timeout: Option<Duration>,
    /// How often it is tried; the settings' by default.
    pub retry: Option<Retry>,
    /// A failure does not fail its phase.
    pub continue_on_error: bool,
    /// What starts first.
    pub priority: Priority,
    /// For `--tag`.
    pub tags: Vec<String>,
    /// What kind of work.
    pub kind: Kind,
    /// What it weighs.
    pub resources: Resources,
    /// Files that it reads (globs).
    pub inputs: Vec<String>,
    /// Files that it makes (paths or globs).
    pub outputs: Vec<String>,
    /// What its reuse depends on besides.
    pub reuse: Reuse,
    /// Where it passed in an earlier run with the same config, it is not done again.
    pub once: bool,
    /// What it is for.
    pub description: Option<String>,
    /// Where it stands.
    pub place: Option<Place>,
    /// Where the parts of its config stand, by their way in the file: `with/tag`, `run/0`.
    pub places: BTreeMap<String, Place>,
}

impl Pipeline {
    /// An empty pipeline.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Whether its plan depends on what passed in earlier runs, whatever is selected.
    pub fn looks_back(&self) -> bool {
        let mut groups = self.phases.iter().flat_map(|phase| &phase.groups);
        groups.any(|group| group.tasks.iter().any(|task| task.once))
    }

    /// Adds a phase at the end.
    #[must_use]
    pub fn phase(mut self, phase: PhaseSpec) -> Self {
        self.phases.push(phase);
        self
    }
}

impl PhaseSpec {
    /// An empty phase that waits for the one before it.
    pub fn new(name: PhaseName) -> Self {
        Self {
            name,
            title: None,
            description: None,
            depends_on: None,
            parallel_with: Vec::new(),
            groups: Vec::new(),
            checkpoint: None,
            uses: None,
            with: Value::Null,
            place: None,
        }
    }

    /// Adds a group at the end.
    #[must_use]
    pub fn group(mut self, group: GroupSpec) -> Self {
        self.groups.push(group);
        self
    }
}

impl GroupSpec {
    /// An empty parallel group.
    pub fn new(name: GroupName) -> Self {
        Self {
            name,
            title: None,
            execution: Execution::Parallel,
            fail_fast: None,
            max_parallel: None,
            depends_on: Vec::new(),
            tasks: Vec::new(),
            place: None,
        }
    }

    /// Its tasks run one after the other.
    #[must_use]
    pub fn sequential(mut self) -> Self {
        self.execution = Execution::Sequential;
        self
    }

    /// Adds a task at the end.
    #[must_use]
    pub fn task(mut self, task: TaskSpec) -> Self {
        self.tasks.push(task);
        self
    }
}

impl TaskSpec {
    /// A task by the agent's name.
    pub fn new(id: TaskId, agent: AgentName, with: Value) -> Self {
        Self {
            id,
            agent,
            with,
            needs: Vec::new(),
            when: When::Needed,
            timeout: None,
            retry: None,
            continue_on_error: false,
            priority: Priority::Medium,
            tags: Vec::new(),
            kind: Kind::Other,
            resources: Resources::default(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            reuse: Reuse::default(),
            once: false,
            description: None,
            place: None,
            places: BTreeMap::new(),
        }
    }

    /// A task of a known agent, its config checked by the compiler.
    pub fn of<A: Agent>(id: &str, config: &A::Config) -> Result<Self, BoxError> {
        Ok(Self::new(TaskId::new(id)?, AgentName::new(A::NAME)?, serde_json::to_value(config)?))
    }

    /// Tasks that must have passed.
    #[must_use]
    pub fn needs(mut self, needs: impl IntoIterator<Item = TaskId>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// When it runs.
    #[must_use]
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    /// What it is for.
    #[must_use]
    pub fn describe(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// What kind of work.
    #[must_use]
    pub fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// How long an attempt may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How often it is tried.
    #[must_use]
    pub fn retry(mut self, attempts: u32, delay: Duration) -> Self {
        self.retry = Some(Retry { attempts, delay, explicit: true });
        self
    }

    /// A value that another task's config can take from this one's output.
    pub fn output<T>(&self, field: &str) -> crate::input::Input<T> {
        let field = field.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        crate::input::Input::From(crate::input::Reference { task: self.id.clone(), field })
    }

    /// Its config as text.
    pub fn config(&self) -> Json {
        self.with.clone().into()
    }
}

impl When {
    /// Reads `always`, `passed(TASK)`, `failed(TASK)`, `passed(phase NAME)`, `failed(phase NAME)`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "always" {
            return Ok(Self::Always);
        }
        let of =
            |name: &str| text.strip_prefix(name)?.trim().strip_prefix('(')?.strip_suffix(')').map(str::trim);
        let id = |name: &str| TaskId::new(name).map_err(|error| error.to_string());
        let phase = |what: &str| {
            let name = what.strip_prefix("phase")?.strip_prefix(char::is_whitespace)?.trim();
            Some(PhaseName::new(name).map_err(|error| error.to_string()))
        };
        match (of("passed"), of("failed")) {
            (Some(what), _) => match phase(what) {
                Some(name) => Ok(Self::PhasePassed(name?)),
                None => Ok(Self::Passed(id(what)?)),
            },
            (None, Some(what)) => match phase(what) {
                Some(name) => Ok(Self::PhaseFailed(name?)),
                None => Ok(Self::Failed(id(what)?)),
            },
            (None, None) => Err(format!(
                "`{text}` is not a condition; known: `always`, `passed(TASK)`, `failed(TASK)`, `passed(phase NAME)`, \
                 `failed(phase NAME)`"
            )),
        }
    }

    /// The task whose outcome decides.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::Needed | Self::Always | Self::PhasePassed(_) | Self::PhaseFailed(_) => None,
            Self::Passed(task) | Self::Failed(task) => Some(task),
        }
    }

    /// The phase whose end decides.
    pub fn phase(&self) -> Option<&PhaseName> {
        match self {
            Self::Needed | Self::Always | Self::Passed(_) | Self::Failed(_) => None,
            Self::PhasePassed(phase) | Self::PhaseFailed(phase) => Some(phase),
        }
    }

    /// Whether it also holds where something before it did not pass.
    pub fn insists(&self) -> bool {
        matches!(self, Self::Always | Self::Failed(_) | Self::PhaseFailed(_))
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needed => f.write_str("needed"),
            Self::Always => f.write_str("always"),
            Self::Passed(task) => write!(f, "passed({task})"),
            Self::Failed(task) => write!(f, "failed({task})"),
            Self::PhasePassed(phase) => write!(f, "passed(phase {phase})"),
            Self::PhaseFailed(phase) => write!(f, "failed(phase {phase})"),
        }
    }
}

impl Serialize for When {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "needed" { Ok(Self::Needed) } else { Self::parse(&text).map_err(serde::de::Error::custom) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        assert_eq!(When::parse("always"), Ok(When::Always));
        assert_eq!(When::parse("failed( a.b )"), Ok(When::Failed(TaskId::new("a.b").unwrap())));
        let phase = PhaseName::new("phase_1").unwrap();
        assert_eq!(When::parse("passed( phase  phase_1 )"), Ok(When::PhasePassed(phase.clone())));
        assert_eq!(When::parse("failed(phase phase_1)"), Ok(When::PhaseFailed(phase)));
        assert_eq!(When::parse("failed(phase)"), Ok(When::Failed(TaskId::new("phase").unwrap())));
        for text in ["always", "passed(a)", "failed(a)", "passed(phase a)", "failed(phase a)"] {
            assert_eq!(When::parse(text).unwrap().to_string(), text);
        }
        for bad in [
            "",
            "never",
            "passed",
            "passed()",
            "passed(a",
            "failed(a b)",
            "passed(phase A)",
            "failed(phase a b)",
        ] {
            assert!(When::parse(bad).is_err(), "{bad}");
        }
    }
}
