//! One attempt of a task: plan, perform, conclude. Tells the runner every fact and goes on once it is on record.

pub(crate) mod reused;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use crate::BoxError;
use crate::action::{Action, Content};
use crate::agent::{Conclusion, DynAgent, Task, Verdict};
use crate::effect::Effect;
use crate::event::Event;
use crate::executor::{Executor, ExecutorError};
use crate::id::{OrderKey, RunId};
use crate::json::Json;
use crate::operation::Already;
use crate::order::{Artifact, ArtifactSource, Artifacts, Order, Receipt, Status};
use crate::outcome::{Failure, Outcome, Reason};
use crate::plan::TaskIx;
use crate::progress::ProgressSink;
use crate::reuse::Hit;
use crate::state::Round;
use crate::stop::{Stop, StopLevel};
use crate::tree::Tree;
use crate::workspace::Workspace;

/// Facts that a job tells, and the answer once they are on record.
pub(crate) struct Letter {
    pub(crate) events: Vec<Event>,
    /// Whether they must survive the death of the machine.
    pub(crate) sync: bool,
    pub(crate) recorded: oneshot::Sender<()>,
}

/// What a person says of an order whose fate is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Assume {
    /// It was carried out.
    Done,
    /// It was not.
    NotDone,
}

/// One attempt of a task.
pub(crate) struct Job {
    pub(crate) ix: TaskIx,
    pub(crate) run: RunId,
    pub(crate) task: Task<Json>,
    pub(crate) attempt: u32,
    pub(crate) rounds: Vec<Round>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) ceiling: Effect,
    pub(crate) follows_withheld: bool,
    pub(crate) assume: Option<Assume>,
    pub(crate) agent: Arc<dyn DynAgent>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) look: Workspace,
    pub(crate) tree: Option<Arc<Tree>>,
    pub(crate) progress: ProgressSink,
    pub(crate) stop: Stop,
    pub(crate) mail: mpsc::UnboundedSender<Letter>,
    pub(crate) reuse: Option<reused::Lookup>,
}

/// How an attempt ended, with the last facts that the runner is to record.
pub(crate) struct JobEnd {
    pub(crate) ix: TaskIx,
    pub(crate) events: Vec<Event>,
    pub(crate) fate: Fate,
}

/// How an attempt ended.
pub(crate) enum Fate {
    /// For good.
    Ended {
        outcome: Outcome,
        reason: Option<Reason>,
        conclusion: Option<Conclusion<Json>>,
        failure: Option<Failure>,
    },
    /// What it would do lies above the ceiling; and what follows that, as far as its agent knows.
    Withheld(Vec<Action>),
    /// A recorded result holds, and what it made is there.
    Cached(Box<Hit>),
    /// It failed; says whether trying again makes sense.
    Failed { conclusion: Option<Conclusion<Json>>, failure: Option<Failure>, again: Again },
    /// It waits; no slot is held.
    Waits,
    /// It was stopped; what is under way is to be repeated.
    Stopped,
    /// It is not known whether something was published before a crash.
    Unsure(OrderKey),
    /// The executor could not do its own work.
    Broken(ExecutorError),
}

/// Whether trying again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Whenever attempts are left.
    Yes,
    /// Only when the pipeline asks for it.
    IfAsked,
    /// Never.
    No,
}

/// Why performing a round came to an early end.
enum Halt {
    Withheld,
    Waits,
    Stopped,
    Unsure(OrderKey),
    Broken(ExecutorError),
    Failed(Failure),
}

struct Source<'a>(&'a dyn Executor, &'a RunId);

impl ArtifactSource for Source<'_> {
    fn read(&self, artifact: &Artifact, limit: u64) -> std::io::Result<Vec<u8>> {
        self.0.read(self.1, artifact, limit)
    }
}

impl Job {
    /// Carries the attempt out.
    pub(crate) async fn run(mut self) -> JobEnd {
        let ix = self.ix;
        let mut events = Vec::new();
        let deadline = self.timeout.map(|timeout| tokio::time::Instant::now() + timeout);
        let fate = self.attempt(deadline, &mut events).await;
        JobEnd { ix, events, fate }
    }

    async fn attempt(&mut self, deadline: Option<tokio::time::Instant>, events: &mut Vec<Event>) -> Fate {
        if let Some(fate) = self.reused(deadline, events).await {
            return fate;
        }
        if self.rounds.last().is_none_or(reused::is_restoring) {
            match self.first_plan(deadline).await {
                Ok((actions, surveyed)) => self.open_round(actions, surveyed, events),
                Err(fate) => return fate,
            }
        }
        loop {
            match self.perform_round(deadline, events).await {
                Ok(()) => {}
                Err(Halt::Withheld) => return self.withheld().await,
                Err(halt) => return halted(halt),
            }
            let round = self.rounds.last().expect("a round was opened");
            self.task.carried = round.carried.clone();
            let receipts = round.receipts();
            match self.conclude(&receipts) {
                Err(error) => return self.failed(None, Some(Failure::from_error(&*error))),
                Ok(Verdict::Passed(conclusion)) => {
                    let conclusion = match self.checked_and_recorded(conclusion).await {
                        Ok(conclusion) => conclusion,
                        Err(differs) => return self.failed(Some(differs), None),
                    };
                    let (outcome, reason, failure) = (Outcome::Passed, None, None);
                    return Fate::Ended { outcome, reason, conclusion: Some(conclusion), failure };
                }
                Ok(Verdict::Failed(Conclusion { output: _, summary, metrics, findings })) => {
                    let conclusion = Conclusion { output: None, summary, metrics, findings };
                    return self.failed(Some(conclusion), None);
                }
                Ok(Verdict::Skipped(Conclusion { output: _, summary, metrics, findings })) => {
                    let conclusion = Some(Conclusion { output: None, summary, metrics, findings });
                    let (outcome, reason, failure) = (Outcome::Skipped, Some(Reason::ByHand), None);
                    return Fate::Ended { outcome, reason, conclusion, failure };
                }
                Ok(Verdict::More { actions, carried }) => match self.kept(actions).await {
                    Ok(actions) => self.open_round(actions, carried, events),
                    Err(error) => return Fate::Broken(error),
                },
            }
        }
    }

    /// Asks the agent, within the time of the attempt; a panic is a failure of the task.
    async fn first_plan(&self, deadline: Option<tokio::time::Instant>) -> Result<(Vec<Action>, Json), Fate> {
        let planning = AssertUnwindSafe(self.prepared()).catch_unwind();
        let time_up = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let planned = tokio::select! {
            biased;
            planned = planning => planned,
            // Nothing was done yet: a run that goes on plans anew.
            () = self.stop.at_least(StopLevel::Graceful) => return Err(Fate::Stopped),
            () = time_up => {
                return Err(self.failed(None, Some(Failure::new("its time was up while it was planned"))));
            }
        };
        let (surveyed, actions) = match planned {
            Ok(Ok(planned)) => planned,
            Ok(Err(error)) => return Err(self.failed(None, Some(Failure::from_error(&*error)))),
            Err(panic) => return Err(self.failed(None, Some(panicked("planning", &*panic)))),
        };
        Ok((self.kept(actions).await.map_err(Fate::Broken)?, surveyed))
    }

    /// Asks the agent; one that computes for long on a thread of its own, so that the run goes on meanwhile.
    async fn prepared(&self) -> Result<(Json, Vec<Action>), BoxError> {
        if !self.agent.plans_long() {
            return self.agent.prepare(&self.task, &self.look).await;
        }
        let (agent, task, look) = (self.agent.clone(), self.task.clone(), self.look.clone());
        let runtime = tokio::runtime::Handle::current();
        let asking = move || runtime.block_on(agent.prepare(&task, &look));
        match tokio::task::spawn_blocking(asking).await {
            Ok(prepared) => prepared,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves bytes that are too many for a journal to the executor.
    async fn kept(&self, mut actions: Vec<Action>) -> Result<Vec<Action>, ExecutorError> {
        for action in &mut actions {
            let content = match action {
                Action::Write(write) => Some(&mut write.content),
                Action::Run(run) => run.stdin.as_mut(),
                Action::Remove(_) | Action::Call(_) | Action::Await(_) => None,
            };
            if let Some(content) = content
                && content.len() > Content::INLINE as u64
                && let Some(bytes) = content.bytes()
            {
                let digest = self.executor.keep(&self.run, &bytes).await?;
                *content = Content::Blob { digest, bytes: bytes.len() as u64 };
            }
        }
        Ok(actions)
    }

    fn open_round(&mut self, actions: Vec<Action>, carried: Json, events: &mut Vec<Event>) {
        let round = self.rounds.len() as u32;
        let (task, planned, state) = (self.task.id.clone(), actions.clone(), carried.clone());
        events.push(Event::TaskPlanned { task, round, actions: planned, carried: state });
        self.rounds.push(Round { actions, steps: Vec::new(), carried });
    }

    /// The end of what lies above the ceiling: the agent is asked what follows.
    async fn withheld(&mut self) -> Fate {
        self.task.carried = self.rounds.last().expect("a round was opened").carried.clone();
        let asking = || self.agent.foreseen(&self.task);
        match std::panic::catch_unwind(AssertUnwindSafe(asking)) {
            Ok(Ok(follows)) => match self.kept(follows).await {
                Ok(follows) => {
                    self.lay_over(&follows);
                    Fate::Withheld(follows)
                }
                Err(error) => Fate::Broken(error),
            },
            Ok(Err(error)) => self.failed(None, Some(Failure::from_error(&*error))),
            Err(panic) => self.failed(None, Some(panicked("saying what follows", &*panic))),
        }
    }

    /// Performs what is left of the last round.
    async fn perform_round(
        &mut self,
        deadline: Option<tokio::time::Instant>,
        events: &mut Vec<Event>,
    ) -> Result<(), Halt> {
        let round_at = self.rounds.len() - 1;
        while !self.rounds[round_at].is_over() {
            let index = self.rounds[round_at].performed();
            let key = OrderKey {
                run: self.run.clone(),
                task: self.task.id.clone(),
                attempt: self.attempt,
                round: round_at as u32,
                index: index as u32,
            };
            let order = Order { key, action: self.rounds[round_at].actions[index].clone() };
            let under_way = self.rounds[round_at].steps.len() > index;
            let receipt = self.step(&order, under_way, deadline, events).await?;
            let kept = Box::new(receipt);
            let (task, index) = (self.task.id.clone(), index as u32);
            events.push(Event::ActionFinished { task, index, receipt: kept.clone() });
            if order.action.effect() > Effect::Reads {
                self.tell(events, false).await?;
            }
            let steps = &mut self.rounds[round_at].steps;
            if steps.len() == index as usize {
                steps.push(crate::state::Step::default());
            }
            steps[index as usize].receipt = Some(kept);
        }
        Ok(())
    }

    /// Performs one action, or says why not.
    async fn step(
        &mut self,
        order: &Order,
        under_way: bool,
        deadline: Option<tokio::time::Instant>,
        events: &mut Vec<Event>,
    ) -> Result<Receipt, Halt> {
        let effect = order.action.effect();
        if self.stop.level() > StopLevel::Go {
            return Err(Halt::Stopped);
        }
        if effect > self.ceiling {
            return self.beyond(order, under_way, events);
        }
        if under_way {
            if let Some(receipt) = self.interrupted(order).await? {
                return Ok(receipt);
            }
        } else if effect > Effect::Reads {
            let (undo, refused) = match self.executor.undo(order).await {
                Ok(undo) => (undo, None),
                Err(error @ ExecutorError::NoUndo { transient, .. }) => {
                    (Vec::new(), Some(Receipt::refused(Failure::from_error(&error), transient)))
                }
                Err(error) => return Err(stopped_or(error)),
            };
            events.push(Event::ActionStarted {
                task: self.task.id.clone(),
                index: order.key.index,
                undo: undo.clone(),
            });
            let round = self.rounds.last_mut().expect("a round was opened");
            // The time is the record's; here only that it was started counts.
            round.steps.push(crate::state::Step { started: None, undo, receipt: None });
            if let Some(receipt) = refused {
                return Ok(receipt);
            }
            self.tell(events, effect == Effect::Publishes).await?;
        }
        if matches!(order.action, Action::Await(_)) {
            return Err(Halt::Waits);
        }
        let receipt = self.perform(order, deadline).await?;
        self.check_tree(order)?;
        Ok(receipt)
    }

    /// An action above the ceiling: one that would change nothing is done; of any other, edits go into the overlay.
    fn beyond(&mut self, order: &Order, under_way: bool, events: &mut Vec<Event>) -> Result<Receipt, Halt> {
        if self.changes_nothing(&order.action) {
            if !under_way {
                let (task, index) = (self.task.id.clone(), order.key.index);
                events.push(Event::ActionStarted { task, index, undo: Vec::new() });
                let round = self.rounds.last_mut().expect("a round was opened");
                round.steps.push(crate::state::Step::default());
            }
            return Ok(Receipt::new(Status::AlreadySo));
        }
        let round = self.rounds.last().expect("a round was opened");
        self.lay_over(&round.actions[order.key.index as usize..]);
        Err(Halt::Withheld)
    }

    /// Later plans see what withheld edits would make.
    fn lay_over(&self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Write(write) => {
                    self.look.lay_over(write.path.clone(), self.bytes(&write.content), write.mode);
                }
                Action::Remove(remove) => self.look.lay_over(remove.path.clone(), None, None),
                Action::Run(_) | Action::Call(_) | Action::Await(_) => {}
            }
        }
    }

    fn changes_nothing(&self, action: &Action) -> bool {
        match action {
            Action::Write(write) => {
                let there = self.look.read(&write.path).ok().flatten();
                let mode = write.mode.is_none_or(|mode| self.look.mode(&write.path) == Some(mode & 0o7777));
                mode && self.look.is_own(&write.path)
                    && there
                        .is_some_and(|bytes| write.content.digest() == Some(crate::path::Digest::of(&bytes)))
            }
            Action::Remove(remove) => !self.look.exists(&remove.path) && self.look.is_own(&remove.path),
            Action::Run(_) | Action::Call(_) | Action::Await(_) => false,
        }
    }

    fn bytes(&self, content: &Content) -> Option<Vec<u8>> {
        match crate::executor::blob(content) {
            None => content.bytes(),
            Some(artifact) => self.executor.read(&self.run, &artifact, artifact.bytes).ok(),
        }
    }

    /// An action that was under way when an earlier process died: done already, to be repeated, or not known.
    async fn interrupted(&self, order: &Order) -> Result<Option<Receipt>, Halt> {
        let publishes = order.action.effect() == Effect::Publishes;
        let known = match &order.action {
            Action::Call(_) => self.executor.already(order).await.map_err(stopped_or)?,
            Action::Run(_) if publishes => Already::Unknown,
            Action::Run(_) | Action::Write(_) | Action::Remove(_) | Action::Await(_) => Already::NotDone,
        };
        match (known, self.assume) {
            (Already::Done(output), _) => {
                let mut receipt = Receipt::new(Status::Done);
                receipt.output = output;
                Ok(Some(receipt))
            }
            (Already::Unknown, Some(Assume::Done)) => Ok(Some(Receipt::new(Status::AssumedDone))),
            (Already::Unknown, None) if publishes => Err(Halt::Unsure(order.key.clone())),
            (Already::NotDone | Already::Unknown, _) => Ok(None),
        }
    }

    /// Hands the order to the executor, within the time of the attempt.
    async fn perform(&self, order: &Order, deadline: Option<tokio::time::Instant>) -> Result<Receipt, Halt> {
        let stop = Stop::new();
        let performing = AssertUnwindSafe(self.executor.perform(order, &self.progress, &stop)).catch_unwind();
        tokio::pin!(performing);
        let mut timed_out = false;
        let mut asked = StopLevel::Go;
        let result = loop {
            let more = if asked == StopLevel::Go { StopLevel::Graceful } else { StopLevel::Kill };
            let time_up = async {
                match deadline {
                    Some(at) if !timed_out => tokio::time::sleep_until(at).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                result = &mut performing => break result,
                () = self.stop.at_least(more), if asked < StopLevel::Kill => {
                    asked = self.stop.level();
                    stop.raise(asked);
                }
                () = time_up => {
                    timed_out = true;
                    stop.raise(StopLevel::Graceful);
                }
            }
        };
        match result {
            Err(panic) => Ok(Receipt::failed(panicked("performing it", &*panic), false)),
            Ok(Ok(receipt)) => Ok(receipt),
            Ok(Err(ExecutorError::Stopped(_))) if timed_out && asked == StopLevel::Go => {
                Ok(Receipt::new(Status::TimedOut))
            }
            Ok(Err(error)) => Err(stopped_or(error)),
        }
    }

    /// In a dry run, a command that says it only reads must have left the tree as it was.
    fn check_tree(&self, order: &Order) -> Result<(), Halt> {
        let (Some(tree), Action::Run(_) | Action::Call(_)) = (&self.tree, &order.action) else {
            return Ok(());
        };
        let changed = tree.changes();
        if changed.is_empty() {
            return Ok(());
        }
        let mut names: Vec<String> = changed.iter().take(6).map(ToString::to_string).collect();
        if changed.len() > 5 {
            names[5] = format!("and {} more", changed.len() - 5);
        }
        let message =
            format!("the tree changed while it ran, although its effect is `reads`: {}", names.join(", "));
        Err(Halt::Failed(Failure::new(message)))
    }

    fn conclude(&self, receipts: &[Receipt]) -> Result<Verdict<Json>, BoxError> {
        let source = Source(&*self.executor, &self.run);
        let concluding = || self.agent.conclude(&self.task, receipts, &Artifacts::new(&source));
        match std::panic::catch_unwind(AssertUnwindSafe(concluding)) {
            Ok(verdict) => verdict,
            Err(panic) => Err(panicked("concluding", &*panic).to_string().into()),
        }
    }

    /// A failure. In a dry run, one that follows something withheld says little: the real run may well pass.
    fn failed(&self, conclusion: Option<Conclusion<Json>>, failure: Option<Failure>) -> Fate {
        if self.ceiling == Effect::Reads && self.follows_withheld {
            let (outcome, reason) = (Outcome::Deferred, Some(Reason::Withheld));
            return Fate::Ended { outcome, reason, conclusion, failure };
        }
        if self.rounds.last().is_some_and(answered) {
            return Fate::Failed { conclusion, failure, again: Again::No };
        }
        let last = self.rounds.last().and_then(|round| {
            let bad = round.steps.iter().zip(&round.actions);
            bad.filter_map(|(step, action)| Some((step.receipt.as_ref()?, action)))
                .find(|(receipt, _)| !receipt.ok())
        });
        let again = match last {
            None => Again::IfAsked,
            Some((receipt, Action::Call(_))) => match receipt.status {
                Status::Failed { transient: true, .. } | Status::TimedOut => Again::Yes,
                _ => Again::No,
            },
            Some((_, Action::Run(_))) => Again::Yes,
            Some((_, Action::Write(_) | Action::Remove(_) | Action::Await(_))) => Again::No,
        };
        Fate::Failed { conclusion, failure, again }
    }

    /// Tells the runner what happened and waits until it is on record.
    async fn tell(&self, events: &mut Vec<Event>, sync: bool) -> Result<(), Halt> {
        let (recorded, on_record) = oneshot::channel();
        let letter = Letter { events: std::mem::take(events), sync, recorded };
        // Where the runner is gone, the run is over: nothing more may happen.
        if self.mail.send(letter).is_err() || on_record.await.is_err() {
            return Err(Halt::Stopped);
        }
        Ok(())
    }
}

/// Whether all that a round did was to wait for a signal that came: who gave it is not asked again.
fn answered(round: &Round) -> bool {
    matches!(round.actions.last(), Some(Action::Await(wait)) if wait.signal.is_some())
        && round
            .steps
            .last()
            .and_then(|step| step.receipt.as_ref())
            .is_some_and(|receipt| receipt.status == Status::Done)
}

fn panicked(what: &str, panic: &(dyn std::any::Any + Send)) -> Failure {
    Failure::panicked(format!("the agent panicked while {what}"), panic)
}

fn stopped_or(error: ExecutorError) -> Halt {
    match error {
        ExecutorError::Stopped(_) => Halt::Stopped,
        error => Halt::Broken(error),
    }
}

fn halted(halt: Halt) -> Fate {
    match halt {
        Halt::Withheld => Fate::Withheld(Vec::new()),
        Halt::Waits => Fate::Waits,
        Halt::Stopped => Fate::Stopped,
        Halt::Unsure(key) => Fate::Unsure(key),
        Halt::Broken(error) => Fate::Broken(error),
        Halt::Failed(failure) => Fate::Failed { conclusion: None, failure: Some(failure), again: Again::No },
    }
}
