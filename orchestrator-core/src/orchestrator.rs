//! The facade: plan, run, resume, status, signal, cancel, roll back. Servers and command lines need no other door.

mod affected;
mod driving;
mod earlier;
mod error;
mod housekeep;
mod planning;
mod reusing;
mod rollback;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

use crate::agent::{Agent, DynAgent};
use crate::cache::Cache;
use crate::effect::Effect;
use crate::executor::Executor;
use crate::id::{RunId, TaskId};
use crate::lock::{Lock, Owner};
use crate::observer::Observer;
use crate::order::Signal;
use crate::plan::Plan;
use crate::project::Project;
use crate::registry::Registry;
use crate::report::RunRecord;
use crate::settings::Settings;
use crate::state::{RunState, RunStatus};
use crate::stop::Stop;
use crate::store::{Journal, Store, StoreError};

pub use crate::job::Assume;
pub use crate::reuse::{ReuseMode, Why};
pub use crate::runner::RunError;
pub use error::OrchestratorError;
pub use rollback::{Fallback, Irreversible, LeftOut, Lost, Restoration, Reversal, Rollback, RollbackOptions};
pub(crate) use rollback::{follows, may_have_changed, reverses};

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

    /// The environment that commands get.
    pub fn environment(&self) -> Arc<[(std::ffi::OsString, std::ffi::OsString)]> {
        self.executor.environment()
    }

    /// What is known of the repository by looking.
    pub fn project(&self) -> Result<Project, OrchestratorError> {
        crate::detect::detect(self.executor.root()).map_err(|error| OrchestratorError::Io {
            what: format!("`{}` could not be looked at", self.executor.root().display()),
            source: std::io::Error::other(error),
        })
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
        self.rollback_with(run, RollbackOptions::default()).await
    }

    /// The same, with all options. What earlier rollbacks of the run reversed is left out. Errors: the run or a rollback of it
    /// is running; there is no such task; a rollback was cut off while it published.
    pub async fn rollback_with(
        &self,
        run: &RunId,
        options: RollbackOptions<'_>,
    ) -> Result<Rollback, OrchestratorError> {
        rollback::plan(self, run, options).await
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
}
