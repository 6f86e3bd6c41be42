//! The loop: the only owner of a run's state and the only writer of its events.
//!
//! Facts come from jobs, signals and the clock; each is stored before it is applied, applied before anything relies on
//! it, and everything that is ready at once is stored with one append.

mod ends;
mod quick;
mod waits;

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, future};
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::agent::{Agents, Task};
use crate::clock::Clock;
use crate::effect::Effect;
use crate::event::{Event, Process, Record, RunOutcome, RunStarted, Stopped, TaskFinished};
use crate::executor::{Executor, ExecutorError};
use crate::id::{OrderKey, RunId, TaskId};
use crate::input::resolve;
use crate::job::{Assume, Job, JobEnd, Letter};
use crate::outcome::{Failure, Outcome};
use crate::plan::{Selection, TaskIx};
use crate::progress::ProgressSink;
use crate::reuse::{Hit, Reuse};
use crate::scheduler::{Next, Scheduler};
use crate::state::{ApplyError, RunState, RunStatus, Stage};
use crate::stop::{Stop, StopLevel};
use crate::store::{Store, StoreError};
use crate::tree::Tree;
use crate::watch::Watch;
use crate::workspace::Workspace;

pub(crate) use waits::cancel_signal;

/// The signal that cancels a run that another process runs.
pub(crate) const CANCEL: &str = "orchestrate.cancel";

/// The orchestrator could not do its own work. A task that fails is no such error.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The journal could not be kept or read.
    #[error("the journal of run `{run}` could not be kept")]
    Store {
        /// Which run.
        run: RunId,
        /// Why.
        source: StoreError,
    },
    /// The executor could not do its own work.
    #[error("an order of run `{run}` could not be performed; it can be resumed")]
    Executor {
        /// Which run.
        run: RunId,
        /// Why.
        source: ExecutorError,
    },
    /// The journal makes no sense.
    #[error("the journal of run `{run}` makes no sense")]
    Journal {
        /// Which run.
        run: RunId,
        /// Which record.
        source: ApplyError,
    },
    /// It is not known whether something was published before a crash.
    #[error(
        "stopped while publishing: whether `{task}` went out is not known; look, then say `resume {run} --assume \
         done|not-done {task}`",
        task = .order.task
    )]
    Unsure {
        /// Which run.
        run: RunId,
        /// The order.
        order: OrderKey,
    },
}

type Running = Pin<Box<dyn Future<Output = JobEnd> + Send>>;

/// What runs a run.
pub(crate) struct Runner {
    pub(crate) run: RunId,
    pub(crate) state: RunState,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) agents: Agents,
    pub(crate) watch: Watch,
    pub(crate) stop: Stop,
    pub(crate) process: Process,
    pub(crate) assume: BTreeMap<TaskId, Assume>,
    pub(crate) tree: Option<Arc<Tree>>,
    pub(crate) look: Workspace,
    pub(crate) reuse: Option<Arc<Reuse>>,
}

/// A run that is under way in this process.
struct Live {
    own: Runner,
    clock: Clock,
    scheduler: Scheduler,
    jobs: FuturesUnordered<Running>,
    stops: BTreeMap<TaskIx, Stop>,
    waiting: BTreeMap<TaskIx, Option<Timestamp>>,
    mail: mpsc::UnboundedReceiver<Letter>,
    to_mail: mpsc::UnboundedSender<Letter>,
    asked: StopLevel,
    cancelling: bool,
    unsure: Option<OrderKey>,
    /// When the inbox was looked at.
    looked: tokio::time::Instant,
    /// Results that held when the run began; they do as long as nothing has run.
    held: HashMap<TaskIx, Hit>,
}

impl Runner {
    /// Begins the run, or goes on with it, until it is over, stopped, or waits for a person.
    pub(crate) async fn drive(self, begun: RunStarted) -> Result<RunState, RunError> {
        let (to_mail, mail) = mpsc::unbounded_channel();
        let clock = Clock::not_before(self.state.last());
        let ceiling = begun.ceiling;
        let mut live = Live {
            scheduler: Scheduler::new(&self.state, ceiling),
            own: self,
            clock,
            jobs: FuturesUnordered::new(),
            stops: BTreeMap::new(),
            waiting: BTreeMap::new(),
            mail,
            to_mail,
            asked: StopLevel::Go,
            cancelling: false,
            unsure: None,
            looked: tokio::time::Instant::now(),
            held: HashMap::new(),
        };
        let first = if live.own.state.status() == RunStatus::New {
            Event::RunStarted(Box::new(begun))
        } else {
            Event::RunResumed(live.own.process.clone())
        };
        let result = match live.record(vec![first]).await {
            Ok(()) => live.run().await,
            Err(error) => Err(error),
        };
        live.own.watch.close(live.own.state.records());
        result.map(|()| live.own.state)
    }
}

impl Live {
    async fn run(&mut self) -> Result<(), RunError> {
        self.take_signals().await?;
        self.look_at_all().await;
        loop {
            let Some(wake) = self.schedule().await? else { return self.finish().await };
            if self.jobs.is_empty() && self.mail.is_empty() {
                if self.asked > StopLevel::Go && !self.cancelling {
                    return self.stopped(Stopped::Interrupted).await;
                }
                if let Some(order) = self.unsure.take() {
                    self.stopped(Stopped::Unsure).await?;
                    return Err(RunError::Unsure { run: self.own.run.clone(), order });
                }
                let timed = wake.is_some() || self.waiting.values().any(Option::is_some);
                if !timed && !self.waiting.is_empty() {
                    return self.stopped(Stopped::Waiting).await;
                }
            }
            self.wait(wake).await?;
        }
    }

    /// Starts and ends all that can be started or ended now. None: every task has ended.
    async fn schedule(&mut self) -> Result<Option<Option<Timestamp>>, RunError> {
        let now = self.clock.now();
        let mut events = Vec::new();
        let mut starts = Vec::new();
        let wake = loop {
            if self.asked > StopLevel::Go && !self.cancelling || self.unsure.is_some() {
                break Some(None);
            }
            match self.scheduler.next(now) {
                Next::Start(ix) => {
                    if let Some(event) = self.quick(ix, &mut events).await? {
                        events.push(event);
                        self.scheduler.release(ix);
                        self.scheduler.ended(ix, Outcome::Cached, None);
                        continue;
                    }
                    let task = self.own.state.task(ix);
                    if task.stage != Stage::Running {
                        let (id, attempt) = (self.own.state.plan().task(ix).id.clone(), task.attempt + 1);
                        events.push(Event::TaskStarted { task: id, attempt });
                    }
                    starts.push(ix);
                }
                Next::End(ix, outcome, reason) => {
                    events.push(self.unstarted(ix, outcome, reason));
                    self.scheduler.ended(ix, outcome, reason);
                }
                Next::Idle(wake) => break Some(wake),
                Next::Done => break None,
            }
        };
        self.record(events).await?;
        for ix in starts {
            self.start(ix);
        }
        Ok(wake)
    }

    fn unstarted(&self, ix: TaskIx, outcome: Outcome, reason: Option<crate::outcome::Reason>) -> Event {
        let task = self.own.state.plan().task(ix);
        let (conclusion, from_run) = match &task.selection {
            Selection::Carried { run, output } => {
                let mut conclusion =
                    crate::agent::Conclusion::new("passed in an earlier run", output.clone());
                if output.is_null() {
                    conclusion.output = None;
                }
                (Some(conclusion), Some(run.clone()))
            }
            Selection::Selected | Selection::LeftOut => (None, None),
        };
        let task = task.id.clone();
        Event::TaskFinished(Box::new(TaskFinished {
            task,
            outcome,
            reason,
            conclusion,
            failure: None,
            from_run,
            reused: None,
            follows: Vec::new(),
        }))
    }

    fn start(&mut self, ix: TaskIx) {
        let plan = self.own.state.plan().clone();
        let planned = plan.task(ix);
        let state = self.own.state.task(ix);
        let stop = Stop::new();
        stop.raise(self.asked);
        if let Some(reuse) = &self.own.reuse {
            reuse.disturb();
        }
        let job: Running = match (self.config(ix), self.own.agents.get(&planned.agent)) {
            (Ok(config), Some(agent)) => Job {
                ix,
                run: self.own.run.clone(),
                reuse: self.lookup(ix, &config),
                task: task_of(&plan, ix, config),
                attempt: state.attempt,
                rounds: state.rounds.clone(),
                timeout: planned.timeout,
                ceiling: self.own.state.ceiling(),
                follows_withheld: self.scheduler.follows_withheld(ix),
                assume: self.own.assume.get(&planned.id).copied(),
                agent: agent.clone(),
                executor: self.own.executor.clone(),
                look: self.own.look.clone(),
                tree: self.own.tree.clone(),
                progress: self.progress(&planned.id),
                stop: stop.clone(),
                mail: self.to_mail.clone(),
            }
            .run()
            .boxed(),
            (Err(why), _) => future::ready(ends::refused(ix, Failure::new(why))).boxed(),
            (_, None) => {
                let why = format!("there is no agent `{}` in this program", planned.agent);
                future::ready(ends::refused(ix, Failure::new(why))).boxed()
            }
        };
        self.stops.insert(ix, stop);
        self.jobs.push(job);
    }

    fn progress(&self, task: &TaskId) -> ProgressSink {
        match self.own.watch.progress() {
            Some(send) => ProgressSink::new(task.clone(), send),
            None => ProgressSink::none(task.clone()),
        }
    }

    /// The config of a task, its references replaced by what other tasks gave.
    fn config(&self, ix: TaskIx) -> Result<crate::json::Json, String> {
        let plan = self.own.state.plan();
        let task = plan.task(ix);
        if task.takes.is_empty() {
            return Ok(task.config.clone());
        }
        let mut config = task.config.value();
        let mut outputs: BTreeMap<TaskId, Value> = BTreeMap::new();
        resolve(&mut config, &mut |reference| {
            let output = match outputs.get(&reference.task) {
                Some(output) => output,
                None => {
                    let source = plan.find(&reference.task)?;
                    let output = self.own.state.task(source).output()?.value();
                    outputs.entry(reference.task.clone()).or_insert(output)
                }
            };
            reference.find(output).cloned()
        })?;
        Ok(config.into())
    }

    /// Waits until something happens, and takes in all that has happened by then.
    async fn wait(&mut self, wake: Option<Timestamp>) -> Result<(), RunError> {
        let deadline = self.waiting.values().flatten().copied().chain(wake).min();
        let pause = deadline.map_or(waits::POLL, |at| self.clock.until(at).min(waits::POLL));
        let more = if self.asked == StopLevel::Go { StopLevel::Graceful } else { StopLevel::Kill };
        let stop = self.own.stop.clone();
        let mut ends = Vec::new();
        let mut letters = Vec::new();
        let mut quiet = false;
        tokio::select! {
            biased;
            () = stop.at_least(more), if self.asked < StopLevel::Kill => self.stop_all(),
            Some(letter) = self.mail.recv() => letters.push(letter),
            Some(end) = self.jobs.next(), if !self.jobs.is_empty() => ends.push(end),
            () = tokio::time::sleep(pause) => quiet = true,
        }
        while let Some(Some(end)) = self.jobs.next().now_or_never() {
            ends.push(end);
        }
        while let Ok(letter) = self.mail.try_recv() {
            letters.push(letter);
        }
        self.take_letters(letters).await?;
        self.take_ends(ends).await?;
        // A run that is never quiet looks at its inbox all the same.
        if quiet || self.looked.elapsed() >= waits::POLL {
            self.take_signals().await?;
            self.wake_elapsed().await?;
        }
        Ok(())
    }

    async fn take_letters(&mut self, letters: Vec<Letter>) -> Result<(), RunError> {
        if letters.is_empty() {
            return Ok(());
        }
        let sync = letters.iter().any(|letter| letter.sync);
        let mut answers = Vec::with_capacity(letters.len());
        let mut events = Vec::new();
        for Letter { events: told, sync: _, recorded } in letters {
            events.extend(told);
            answers.push(recorded);
        }
        self.record(events).await?;
        if sync {
            self.sync().await?;
        }
        for recorded in answers {
            // A job that was dropped meanwhile needs no answer.
            let _ = recorded.send(());
        }
        Ok(())
    }

    /// Stores events, applies them, and tells those who watch.
    async fn record(&mut self, events: Vec<Event>) -> Result<(), RunError> {
        if events.is_empty() {
            return Ok(());
        }
        let at = self.clock.now();
        let first = self.own.state.records() + 1;
        let numbered = events.into_iter().zip(first..);
        let records: Vec<Record> = numbered.map(|(event, n)| Record { n, at, event }).collect();
        let run = || self.own.run.clone();
        let stored = self.own.store.append(&self.own.run, &records).await;
        stored.map_err(|source| RunError::Store { run: run(), source })?;
        let watched = self.own.watch.wants().then(|| records.clone());
        for record in records {
            self.own
                .state
                .apply(record)
                .map_err(|source| RunError::Journal { run: self.own.run.clone(), source })?;
        }
        if let Some(records) = watched {
            self.own.watch.records(records);
        }
        Ok(())
    }

    async fn sync(&mut self) -> Result<(), RunError> {
        let synced = self.own.store.sync(&self.own.run).await;
        synced.map_err(|source| RunError::Store { run: self.own.run.clone(), source })
    }

    fn stop_all(&mut self) {
        self.asked = self.own.stop.level();
        for stop in self.stops.values() {
            stop.raise(self.asked);
        }
    }

    async fn stopped(&mut self, why: Stopped) -> Result<(), RunError> {
        self.record(vec![Event::RunStopped { why }]).await?;
        self.sync().await
    }

    async fn finish(&mut self) -> Result<(), RunError> {
        let state = &self.own.state;
        let plan = state.plan();
        let failed = state
            .tasks()
            .iter()
            .zip(plan.tasks())
            .any(|(task, planned)| task.outcome() == Some(Outcome::Failed) && !planned.continue_on_error);
        let outcome = match (self.cancelling, failed) {
            (true, _) => RunOutcome::Cancelled,
            (false, true) => RunOutcome::Failed,
            (false, false) => RunOutcome::Passed,
        };
        self.record(vec![Event::RunFinished { outcome }]).await?;
        if changed_something(&self.own.state) { self.sync().await } else { Ok(()) }
    }
}

/// A task as its agent sees it at first.
fn task_of(plan: &crate::plan::Plan, ix: TaskIx, config: crate::json::Json) -> Task<crate::json::Json> {
    Task {
        id: plan.task(ix).id.clone(),
        phase: plan.phase_of(ix).name.clone(),
        group: plan.group_of(ix).name.clone(),
        config,
        carried: crate::json::Json::null(),
    }
}

/// Whether an action above `Reads` was started. The journal of a run without one need not survive the death of the machine.
fn changed_something(state: &RunState) -> bool {
    let started = |round: &crate::state::Round| round.steps.iter().any(|step| step.started.is_some());
    let attempts = |task: &crate::state::TaskState| {
        task.rounds.iter().any(started) || task.past.iter().any(|past| past.rounds.iter().any(started))
    };
    state.ceiling() > Effect::Reads && state.tasks().iter().any(attempts)
}

#[cfg(all(test, feature = "testkit"))]
mod tests;
