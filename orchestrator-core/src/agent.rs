//! Agents: one kind of work each. They decide what to do and never do it.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::{JsonSchema, Schema};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::BoxError;
use crate::action::Action;
use crate::evidence::{Finding, Metric};
use crate::id::{AgentName, GroupName, NameError, PhaseName, TaskId};
use crate::json::Json;
use crate::operation::DynOperation;
use crate::order::{Artifacts, Receipt};
use crate::path::RelPath;
use crate::workspace::Workspace;

/// One kind of work. Decides what to do; never does it.
pub trait Agent: Send + Sync + 'static {
    /// As pipelines name it: `cargo-test`.
    const NAME: &'static str;
    /// One sentence for `orchestrate agents`.
    const ABOUT: &'static str = "";
    /// To be raised when the same receipts mean something else, or the same config plans something else: results of other
    /// versions are not reused.
    const VERSION: &'static str = "1";
    /// Whether planning computes for long, as reading code does: it then has a thread of its own, beside other tasks.
    const PLANS_LONG: bool = false;
    /// What a pipeline gives it; checked when the plan is made.
    type Config: Serialize + DeserializeOwned + JsonSchema + Send + Sync;
    /// What later tasks may take as `Input`.
    type Output: Serialize + DeserializeOwned + JsonSchema + Send + 'static;

    /// What was seen that `conclude` must know, since it cannot look: a tool's version, the files that stay as they are.
    /// Asked once, before the first `plan`, and handed to it and to `conclude` as `Task::carried`. Default: nothing.
    fn survey(
        &self,
        _task: &Task<Self::Config>,
        _look: &Workspace,
    ) -> impl Future<Output = Result<Json, BoxError>> + Send {
        async { Ok(Json::null()) }
    }

    /// The actions to perform, in order. May look at the workspace; must not change it.
    fn plan(
        &self,
        task: &Task<Self::Config>,
        look: &Workspace,
    ) -> impl Future<Output = Result<Vec<Action>, BoxError>> + Send;

    /// What was seen and the actions, where one look gives both: then it is asked instead of `survey` and `plan`, which
    /// must say the same. Default: it is not.
    fn prepare(
        &self,
        _task: &Task<Self::Config>,
        _look: &Workspace,
    ) -> impl Future<Output = Result<Option<(Json, Vec<Action>)>, BoxError>> + Send {
        async { Ok(None) }
    }

    /// What the receipts of the last round mean. Pure: same receipts and artifacts, same verdict.
    /// There may be fewer receipts than actions: performing stops at the first that fails.
    fn conclude(
        &self,
        task: &Task<Self::Config>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<Self::Output>, BoxError>;

    /// What follows the round that `carried` is of, where that is withheld: actions of later rounds, in their order, as far as they are known
    /// before. They are shown, and performed only when a later round has them. Pure. Default: nothing.
    fn foreseen(&self, _task: &Task<Self::Config>) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }

    /// All that the result depends on, if it may be reused. Default: never reused.
    fn depends_on(&self, _task: &Task<Self::Config>) -> Option<Dependencies> {
        None
    }

    /// Files that it may write, as far as its config names them. Tasks that touch the same file run one after the other, in
    /// the order of the plan: each sees what the one before made of it. Default: none.
    fn touches(&self, _config: &Self::Config) -> Vec<RelPath> {
        Vec::new()
    }

    /// The operations that its actions call; registered with it.
    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(Vec::new())
    }
}

/// One use of an agent, as the agent sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task<C> {
    /// Its id.
    pub id: TaskId,
    /// The phase that it belongs to.
    pub phase: PhaseName,
    /// The group that it belongs to.
    pub group: GroupName,
    /// Its config, references replaced.
    pub config: C,
    /// What the last `Verdict::More` carried; in the first round what `Agent::survey` gave, and `null` before it.
    pub carried: Json,
}

/// What an agent concludes.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict<O> {
    /// It did what it was to do.
    Passed(Conclusion<O>),
    /// It did not; there may be findings all the same.
    Failed(Conclusion<()>),
    /// A person said that it is to be left out. What needs it goes on; nobody takes an output of it; it is no success, and
    /// in a checkpoint it is a failure.
    Skipped(Conclusion<()>),
    /// It needs another round.
    More {
        /// What to perform next.
        actions: Vec<Action>,
        /// What to hand to the next `conclude`.
        carried: Json,
    },
}

/// What is known at the end of a task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Conclusion<O> {
    /// What later tasks may take.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub output: Option<O>,
    /// One line for people: what was done, or why it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    /// Measured values.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Located remarks.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl<O> Conclusion<O> {
    /// A conclusion with an output.
    pub fn new(summary: impl Into<String>, output: O) -> Self {
        Self { output: Some(output), summary: summary.into(), metrics: Vec::new(), findings: Vec::new() }
    }

    /// Adds measured values.
    #[must_use]
    pub fn metrics(mut self, metrics: impl IntoIterator<Item = Metric>) -> Self {
        self.metrics.extend(metrics);
        self
    }

    /// Adds remarks.
    #[must_use]
    pub fn findings(mut self, findings: impl IntoIterator<Item = Finding>) -> Self {
        self.findings.extend(findings);
        self
    }
}

impl<O> Verdict<O> {
    /// Passed, with a line for people and an output.
    pub fn passed(summary: impl Into<String>, output: O) -> Self {
        Self::Passed(Conclusion::new(summary, output))
    }

    /// Failed, with a line for people that says why.
    pub fn failed(summary: impl Into<String>) -> Self {
        Self::Failed(Conclusion::new(summary, ()))
    }

    /// Left out by a person, with a line for people that says by whom.
    pub fn skipped(summary: impl Into<String>) -> Self {
        Self::Skipped(Conclusion::new(summary, ()))
    }
}

/// All that the result of a task depends on, besides agent, version, config and the toolchain's environment variables.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependencies {
    /// Files: paths, folders (all below counts), globs; `!` in front leaves out. Globs pass over what git ignores, unless
    /// their fixed part lies in an ignored folder.
    pub files: Vec<String>,
    /// Names of environment variables.
    pub env: Vec<String>,
    /// Names of tools; their versions count.
    pub tools: Vec<String>,
    /// What kind of fact outside the tree the result is as well; none where it depends on the above alone.
    pub fact: Option<Fact>,
}

/// Kinds of facts that may change without a change in the tree; each is believed for as long as the settings say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The version of a compiler or interpreter.
    Toolchain,
    /// The version of a package manager.
    PackageManager,
    /// A lockfile in sync with its manifest.
    Lockfile,
    /// Synced dependencies.
    Dependencies,
    /// A healthy virtual environment.
    VirtualEnvironment,
    /// The result of a quality check.
    Quality,
    /// The set-up of the machine.
    Platform,
}

/// The same, object-safe over JSON values: what the registry holds.
#[async_trait]
pub trait DynAgent: Send + Sync {
    /// As pipelines name it.
    fn name(&self) -> &AgentName;
    /// One sentence.
    fn about(&self) -> &str;
    /// See [`Agent::VERSION`].
    fn version(&self) -> &str;
    /// Checks a config with references in it; the error names the way to what is wrong.
    fn check(&self, config: &Json) -> Result<(), ConfigError>;
    /// Schema of its config.
    fn config_schema(&self) -> Schema;
    /// Schema of its output.
    fn output_schema(&self) -> Schema;
    /// See [`Agent::survey`].
    async fn survey(&self, _task: &Task<Json>, _look: &Workspace) -> Result<Json, BoxError> {
        Ok(Json::null())
    }
    /// See [`Agent::plan`].
    async fn plan(&self, task: &Task<Json>, look: &Workspace) -> Result<Vec<Action>, BoxError>;
    /// What was seen and the first actions: see [`Agent::prepare`].
    async fn prepare(&self, task: &Task<Json>, look: &Workspace) -> Result<(Json, Vec<Action>), BoxError> {
        let seen = self.survey(task, look).await?;
        let task = Task { carried: seen.clone(), ..task.clone() };
        Ok((seen, self.plan(&task, look).await?))
    }
    /// See [`Agent::PLANS_LONG`].
    fn plans_long(&self) -> bool {
        false
    }
    /// See [`Agent::conclude`].
    fn conclude(
        &self,
        task: &Task<Json>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<Json>, BoxError>;
    /// See [`Agent::foreseen`].
    fn foreseen(&self, _task: &Task<Json>) -> Result<Vec<Action>, BoxError> {
        Ok(Vec::new())
    }
    /// See [`Agent::depends_on`].
    fn depends_on(&self, task: &Task<Json>) -> Option<Dependencies>;
    /// See [`Agent::touches`]. A config with references in it may say less.
    fn touches(&self, _config: &Json) -> Vec<RelPath> {
        Vec::new()
    }
    /// See [`Agent::operations`].
    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError>;
}

/// A config that an agent does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConfigError {
    /// The way to what is wrong: keys and indices.
    pub way: Vec<String>,
    /// What is wrong.
    pub message: String,
}

/// The adapter from typed to object-safe.
struct Typed<A> {
    name: AgentName,
    agent: A,
    kind: PhantomData<fn() -> A>,
}

/// Makes an agent object-safe. Fails where its `NAME` is not a valid name.
pub fn dyn_agent<A: Agent>(agent: A) -> Result<Arc<dyn DynAgent>, NameError> {
    Ok(Arc::new(Typed { name: AgentName::new(A::NAME)?, agent, kind: PhantomData }))
}

fn typed<C: DeserializeOwned>(task: &Task<Json>) -> Result<Task<C>, BoxError> {
    let Task { id, phase, group, config, carried } = task;
    let config = decode(config)?;
    Ok(Task { id: id.clone(), phase: phase.clone(), group: group.clone(), config, carried: carried.clone() })
}

fn decode<C: DeserializeOwned>(config: &Json) -> Result<C, ConfigError> {
    let mut json = serde_json::Deserializer::from_str(config.text());
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let way = error
            .path()
            .iter()
            .filter_map(|segment| match segment {
                serde_path_to_error::Segment::Seq { index } => Some(index.to_string()),
                serde_path_to_error::Segment::Map { key } => Some(key.clone()),
                _ => None,
            })
            .collect();
        let message = error.into_inner().to_string();
        // The place in the compact JSON text says nothing to people.
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        ConfigError { way, message }
    })
}

#[async_trait]
impl<A: Agent> DynAgent for Typed<A> {
    fn name(&self) -> &AgentName {
        &self.name
    }

    fn about(&self) -> &str {
        A::ABOUT
    }

    fn version(&self) -> &str {
        A::VERSION
    }

    fn check(&self, config: &Json) -> Result<(), ConfigError> {
        let Err(error) = decode::<A::Config>(config) else { return Ok(()) };
        // A reference may stand where the type wants a value: when the agent sees the config, it is one. Whether its type
        // fits is the planner's to check.
        let value = config.value();
        let references = crate::input::references(&value);
        let mut first = None;
        for stand_in in [serde_json::json!("x"), serde_json::json!(1), serde_json::json!(true)] {
            let mut filled = value.clone();
            let resolved = crate::input::resolve(&mut filled, &mut |_| Some(stand_in.clone()));
            match decode::<A::Config>(&filled.into()) {
                Ok(_) if resolved.is_ok() => return Ok(()),
                Ok(_) => {}
                Err(other) => drop(first.get_or_insert(other)),
            }
        }
        // What is wrong elsewhere is said in its own words; a reference that does not fit, in those of the reference.
        let elsewhere = first.filter(|other| !references.iter().any(|(way, _)| other.way.starts_with(way)));
        Err(elsewhere.unwrap_or(error))
    }

    fn config_schema(&self) -> Schema {
        schemars::schema_for!(A::Config)
    }

    fn output_schema(&self) -> Schema {
        schemars::schema_for!(A::Output)
    }

    async fn survey(&self, task: &Task<Json>, look: &Workspace) -> Result<Json, BoxError> {
        self.agent.survey(&typed(task)?, look).await
    }

    async fn plan(&self, task: &Task<Json>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        self.agent.plan(&typed(task)?, look).await
    }

    async fn prepare(&self, task: &Task<Json>, look: &Workspace) -> Result<(Json, Vec<Action>), BoxError> {
        let mut task: Task<A::Config> = typed(task)?;
        if let Some(both) = self.agent.prepare(&task, look).await? {
            return Ok(both);
        }
        task.carried = self.agent.survey(&task, look).await?;
        Ok((task.carried.clone(), self.agent.plan(&task, look).await?))
    }

    fn plans_long(&self) -> bool {
        A::PLANS_LONG
    }

    fn conclude(
        &self,
        task: &Task<Json>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<Json>, BoxError> {
        Ok(match self.agent.conclude(&typed(task)?, receipts, artifacts)? {
            Verdict::Passed(Conclusion { output, summary, metrics, findings }) => {
                // `null` is no output: in a journal the two are the same.
                let output =
                    output.map(|output| Json::of(&output)).transpose()?.filter(|output| !output.is_null());
                Verdict::Passed(Conclusion { output, summary, metrics, findings })
            }
            Verdict::Failed(conclusion) => Verdict::Failed(conclusion),
            Verdict::Skipped(conclusion) => Verdict::Skipped(conclusion),
            Verdict::More { actions, carried } => Verdict::More { actions, carried },
        })
    }

    fn foreseen(&self, task: &Task<Json>) -> Result<Vec<Action>, BoxError> {
        self.agent.foreseen(&typed(task)?)
    }

    fn depends_on(&self, task: &Task<Json>) -> Option<Dependencies> {
        self.agent.depends_on(&typed(task).ok()?)
    }

    fn touches(&self, config: &Json) -> Vec<RelPath> {
        decode(config).map(|config| self.agent.touches(&config)).unwrap_or_default()
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        self.agent.operations()
    }
}

/// Agents by name.
pub type Agents = BTreeMap<AgentName, Arc<dyn DynAgent>>;
