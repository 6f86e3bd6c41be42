//! The state of a run: a fold over its events and nothing else. Live run, resume, status and reports all use this fold.

use std::sync::Arc;

use jiff::Timestamp;

use crate::action::Action;
use crate::effect::Effect;
use crate::event::{Event, JOURNAL_VERSION, Record, RunOutcome, RunStarted, Stopped, TaskFinished};
use crate::id::TaskId;
use crate::json::Json;
use crate::order::{Receipt, Signal};
use crate::outcome::{Failure, Outcome, Reason};
use crate::plan::{Plan, TaskIx};

/// The state of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunState {
    plan: Arc<Plan>,
    begun: Option<RunStarted>,
    status: RunStatus,
    tasks: Vec<TaskState>,
    signals: Vec<Signal>,
    records: u64,
    resumes: u32,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// Nothing happened yet.
    New,
    /// A process runs it; or ran it until it died.
    Running,
    /// A process stopped before it was over.
    Stopped(Stopped),
    /// It is over.
    Finished(RunOutcome),
}

/// The state of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskState {
    /// Where it stands.
    pub stage: Stage,
    /// The attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// When the first attempt began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Number of the record that ended it: what evidence of its figures cites.
    pub record: Option<u64>,
    /// Rounds of the attempt.
    pub rounds: Vec<Round>,
    /// Attempts that failed before.
    pub past: Vec<Attempt>,
    /// How it ended.
    pub end: Option<Box<TaskFinished>>,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Not started.
    Pending,
    /// An attempt is under way.
    Running,
    /// The next attempt begins then.
    Retrying(Timestamp),
    /// It ended.
    Ended(Outcome),
}

/// Actions of one round and what came of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// In order.
    pub actions: Vec<Action>,
    /// One for each action that was started or performed, in order.
    pub steps: Vec<Step>,
    /// What the last verdict carried.
    pub carried: Json,
}

/// What came of an action.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// When it was started; only recorded above `Reads`.
    pub started: Option<Timestamp>,
    /// What would reverse it.
    pub undo: Vec<Action>,
    /// What it gave; none while it is under way.
    pub receipt: Option<Box<Receipt>>,
}

/// An attempt that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    /// Its rounds.
    pub rounds: Vec<Round>,
    /// Why it failed.
    pub failure: Failure,
    /// When.
    pub ended: Timestamp,
}

/// An event that does not fit what came before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {n} of the journal does not fit: {why}")]
pub struct ApplyError {
    /// Number of the record.
    pub n: u64,
    /// What is wrong with it.
    pub why: String,
}

impl TaskState {
    const NEW: Self = Self {
        stage: Stage::Pending,
        attempt: 0,
        started: None,
        ended: None,
        record: None,
        rounds: Vec::new(),
        past: Vec::new(),
        end: None,
    };

    /// How it ended; none before.
    pub fn outcome(&self) -> Option<Outcome> {
        match self.stage {
            Stage::Ended(outcome) => Some(outcome),
            Stage::Pending | Stage::Running | Stage::Retrying(_) => None,
        }
    }

    /// What the agent gave.
    pub fn output(&self) -> Option<&Json> {
        self.end.as_ref()?.conclusion.as_ref()?.output.as_ref()
    }

    /// Why it was not started or did not end by itself.
    pub fn reason(&self) -> Option<Reason> {
        self.end.as_ref()?.reason
    }

    /// The wait that it is in.
    pub fn waits(&self) -> Option<(&crate::action::Await, Timestamp)> {
        if self.stage != Stage::Running {
            return None;
        }
        let round = self.rounds.last()?;
        let step = round.steps.last()?;
        match round.actions.get(round.steps.len() - 1) {
            Some(Action::Await(wait)) if step.receipt.is_none() => Some((wait, step.started?)),
            _ => None,
        }
    }

    /// All receipts of the attempt, with their actions.
    pub fn receipts(&self) -> impl Iterator<Item = (&Action, &Receipt)> {
        self.rounds.iter().flat_map(|round| {
            round
                .actions
                .iter()
                .zip(&round.steps)
                .filter_map(|(action, step)| Some((action, step.receipt.as_deref()?)))
        })
    }

    /// The actions of the last round that were planned and not performed; and what follows them, where they were withheld.
    pub fn unperformed(&self) -> impl Iterator<Item = &Action> {
        let left = self.rounds.last().map_or(&[][..], |round| &round.actions[round.performed()..]);
        left.iter().chain(self.end.iter().flat_map(|end| &end.follows))
    }
}

impl Round {
    /// How many actions were performed.
    pub fn performed(&self) -> usize {
        self.steps.iter().filter(|step| step.receipt.is_some()).count()
    }

    /// Whether nothing of it is left to do: all performed, or one failed that the others need.
    pub fn is_over(&self) -> bool {
        self.performed() == self.actions.len() || self.failed()
    }

    /// Whether an action failed that the others need.
    pub fn failed(&self) -> bool {
        self.actions.iter().zip(&self.steps).any(|(action, step)| {
            step.receipt.as_ref().is_some_and(|receipt| !receipt.ok() && !action.keeps_going())
        })
    }

    /// The receipts, in order.
    pub fn receipts(&self) -> Vec<Receipt> {
        self.steps.iter().filter_map(|step| step.receipt.as_deref().cloned()).collect()
    }
}

impl RunState {
    /// A run of `plan` in which nothing happened yet.
    pub fn new(plan: Arc<Plan>) -> Self {
        let tasks = vec![TaskState::NEW; plan.tasks().len()];
        Self {
            plan,
            begun: None,
            status: RunStatus::New,
            tasks,
            signals: Vec::new(),
            records: 0,
            resumes: 0,
            first: None,
            last: None,
        }
    }

    /// Folds a whole journal.
    pub fn fold(plan: Arc<Plan>, records: impl IntoIterator<Item = Record>) -> Result<Self, ApplyError> {
        let mut state = Self::new(plan);
        for record in records {
            state.apply(record)?;
        }
        Ok(state)
    }

    /// The plan.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// What was known when the run began.
    pub fn begun(&self) -> Option<&RunStarted> {
        self.begun.as_ref()
    }

    /// The ceiling; `Reads` before the run began.
    pub fn ceiling(&self) -> Effect {
        self.begun.as_ref().map_or(Effect::Reads, |begun| begun.ceiling)
    }

    /// Where the run stands.
    pub fn status(&self) -> RunStatus {
        self.status
    }

    /// States of the tasks, in the plan's order.
    pub fn tasks(&self) -> &[TaskState] {
        &self.tasks
    }

    /// State of a task.
    pub fn task(&self, ix: TaskIx) -> &TaskState {
        &self.tasks[ix.at()]
    }

    /// Signals that came.
    pub fn signals(&self) -> &[Signal] {
        &self.signals
    }

    /// How many records were folded.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// How often another process took the run up.
    pub fn resumes(&self) -> u32 {
        self.resumes
    }

    /// Time of the first record.
    pub fn started(&self) -> Option<Timestamp> {
        self.first
    }

    /// Time of the last record.
    pub fn last(&self) -> Option<Timestamp> {
        self.last
    }

    /// How many tasks ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.tasks.iter().filter(|task| task.outcome() == Some(outcome)).count()
    }

    /// Applies the next record. One that does not fit changes nothing.
    pub fn apply(&mut self, record: Record) -> Result<(), ApplyError> {
        let Record { n, at, event } = record;
        let fail = |why: String| Err(ApplyError { n, why });
        if n != self.records + 1 {
            return fail(format!("number {} was expected", self.records + 1));
        }
        if let Err(why) = self.change(at, event) {
            return fail(why);
        }
        self.records = n;
        self.first.get_or_insert(at);
        self.last = Some(at);
        Ok(())
    }

    fn change(&mut self, at: Timestamp, event: Event) -> Result<(), String> {
        match (&self.status, &event) {
            (_, Event::Unknown { .. }) | (RunStatus::New, Event::RunStarted(_)) => {}
            (RunStatus::New, _) => return Err("the run has not begun".into()),
            (_, Event::RunStarted(_)) => return Err("the run had begun already".into()),
            (RunStatus::Finished(_), _) => return Err("the run was over".into()),
            // A signal may come while no process runs.
            (RunStatus::Running, _)
            | (RunStatus::Stopped(_), Event::RunResumed(_) | Event::SignalReceived(_)) => {}
            (RunStatus::Stopped(_), _) => return Err("the run was stopped and nobody resumed it".into()),
        }
        match event {
            Event::RunStarted(begun) => self.begin(*begun),
            Event::RunResumed(_) => {
                self.resumes += 1;
                self.status = RunStatus::Running;
                Ok(())
            }
            Event::TaskStarted { task, attempt } => self.task_started(&task, attempt, at),
            Event::TaskPlanned { task, round, actions, carried } => {
                self.task_planned(&task, round, actions, carried)
            }
            Event::ActionStarted { task, index, undo } => self.action_started(&task, index, undo, at),
            Event::ActionFinished { task, index, receipt } => self.action_finished(&task, index, receipt),
            Event::AttemptFailed { task, failure, retry_at } => {
                self.attempt_failed(&task, *failure, retry_at, at)
            }
            Event::TaskFinished(finished) => self.task_finished(finished, at),
            Event::SignalReceived(signal) => {
                self.signals.push(*signal);
                Ok(())
            }
            Event::RunStopped { why } => {
                self.status = RunStatus::Stopped(why);
                Ok(())
            }
            Event::RunFinished { outcome } => self.finish(outcome),
            Event::Unknown { .. } => Ok(()),
        }
    }

    fn begin(&mut self, begun: RunStarted) -> Result<(), String> {
        if begun.journal != JOURNAL_VERSION {
            return Err(format!(
                "the journal has format {}, which this version does not read",
                begun.journal
            ));
        }
        if begun.plan != self.plan.digest() {
            return Err("it belongs to another plan".into());
        }
        self.begun = Some(begun);
        self.status = RunStatus::Running;
        Ok(())
    }

    fn finish(&mut self, outcome: RunOutcome) -> Result<(), String> {
        if let Some(at) = self.tasks.iter().position(|task| !matches!(task.stage, Stage::Ended(_))) {
            return Err(format!("task `{}` has not ended", self.plan.tasks()[at].id));
        }
        self.status = RunStatus::Finished(outcome);
        Ok(())
    }

    fn find(&mut self, id: &TaskId) -> Result<&mut TaskState, String> {
        let ix = self.plan.find(id).ok_or_else(|| format!("the plan has no task `{id}`"))?;
        Ok(&mut self.tasks[ix.at()])
    }

    fn running(&mut self, id: &TaskId) -> Result<&mut TaskState, String> {
        let task = self.find(id)?;
        if task.stage == Stage::Running { Ok(task) } else { Err(format!("task `{id}` is not running")) }
    }

    fn task_started(&mut self, id: &TaskId, attempt: u32, at: Timestamp) -> Result<(), String> {
        let task = self.find(id)?;
        if !matches!(task.stage, Stage::Pending | Stage::Retrying(_)) || attempt != task.attempt + 1 {
            return Err(format!("attempt {attempt} of task `{id}` cannot start now"));
        }
        task.stage = Stage::Running;
        task.attempt = attempt;
        task.started.get_or_insert(at);
        Ok(())
    }

    fn task_planned(
        &mut self,
        id: &TaskId,
        round: u32,
        actions: Vec<Action>,
        carried: Json,
    ) -> Result<(), String> {
        let task = self.running(id)?;
        if round as usize != task.rounds.len() || task.rounds.last().is_some_and(|round| !round.is_over()) {
            return Err(format!("round {round} of task `{id}` cannot begin now"));
        }
        let steps = Vec::with_capacity(actions.len());
        if task.rounds.is_empty() {
            task.rounds.reserve_exact(1);
        }
        task.rounds.push(Round { actions, steps, carried });
        Ok(())
    }

    fn round(&mut self, id: &TaskId, index: u32) -> Result<&mut Round, String> {
        let task = self.running(id)?;
        let round =
            task.rounds.last_mut().filter(|round| round.performed() == index as usize && !round.is_over());
        round.ok_or_else(|| format!("action {index} of task `{id}` is not the next one"))
    }

    fn action_started(
        &mut self,
        id: &TaskId,
        index: u32,
        undo: Vec<Action>,
        at: Timestamp,
    ) -> Result<(), String> {
        let round = self.round(id, index)?;
        if round.steps.len() > index as usize {
            return Err(format!("action {index} of task `{id}` was started already"));
        }
        round.steps.push(Step { started: Some(at), undo, receipt: None });
        Ok(())
    }

    fn action_finished(&mut self, id: &TaskId, index: u32, receipt: Box<Receipt>) -> Result<(), String> {
        let round = self.round(id, index)?;
        if round.steps.len() == index as usize {
            if round.actions[index as usize].effect() > Effect::Reads {
                return Err(format!("action {index} of task `{id}` finished and was never started"));
            }
            round.steps.push(Step::default());
        }
        round.steps[index as usize].receipt = Some(receipt);
        Ok(())
    }

    fn attempt_failed(
        &mut self,
        id: &TaskId,
        failure: Failure,
        retry_at: Timestamp,
        at: Timestamp,
    ) -> Result<(), String> {
        let task = self.running(id)?;
        let rounds = std::mem::take(&mut task.rounds);
        task.past.push(Attempt { rounds, failure, ended: at });
        task.stage = Stage::Retrying(retry_at);
        Ok(())
    }

    fn task_finished(&mut self, finished: Box<TaskFinished>, at: Timestamp) -> Result<(), String> {
        let n = self.records + 1;
        let task = self.find(&finished.task)?;
        let carried = finished.from_run.is_some();
        let fits = match (task.stage, finished.outcome) {
            (_, Outcome::Waiting) | (Stage::Ended(_), _) => false,
            (Stage::Pending, Outcome::Passed) => carried,
            (Stage::Pending, Outcome::Failed | Outcome::Withheld) => false,
            (Stage::Pending, _) => true,
            (Stage::Running, Outcome::Passed) => task.rounds.last().is_some_and(Round::is_over),
            (Stage::Running, Outcome::Skipped) => {
                finished.reason == Some(Reason::ByHand) && task.rounds.last().is_some_and(Round::is_over)
            }
            (Stage::Running, _) => true,
            (Stage::Retrying(_), outcome) => outcome == Outcome::Cancelled,
        };
        if !fits {
            return Err(format!("task `{}` cannot end as {} now", finished.task, finished.outcome));
        }
        task.stage = Stage::Ended(finished.outcome);
        task.ended = Some(at);
        task.record = Some(n);
        task.end = Some(finished);
        Ok(())
    }
}
