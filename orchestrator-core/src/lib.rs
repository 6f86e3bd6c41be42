//! Takes a repository through its delivery: plans, runs, journals, resumes and rolls back.
//!
//! 1. A [`Pipeline`] is a list of phases; a [`Phase`] drafts tasks for a project; a [`Plan`] is their checked graph.
//! 2. An [`Agent`] decides, it never acts: it returns [`Action`]s, which are data, and later says what their [`Receipt`]s
//!    mean.
//! 3. Only an [`Executor`] touches the world: an [`Order`] in, a [`Receipt`] out, both serializable.
//! 4. Every fact of a run is an [`Event`], stored before anything relies on it; the state of a run ([`RunState`]) is a
//!    fold over its events and nothing else.
//! 5. Every action has an [`Effect`], `Reads < Writes < Publishes`; a run has a ceiling, and a dry run is a run with the
//!    ceiling `Reads`.
//!
//! So a dry run shows the very actions that the real run performs; a killed run is resumed from its journal and repeats no
//! finished action; and what can be undone is undone from the journal.
//!
//! This crate knows no agent, no report and no terminal. Agents are registered by whoever embeds it: its own, those of
//! `orchestrator-agents`, or both.
//!
//! # Embed it
//!
//! A dry run, then the real one, with an agent that writes one file:
//!
//! ```
//! use orchestrator_core::id::{GroupName, PhaseName};
//! use orchestrator_core::{
//!     Action, Agent, Artifacts, BoxError, Content, Effect, Expects, GroupSpec, Local, MemoryStore, Orchestrator,
//!     PhaseSpec, Pipeline, Receipt, RelPath, RunOutcome, RunStatus, Task, TaskSpec, Verdict, Workspace, Write,
//! };
//!
//! /// Writes a greeting; its config is a name.
//! struct Greet;
//!
//! impl Agent for Greet {
//!     const NAME: &'static str = "greet";
//!     type Config = String;
//!     type Output = ();
//!
//!     async fn plan(&self, task: &Task<String>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
//!         let path = RelPath::new("greeting.txt")?;
//!         let text = format!("Hello, {}!\n", task.config);
//!         let expects = Expects::exactly(look.read(&path)?.as_deref()); // else it conflicts and touches nothing
//!         Ok(vec![Write { path, content: Content::new(text), mode: None, expects }.into()])
//!     }
//!
//!     fn conclude(&self, task: &Task<String>, _: &[Receipt], _: &Artifacts<'_>) -> Result<Verdict<()>, BoxError> {
//!         Ok(Verdict::passed(format!("{} was greeted", task.config), ()))
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), BoxError> {
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path();
//! let orchestrator = Orchestrator::new(Local::new(root), MemoryStore::new()).agent(Greet);
//!
//! let group = GroupSpec::new(GroupName::new("greetings")?).task(TaskSpec::of::<Greet>("ada", &"Ada".to_owned())?);
//! let pipeline = Pipeline::new("hello").phase(PhaseSpec::new(PhaseName::new("greet")?).group(group));
//! let plan = orchestrator.plan(&pipeline)?; // every problem, now, all at once
//!
//! let dry = orchestrator.run(&plan, Effect::Reads).await?;
//! assert_eq!(dry.withheld().to_string(), "ada:\n  write greeting.txt (12 bytes, replaces no file) [writes]\n");
//! assert!(!root.join("greeting.txt").exists());
//!
//! let run = orchestrator.run(&plan, Effect::Writes).await?;
//! assert_eq!(run.state.status(), RunStatus::Finished(RunOutcome::Passed));
//! assert_eq!(std::fs::read_to_string(root.join("greeting.txt"))?, "Hello, Ada!\n");
//! # Ok(())
//! # }
//! ```
//!
//! [`JsonlStore`] instead of [`MemoryStore`] keeps journals on disk, so that runs outlive the process: see
//! [`Orchestrator::resume`] and [`Orchestrator::rollback`]. Pipelines come from files with [`Pipeline::from_file`].
//!
//! # Write an agent
//!
//! `plan` looks and returns actions; `conclude` is pure and reads receipts. What a dry run may perform says
//! [`Effect::Reads`]. A figure names its [`Evidence`], and what goes to later tasks is the typed `Output`:
//!
//! ```
//! use orchestrator_core::id::{GroupName, PhaseName};
//! use orchestrator_core::{
//!     Action, Agent, Artifacts, BoxError, Conclusion, Effect, Evidence, GroupSpec, Input, Local, MemoryStore, Metric,
//!     Orchestrator, Outcome, PhaseSpec, Pipeline, Receipt, RelPath, Run, Task, TaskSpec, Verdict, Workspace,
//! };
//! use schemars::JsonSchema;
//! use serde::{Deserialize, Serialize};
//!
//! /// Counts the lines of a file with `wc`.
//! struct CountLines;
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Config {
//!     file: Input<RelPath>, // given, or `{from: TASK/field}`
//! }
//!
//! #[derive(Serialize, Deserialize, JsonSchema)]
//! struct Lines {
//!     lines: u32,
//! }
//!
//! impl Agent for CountLines {
//!     const NAME: &'static str = "count-lines";
//!     const ABOUT: &'static str = "Counts the lines of a file";
//!     type Config = Config;
//!     type Output = Lines;
//!
//!     async fn plan(&self, task: &Task<Config>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
//!         let file = task.config.file.value()?;
//!         if !look.exists(file) {
//!             return Err(format!("there is no file `{file}`").into());
//!         }
//!         Ok(vec![Run::new(Effect::Reads, ["wc", "-l", file.as_str()]).into()])
//!     }
//!
//!     fn conclude(
//!         &self,
//!         _: &Task<Config>,
//!         receipts: &[Receipt],
//!         artifacts: &Artifacts<'_>,
//!     ) -> Result<Verdict<Lines>, BoxError> {
//!         let [wc] = receipts else { return Err("one command was planned".into()) };
//!         if !wc.ok() {
//!             return Ok(Verdict::failed(format!("`wc` failed: {}", wc.status)));
//!         }
//!         let printed = artifacts.text(wc.stdout.as_ref())?;
//!         let lines = printed.split_whitespace().next().unwrap_or_default().parse()?;
//!         let evidence = Evidence::of("wc").command("wc -l").artifact(wc.stdout.as_ref());
//!         let metric = Metric::new("lines", f64::from(lines), "count", evidence);
//!         Ok(Verdict::Passed(Conclusion::new(format!("{lines} lines"), Lines { lines }).metrics([metric])))
//!     }
//! }
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), BoxError> {
//! # let folder = tempfile::tempdir()?;
//! # let root = folder.path();
//! std::fs::write(root.join("a.txt"), "one\ntwo\n")?;
//! let local = Local::new(root).environment_of(std::env::vars_os()); // commands get an allow-list, `PATH` in it
//! let orchestrator = Orchestrator::new(local, MemoryStore::new()).agent(CountLines);
//! let config = Config { file: RelPath::new("a.txt")?.into() };
//! let group = GroupSpec::new(GroupName::new("count")?).task(TaskSpec::of::<CountLines>("lines", &config)?);
//! let pipeline = Pipeline::new("counting").phase(PhaseSpec::new(PhaseName::new("count")?).group(group));
//! let run = orchestrator.run(&orchestrator.plan(&pipeline)?, Effect::Reads).await?;
//! let task = &run.state.tasks()[0];
//! assert_eq!(task.outcome(), Some(Outcome::Passed));
//! assert_eq!(task.output().unwrap().value(), serde_json::json!({ "lines": 2 }));
//! # Ok(())
//! # }
//! ```
//!
//! Work that is Rust code and not a command is an [`Operation`]; [`Registry::operation`](registry::Registry::operation)
//! makes a task of it without an agent.

pub mod action;
pub mod agent;
mod aside;
pub mod baseline;
#[cfg(feature = "testkit")]
#[doc(hidden)]
pub mod bench;
pub mod cache;
mod clock;
pub mod detect;
pub mod effect;
pub mod event;
pub mod evidence;
pub mod executor;
pub mod file;
pub mod fingerprint;
pub mod graph;
pub mod id;
pub mod input;
mod inventory;
mod job;
pub mod json;
pub mod layout;
pub mod local;
pub mod lock;
pub mod observer;
pub mod operation;
pub mod orchestrator;
pub mod order;
pub mod outcome;
pub mod path;
pub mod patterns;
pub mod perform;
pub mod phase;
pub mod pipeline;
pub mod plan;
pub mod planner;
pub mod preview;
pub mod problem;
pub mod progress;
pub mod project;
pub mod prune;
pub mod registry;
pub mod report;
pub mod retry;
mod reuse;
pub mod run_log;
mod runner;
pub mod scheduler;
pub mod settings;
pub mod state;
pub mod stop;
pub mod store;
#[cfg(feature = "testkit")]
pub mod testkit;
mod tree;
pub mod units;
mod watch;
pub mod workspace;

/// An error of code that plugs in.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

pub use action::{Action, Await, Call, Content, Expects, Remove, Run, Write};
pub use agent::{Agent, Conclusion, Task, Verdict};
pub use effect::Effect;
pub use event::{Event, Record, RunOutcome};
pub use evidence::{Evidence, Finding, Metric, Severity};
pub use executor::Executor;
pub use id::{RunId, TaskId};
pub use input::Input;
pub use local::Local;
pub use observer::Observer;
pub use operation::{Operation, SecretSource};
pub use orchestrator::{Orchestrator, OrchestratorError, RunOptions};
pub use order::{Artifacts, Order, Receipt, Signal};
pub use outcome::Outcome;
pub use path::RelPath;
pub use phase::{Draft, Phase};
pub use pipeline::{GroupSpec, PhaseSpec, Pipeline, TaskSpec};
pub use plan::Plan;
pub use project::Project;
pub use registry::Registry;
pub use report::{Report, ReportGenerator, RunRecord};
pub use settings::Settings;
pub use state::{RunState, RunStatus};
pub use stop::Stop;
pub use store::{JsonlStore, MemoryStore, Store};
pub use workspace::Workspace;
