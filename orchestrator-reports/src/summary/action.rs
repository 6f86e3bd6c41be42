//! What was done: one entry for each action of a task, performed or not.

use jiff::Timestamp;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::order::{Artifact, Receipt, Status, Used};
use orchestrator_core::state::{Round, Step, TaskState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measured::Measured;

/// An action of a task and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActionSummary {
    /// Round of the attempt, from 0.
    pub round: u32,
    /// Place in the round, from 0.
    pub index: u32,
    /// What kind it is.
    pub kind: ActionKind,
    /// One line for people.
    pub what: String,
    /// How far it reaches.
    pub effect: Effect,
    /// What came of it, in one word.
    pub state: ActionState,
    /// What came of it, such as `exit code 0`.
    pub status: String,
    /// When it was started.
    #[schemars(with = "Measured<String>")]
    pub started: Measured<Timestamp>,
    /// Milliseconds that it took.
    pub took_ms: Measured<f64>,
    /// Milliseconds of processor time that it used, in user mode and in the kernel.
    pub cpu_ms: Measured<u64>,
    /// Whole outputs, with their places relative to the run's folder; none where nothing was written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logs: Vec<Artifact>,
    /// The last lines, where it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tail: String,
}

/// What kind of action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// A command.
    Run,
    /// A file's new content.
    Write,
    /// A file that goes.
    Remove,
    /// An operation.
    Call,
    /// A wait.
    Await,
}

/// What came of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// Performed without a failure.
    Done,
    /// Nothing was to be done.
    AlreadySo,
    /// Performed, and failed.
    Failed,
    /// Started; its end is not on record.
    UnderWay,
    /// Above the ceiling.
    Withheld,
    /// Planned and not performed.
    NotPerformed,
}

impl ActionSummary {
    /// Whether it changed, or may have changed, something.
    pub fn is_change(&self) -> bool {
        self.kind != ActionKind::Await
            && self.effect > Effect::Reads
            && matches!(self.state, ActionState::Done | ActionState::Failed | ActionState::UnderWay)
    }
}

/// The actions of rounds, in order. `rest` is what became of those in the last round that were not performed.
pub(super) fn all(rounds: &[Round], rest: ActionState) -> Vec<ActionSummary> {
    let mut all = Vec::new();
    for (at, round) in rounds.iter().enumerate() {
        let rest = if at + 1 == rounds.len() && !round.failed() { rest } else { ActionState::NotPerformed };
        for (index, action) in round.actions.iter().enumerate() {
            all.push(one(at as u32, index as u32, action, round.steps.get(index), rest));
        }
    }
    all
}

/// What follows those that were withheld, as far as the agent knew.
pub(super) fn following(task: &TaskState) -> Vec<ActionSummary> {
    let (round, end) = (task.rounds.len() as u32, task.end.iter());
    let follows = end.flat_map(|end| &end.follows).enumerate();
    follows.map(|(index, action)| one(round, index as u32, action, None, ActionState::Withheld)).collect()
}

fn one(round: u32, index: u32, action: &Action, step: Option<&Step>, rest: ActionState) -> ActionSummary {
    let receipt = step.and_then(|step| step.receipt.as_deref());
    let state = match (step, receipt) {
        (_, Some(receipt)) if receipt.status == Status::AlreadySo => ActionState::AlreadySo,
        (_, Some(receipt)) if receipt.ok() => ActionState::Done,
        (_, Some(_)) => ActionState::Failed,
        (Some(_), None) => ActionState::UnderWay,
        (None, None) => rest,
    };
    let why = match state {
        ActionState::UnderWay => "its end is not on record",
        ActionState::Withheld => "it lies above the ceiling",
        ActionState::NotPerformed => "it was not performed",
        ActionState::Done | ActionState::AlreadySo | ActionState::Failed => "it is only recorded for changes",
    };
    ActionSummary {
        round,
        index,
        kind: kind(action),
        what: action.to_string(),
        effect: action.effect(),
        state,
        status: receipt.map_or_else(|| word(state).to_owned(), |receipt| receipt.status.to_string()),
        started: Measured::or(step.and_then(|step| step.started), why),
        took_ms: receipt.map_or_else(|| Measured::not(why), took),
        cpu_ms: receipt.map_or_else(|| Measured::not(why), cpu),
        logs: receipt.map_or_else(Vec::new, |receipt| {
            [&receipt.stdout, &receipt.stderr].into_iter().flatten().cloned().collect()
        }),
        tail: receipt
            .filter(|receipt| !receipt.ok())
            .map_or_else(String::new, |receipt| receipt.tail.clone()),
    }
}

fn took(receipt: &Receipt) -> Measured<f64> {
    if receipt.status == Status::AssumedDone {
        Measured::not("a person said that it had been done before the crash")
    } else {
        Measured::Value(receipt.took_ms)
    }
}

fn cpu(receipt: &Receipt) -> Measured<u64> {
    let used = receipt.used.map(|Used { user_ms, system_ms }| user_ms + system_ms);
    Measured::or(used, "the executor did not measure it")
}

fn kind(action: &Action) -> ActionKind {
    match action {
        Action::Run(_) => ActionKind::Run,
        Action::Write(_) => ActionKind::Write,
        Action::Remove(_) => ActionKind::Remove,
        Action::Call(_) => ActionKind::Call,
        Action::Await(_) => ActionKind::Await,
    }
}

fn word(state: ActionState) -> &'static str {
    match state {
        ActionState::Done => "done",
        ActionState::AlreadySo => "already so",
        ActionState::Failed => "failed",
        ActionState::UnderWay => "under way",
        ActionState::Withheld => "withheld",
        ActionState::NotPerformed => "not performed",
    }
}
