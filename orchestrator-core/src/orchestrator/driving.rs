//! A run from its lock to its record: survivors end, the runner drives, observers are waited for last.

use std::sync::{Arc, PoisonError};

use jiff::Timestamp;

use super::{Orchestrator, OrchestratorError, RunError, RunOptions};
use crate::effect::Effect;
use crate::event::{JOURNAL_VERSION, Process, RunStarted};
use crate::executor::{Executor, Survivor};
use crate::id::RunId;
use crate::lock::Lock;
use crate::report::RunRecord;
use crate::runner::Runner;
use crate::state::{RunState, RunStatus};
use crate::tree::Tree;
use crate::watch::{ReadOn, Watch};
use crate::workspace::Workspace;

impl Orchestrator {
    pub(super) async fn drive(
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
        let look = if options.ceiling == Effect::Reads { look.still() } else { look };
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
