//! Events: the durable facts of a run. The state of a run is a fold over them and nothing else.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::agent::Conclusion;
use crate::effect::Effect;
use crate::id::{RunId, TaskId};
use crate::json::Json;
use crate::order::{Artifact, Receipt, Signal};
use crate::outcome::{Failure, Outcome, Reason};
use crate::path::Digest;

/// The format of journals that this version writes.
pub const JOURNAL_VERSION: u32 = 1;

/// An event with its number and time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Record {
    /// Its number in the journal, from 1, without gaps.
    pub n: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
}

/// A fact of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The run began.
    RunStarted(Box<RunStarted>),
    /// A new process took the run up.
    RunResumed(Process),
    /// An attempt of a task began.
    TaskStarted {
        /// Whose.
        task: TaskId,
        /// From 1.
        attempt: u32,
    },
    /// What the attempt will perform, with what the survey gave; in later rounds with what the last verdict carried.
    TaskPlanned {
        /// Whose.
        task: TaskId,
        /// From 0.
        round: u32,
        /// In this order.
        actions: Vec<Action>,
        /// What `Agent::survey` gave, then what `Verdict::More` carried.
        #[serde(default, skip_serializing_if = "Json::is_null")]
        carried: Json,
    },
    /// An action above `Reads` is about to be performed.
    ActionStarted {
        /// Whose.
        task: TaskId,
        /// Its place in the round.
        index: u32,
        /// What would reverse it, captured before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        undo: Vec<Action>,
    },
    /// An action was performed.
    ActionFinished {
        /// Whose.
        task: TaskId,
        /// Its place in the round.
        index: u32,
        /// What it gave.
        receipt: Box<Receipt>,
    },
    /// An attempt failed and another follows.
    AttemptFailed {
        /// Whose.
        task: TaskId,
        /// Why.
        failure: Box<Failure>,
        /// Not before this time.
        retry_at: Timestamp,
    },
    /// A task ended, or was not started.
    TaskFinished(Box<TaskFinished>),
    /// Something from outside came.
    SignalReceived(Box<Signal>),
    /// The process stopped before the run was over; it can be resumed.
    RunStopped {
        /// Why.
        why: Stopped,
    },
    /// The run is over.
    RunFinished {
        /// How it ended.
        outcome: RunOutcome,
    },
    /// An event of a later version; it changes nothing here.
    #[serde(skip_deserializing)]
    Unknown {
        /// Its name.
        name: String,
    },
}

/// What is known when a run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Format of the journal.
    pub journal: u32,
    /// The run.
    pub run: RunId,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Digest of the plan.
    pub plan: Digest,
    /// The ceiling.
    pub ceiling: Effect,
    /// The run that this one belongs to or follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<RunId>,
    /// The process that runs it.
    pub process: Process,
}

/// The process that runs a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Version of this program.
    pub version: String,
    /// Process id; 0 where there is none.
    pub pid: u32,
    /// Name of the machine; empty where not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub host: String,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskFinished {
    /// Whose.
    pub task: TaskId,
    /// How.
    pub outcome: Outcome,
    /// Why it was not started or did not end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What the agent concluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<Conclusion<Json>>,
    /// Why it failed where the agent did not say so itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The earlier run in which it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_run: Option<RunId>,
    /// The recorded result that was reused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Box<Reused>>,
    /// What follows what was withheld, as far as its agent knew: shown, and not planned yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub follows: Vec<Action>,
}

/// A recorded result that was reused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reused {
    /// The fingerprint that it was recorded under.
    pub fingerprint: Digest,
    /// When it was recorded.
    pub at: Timestamp,
    /// Milliseconds that it took then.
    pub took_ms: f64,
    /// What its commands printed then, and the files that they were told to keep; beside those of this run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captured: Vec<Artifact>,
}

/// Why a process stopped before its run was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// On request.
    Interrupted,
    /// All that is left waits for a person.
    Waiting,
    /// It is not known whether something was published.
    Unsure,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// No task failed.
    Passed,
    /// A task failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl Event {
    /// The task that it is about.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Self::TaskStarted { task, .. }
            | Self::TaskPlanned { task, .. }
            | Self::ActionStarted { task, .. }
            | Self::ActionFinished { task, .. }
            | Self::AttemptFailed { task, .. } => Some(task),
            Self::TaskFinished(finished) => Some(&finished.task),
            Self::RunStarted(_)
            | Self::RunResumed(_)
            | Self::SignalReceived(_)
            | Self::RunStopped { .. }
            | Self::RunFinished { .. }
            | Self::Unknown { .. } => None,
        }
    }
}

#[derive(Deserialize)]
struct Known {
    n: u64,
    at: Timestamp,
    event: Event,
}

#[derive(Deserialize)]
struct Foreign {
    n: u64,
    at: Timestamp,
    event: std::collections::HashMap<String, serde_json::Value>,
}

const NAMES: [&str; 11] = [
    "run_started",
    "run_resumed",
    "task_started",
    "task_planned",
    "action_started",
    "action_finished",
    "attempt_failed",
    "task_finished",
    "signal_received",
    "run_stopped",
    "run_finished",
];

impl Record {
    /// Reads one line of a journal. An event of an unknown name is kept as [`Event::Unknown`]; a known name with
    /// contents that do not fit is an error.
    pub fn parse(line: &[u8]) -> Result<Self, serde_json::Error> {
        match serde_json::from_slice::<Known>(line) {
            Ok(Known { n, at, event }) => Ok(Self { n, at, event }),
            Err(error) => match serde_json::from_slice::<Foreign>(line) {
                Ok(Foreign { n, at, event }) if event.len() == 1 => {
                    let name = event.into_keys().next().expect("there is one");
                    if NAMES.contains(&name.as_str()) {
                        Err(error)
                    } else {
                        Ok(Self { n, at, event: Event::Unknown { name } })
                    }
                }
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_versions_are_tolerated_and_nonsense_is_not() {
        let line = br#"{"n":3,"at":"2026-11-20T00:00:00Z","event":{"task_dreamt":{"x":1}}}"#;
        assert_eq!(Record::parse(line).unwrap().event, Event::Unknown { name: "task_dreamt".into() });
        let line = br#"{"n":3,"at":"2026-11-20T00:00:00Z","event":{"task_started":{"x":1}}}"#;
        assert!(Record::parse(line).is_err());
        assert!(Record::parse(b"{}").is_err());
    }

    #[test]
    fn records_round_trip() {
        let record = Record {
            n: 1,
            at: "2026-11-20T00:00:00Z".parse().unwrap(),
            event: Event::TaskFinished(Box::new(TaskFinished {
                task: TaskId::new("a").unwrap(),
                outcome: Outcome::Passed,
                reason: None,
                conclusion: Some(Conclusion::new("ok", serde_json::json!({"x": [1]}).into())),
                failure: None,
                from_run: None,
                reused: None,
                follows: Vec::new(),
            })),
        };
        let line = serde_json::to_vec(&record).unwrap();
        assert_eq!(Record::parse(&line).unwrap(), record);
    }
}
