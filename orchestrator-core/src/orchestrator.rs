//! The facade: plan, run, resume, status, signal, cancel, roll back. Servers and command lines need no other door.

mod affected;
mod earlier;
mod housekeep;
mod reusing;
mod rollback;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::agent::{Agent, DynAgent};
use crate::cache::Cache;
use crate::effect::Effect;
use crate::event::{JOURNAL_VERSION, Process, RunStarted};
use crate::executor::{Executor, Survivor};
use crate::id::{NameError, RunId, TaskId};
use crate::lock::{Lock, LockError, Owner};
use crate::observer::Observer;
use crate::order::Signal;
use crate::pipeline::Pipeline;
use crate::plan::Plan;
use crate::planner::{Earlier, Nothing, Planner, Selector};
use crate::problem::{Problem, Problems};
use crate::project::Project;
use crate::registry::Registry;
use crate::report::RunRecord;
use crate::runner::Runner;
use crate::settings::Settings;
use crate::state::{ApplyError, RunState, RunStatus};
use crate::stop::Stop;
use crate::store::{Journal, Store, StoreError};
use crate::tree::Tree;
use crate::watch::{ReadOn, Watch};
use crate::workspace::Workspace;

pub use crate::job::Assume;
pub use crate::reuse::{ReuseMode, Why};
pub use crate::runner::RunError;
pub use rollback::{Irreversible, Rollback};
pub(crate) use rollback::{may_have_changed, reverses};

/// Takes a repository through its delivery life.
pub struct Orchestrator {
    executor: Arc<dyn Executor>,
    store: Arc<dyn Store>,
    registry: Registry,
    settings: Option<Settings>,
    cache: Option<Arc<Cache>>,
    observers: Mutex<Vec<Box<dyn Observer>>>,
}

/// How a run is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// How far it may reach; `Reads` makes it a dry run.
    pub ceiling: Effect,
    /// Asks it to stop.
    pub stop: Stop,
    /// Wait for the checkout when another run holds it; else that is an error.
    pub wait: bool,
    /// Whether results of earlier runs are reused; only where the orchestrator has a cache.
    pub reuse: ReuseMode,
    /// The run that it belongs to or follows.
    pub parent: Option<RunId>,
    /// What people said of tasks whose fate is not known; only for a resume.
    pub assume: BTreeMap<TaskId, Assume>,
}

impl RunOptions {
    /// A run that may reach so far, and that nobody stops.
    pub fn new(ceiling: Effect) -> Self {
        let (stop, reuse, assume) = (Stop::new(), ReuseMode::On, BTreeMap::new());
        Self { ceiling, stop, wait: false, reuse, parent: None, assume }
    }
}

/// The orchestrator could not do what it was asked to. A task that fails is no such error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrchestratorError {
    /// The pipeline makes no plan.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// Another run holds the checkout.
    #[error(transparent)]
    Locked(#[from] LockError),
    /// The run broke off.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The store could not do its work.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run is over; there is nothing to resume.
    #[error("run `{0}` is over; `run --failed {0}` runs again what failed in it")]
    Over(RunId),
    /// A journal makes no sense.
    #[error("the journal of run `{run}` makes no sense")]
    Journal {
        /// Which run.
        run: RunId,
        /// Which record.
        source: ApplyError,
    },
    /// A plan makes no sense.
    #[error("the plan of run `{run}` makes no sense")]
    Plan {
        /// Which run.
        run: RunId,
        /// Why.
        source: serde_json::Error,
    },
    /// The disk has no room for a run that writes. Nothing was started.
    #[error(
        "only {} are free on the disk of `{}`, and {} are wanted before anything is written (`settings.min_free_disk`)",
        crate::units::bytes(*.free), .folder.display(), crate::units::bytes(*.wanted)
    )]
    NoRoom {
        /// A folder on that disk.
        folder: std::path::PathBuf,
        /// Bytes that are free.
        free: u64,
        /// Bytes that are wanted.
        wanted: u64,
    },
    /// An agent has a name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Anything else.
    #[error("{what}")]
    Io {
        /// What it tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl Orchestrator {
    /// An orchestrator without agents.
    pub fn new(executor: impl Executor + 'static, store: impl Store + 'static) -> Self {
        let registry = Registry::new().agent(rollback::Undo);
        let (executor, store) = (Arc::new(executor), Arc::new(store));
        Self { executor, store, registry, settings: None, cache: None, observers: Mutex::default() }
    }

    /// Adds agents and phases.
    #[must_use]
    pub fn agents(mut self, registry: Registry) -> Self {
        self.registry = self.registry.with(registry);
        self
    }

    /// Adds an agent.
    #[must_use]
    pub fn agent(mut self, agent: impl Agent) -> Self {
        self.registry = self.registry.agent(agent);
        self
    }

    /// Adds an observer.
    #[must_use]
    pub fn observer(self, observer: impl Observer + 'static) -> Self {
        self.observers.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(observer));
        self
    }

    /// Sets the settings, all layers merged; by default the pipeline's own on top of the defaults.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// Sets where results of tasks are kept and looked for; by default nowhere.
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Self {
        self.cache = Some(Arc::new(cache));
        self
    }

    /// What is registered.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The agents, by name.
    pub fn known(&self) -> impl Iterator<Item = &Arc<dyn DynAgent>> {
        self.registry.agents().values()
    }

    /// The root of the checkout.
    pub fn root(&self) -> &std::path::Path {
        self.executor.root()
    }

    /// What is known of the repository by looking.
    pub fn project(&self) -> Result<Project, OrchestratorError> {
        crate::detect::detect(self.executor.root()).map_err(|error| OrchestratorError::Io {
            what: format!("`{}` could not be looked at", self.executor.root().display()),
            source: std::io::Error::other(error),
        })
    }

    /// The plan of a whole pipeline. Finds every problem at once; starts nothing.
    pub fn plan(&self, pipeline: &Pipeline) -> Result<Plan, OrchestratorError> {
        self.make(pipeline, &Selector::default(), &Nothing)
    }

    /// The plan of what was selected; what it needs besides may have passed in earlier runs.
    pub async fn plan_selected(
        &self,
        pipeline: &Pipeline,
        selector: &Selector,
    ) -> Result<Plan, OrchestratorError> {
        let plan = if selector.is_simple() { Some(self.make(pipeline, selector, &Nothing)) } else { None };
        let plan = match plan {
            Some(Ok(plan)) => plan,
            // What was left out may be needed, and may have passed earlier.
            Some(Err(_)) | None => {
                let name = self.name(pipeline)?;
                let earlier = earlier::Passed::in_runs(self, &name).await?;
                self.make(pipeline, selector, &earlier)?
            }
        };
        match &selector.affected {
            Some(base) => self.affected(&plan, base),
            None => Ok(plan),
        }
    }

    /// The plan of what failed in a run, and of what waited for it; of the selector, how many at once counts.
    pub async fn plan_failed(
        &self,
        pipeline: &Pipeline,
        run: &RunId,
        selector: &Selector,
    ) -> Result<Plan, OrchestratorError> {
        let earlier = earlier::Passed::in_run(self, run).await?;
        let selector = Selector { carry: true, sequential: selector.sequential, ..Selector::default() };
        self.make(pipeline, &selector, &earlier)
    }

    fn name(&self, pipeline: &Pipeline) -> Result<String, OrchestratorError> {
        match &pipeline.name {
            Some(name) => Ok(name.clone()),
            None => Ok(self.project()?.name),
        }
    }

    fn make(
        &self,
        pipeline: &Pipeline,
        selector: &Selector,
        earlier: &dyn Earlier,
    ) -> Result<Plan, OrchestratorError> {
        let settings = match &self.settings {
            Some(settings) => settings.clone(),
            None => {
                Settings::layered(&pipeline.settings, &[], &serde_json::Value::Null).map_err(|error| {
                    Problems::new(pipeline.file.clone(), vec![Problem::new("settings", error.to_string())])
                })?
            }
        };
        let (registry, project) = (&self.registry, &self.project()?);
        let planner = Planner { registry, settings: &settings, project, selector, earlier };
        Ok(planner.plan(pipeline)?)
    }

    /// Runs a plan. With the ceiling `Reads` it is a dry run.
    pub async fn run(&self, plan: &Plan, ceiling: Effect) -> Result<RunRecord, OrchestratorError> {
        self.run_with(plan, RunOptions::new(ceiling)).await
    }

    /// Runs a plan, with all options.
    pub async fn run_with(&self, plan: &Plan, options: RunOptions) -> Result<RunRecord, OrchestratorError> {
        let now = Timestamp::now();
        let run = RunId::at(now, RandomState::new().build_hasher().finish() as u32);
        let lock = self.lock(&run, &options).await?;
        self.has_room(options.ceiling)?;
        let json = plan.json().map_err(|source| OrchestratorError::Plan { run: run.clone(), source })?;
        self.store.create(&run, json.as_bytes()).await?;
        let state = RunState::new(Arc::new(plan.clone()));
        self.drive(run, state, options, lock, now).await
    }

    /// Goes on with a run that was stopped, waits, or whose process died.
    pub async fn resume(&self, run: &RunId, options: RunOptions) -> Result<RunRecord, OrchestratorError> {
        let (state, _) = self.load(run).await?;
        let started = match state.status() {
            RunStatus::Finished(_) => return Err(OrchestratorError::Over(run.clone())),
            _ => state.started().unwrap_or_else(Timestamp::now),
        };
        let options = match state.begun() {
            Some(begun) => RunOptions { ceiling: begun.ceiling, ..options },
            None => options,
        };
        let lock = self.lock(run, &options).await?;
        // A dry run holds no lock of the checkout: only its journal tells that it is alive.
        if self.store.is_live(run) {
            return Err(StoreError::Busy { run: run.clone(), owner: None }.into());
        }
        // What another process recorded while this one waited for the lock counts as well.
        let (state, _) = self.load(run).await?;
        if matches!(state.status(), RunStatus::Finished(_)) {
            return Err(OrchestratorError::Over(run.clone()));
        }
        // A run that is to end needs no room for that.
        let cancel = crate::runner::cancel_signal().name;
        if !self.store.inbox(run).await?.iter().any(|(_, signal)| signal.name == cancel) {
            self.has_room(options.ceiling)?;
        }
        self.drive(run.clone(), state, options, lock, started).await
    }

    /// The state of a run.
    pub async fn status(&self, run: &RunId) -> Result<RunRecord, OrchestratorError> {
        let (state, _) = self.load(run).await?;
        Ok(RunRecord::new(run.clone(), state))
    }

    /// Whether a process runs it now.
    pub fn is_live(&self, run: &RunId) -> bool {
        self.store.is_live(run)
    }

    /// All runs, the latest first.
    pub async fn runs(&self) -> Result<Vec<RunId>, OrchestratorError> {
        Ok(self.store.list().await?)
    }

    /// Drops a signal into a run's inbox. A run that has stopped sees it when it is resumed.
    pub async fn signal(&self, run: &RunId, signal: Signal) -> Result<(), OrchestratorError> {
        Ok(self.store.signal(run, &signal).await?)
    }

    /// Signals in a run's inbox that the run has not seen yet, in the order of arrival.
    pub async fn unseen(&self, run: &RunId) -> Result<Vec<Signal>, OrchestratorError> {
        Ok(self.store.inbox(run).await?.into_iter().map(|(_, signal)| signal).collect())
    }

    /// Cancels a run, whichever process runs it: nothing new starts, what runs is stopped, and the run is over for good.
    /// One that has stopped is cancelled when it is resumed.
    pub async fn cancel(&self, run: &RunId) -> Result<(), OrchestratorError> {
        self.signal(run, crate::runner::cancel_signal()).await
    }

    /// The plan that would reverse a run, from the undo actions in its journal; and what cannot be reversed.
    pub async fn rollback(&self, run: &RunId) -> Result<Rollback, OrchestratorError> {
        rollback::plan(self, run).await
    }

    /// Loads and folds a journal; how many bytes of a torn last line were left out.
    async fn load(&self, run: &RunId) -> Result<(RunState, u64), OrchestratorError> {
        let Journal { plan, records, torn } = self.store.load(run).await?;
        let plan: Plan = serde_json::from_slice(&plan)
            .map_err(|source| OrchestratorError::Plan { run: run.clone(), source })?;
        let state = RunState::fold(Arc::new(plan), records)
            .map_err(|source| OrchestratorError::Journal { run: run.clone(), source })?;
        if torn > 0 {
            tracing::warn!(%run, torn, "the last record of the journal was torn and is left out");
        }
        Ok((state, torn))
    }

    /// The checkout, for a run that writes. A dry run needs no lock.
    async fn lock(&self, run: &RunId, options: &RunOptions) -> Result<Option<Lock>, OrchestratorError> {
        let Some(path) = self.executor.checkout_lock().filter(|_| options.ceiling > Effect::Reads) else {
            return Ok(None);
        };
        let owner = Owner::here(run.clone(), "");
        if options.wait {
            let mut on_wait = |owner: Option<&Owner>| {
                let owner = owner.map(ToString::to_string).unwrap_or_default();
                tracing::warn!(%owner, "waiting for the checkout");
            };
            return Ok(Some(Lock::wait(&path, &owner, &mut on_wait, &options.stop).await?));
        }
        Ok(Some(Lock::acquire(&path, &owner)?))
    }

    async fn drive(
        &self,
        run: RunId,
        state: RunState,
        options: RunOptions,
        lock: Option<Lock>,
        started: Timestamp,
    ) -> Result<RunRecord, OrchestratorError> {
        for operation in self.registry.operations()? {
            self.executor.register(operation);
        }
        let look = Workspace::new(self.executor.root(), started)
            .run_id(run.clone())
            .environment(self.executor.environment());
        self.end_survivors(&run, state.status() == RunStatus::New).await?;
        let tree = match options.ceiling {
            Effect::Reads => Some(Arc::new(Tree::new(look.clone()))),
            Effect::Writes | Effect::Publishes => None,
        };
        rebuild_overlay(&look, &state, &*self.executor, &run);
        let reuse = self.reuse(&look, options.reuse);
        let process = process();
        let begun = RunStarted {
            journal: JOURNAL_VERSION,
            run: run.clone(),
            pipeline: state.plan().pipeline().to_owned(),
            plan: state.plan().digest(),
            ceiling: options.ceiling,
            parent: options.parent,
            process: process.clone(),
        };
        let observers = std::mem::take(&mut *self.observers.lock().unwrap_or_else(PoisonError::into_inner));
        let mut watch = Watch::new(observers, state.clone(), self.read_on(&run));
        let thread = watch.thread();
        let runner = Runner {
            run: run.clone(),
            state,
            store: self.store.clone(),
            executor: self.executor.clone(),
            agents: self.registry.agents().clone(),
            watch,
            stop: options.stop,
            process,
            assume: options.assume,
            tree,
            look,
            reuse: reuse.clone(),
        };
        // Inside a task of the runtime the loop is many times faster than driven from `block_on`.
        let driven = tokio::spawn(runner.drive(begun)).await;
        if let Some(reuse) = reuse {
            // A memo that is not kept costs time and nothing else.
            let _ = tokio::task::spawn_blocking(move || reuse.keep()).await;
        }
        // Nobody who wants to go on waits for those who watch.
        self.store.close(&run).await;
        drop(lock);
        if let Some(thread) = thread
            && let Ok(Ok(observers)) = tokio::task::spawn_blocking(move || thread.join()).await
        {
            *self.observers.lock().unwrap_or_else(PoisonError::into_inner) = observers;
        }
        let state = match driven {
            Ok(state) => state?,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => {
                return Err(OrchestratorError::Io {
                    what: "the run was dropped".into(),
                    source: std::io::Error::other(error),
                });
            }
        };
        Ok(RunRecord::new(run, state))
    }

    /// Ends what earlier processes left behind: of this run, and of runs whose process died.
    async fn end_survivors(&self, run: &RunId, is_new: bool) -> Result<(), OrchestratorError> {
        let mut dead = self.store.abandoned().await?;
        if is_new && dead.is_empty() {
            return Ok(());
        }
        dead.retain(|other| other != run);
        dead.push(run.clone());
        let ended = self.executor.end_survivors(&dead).await;
        let ended = ended.map_err(|source| RunError::Executor { run: run.clone(), source })?;
        for Survivor { pid, order } in ended {
            tracing::warn!(pid, order, "ended a process that an earlier run left behind");
        }
        for other in dead.iter().filter(|other| *other != run) {
            self.store.close(other).await;
        }
        Ok(())
    }

    fn read_on(&self, run: &RunId) -> ReadOn {
        let (store, run, runtime) = (self.store.clone(), run.clone(), tokio::runtime::Handle::current());
        Box::new(move |first| {
            let journal = runtime.block_on(store.load(&run));
            let records = journal.map(|journal| journal.records).unwrap_or_default();
            records.into_iter().skip_while(|record| record.n < first).collect()
        })
    }
}

/// What a dry run withheld before it was stopped lies over the tree again.
fn rebuild_overlay(look: &Workspace, state: &RunState, executor: &dyn Executor, run: &RunId) {
    for (_, actions) in crate::preview::Withheld::of(state).tasks() {
        for action in actions {
            match action {
                crate::action::Action::Write(write) => {
                    let bytes = match crate::executor::blob(&write.content) {
                        None => write.content.bytes(),
                        Some(artifact) => executor.read(run, &artifact, artifact.bytes).ok(),
                    };
                    look.lay_over(write.path.clone(), bytes, write.mode);
                }
                crate::action::Action::Remove(remove) => look.lay_over(remove.path.clone(), None, None),
                _ => {}
            }
        }
    }
}

fn process() -> Process {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Process { version: env!("CARGO_PKG_VERSION").to_owned(), pid: std::process::id(), host }
}
