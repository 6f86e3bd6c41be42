//! What the tasks of a run ask of people: which signal answers it, and the command that does.

use orchestrator_agents::deployment;
use orchestrator_agents::editing::manual;
use orchestrator_agents::environment::REMEDY;
use orchestrator_agents::merge;
use orchestrator_core::action::Await;
use orchestrator_core::event::Stopped;
use orchestrator_core::id::{RunId, SignalName, TaskId};
use orchestrator_core::state::{RunState, RunStatus};
use serde_json::{Value, json};

/// How a wait is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Done, skipped or aborted.
    Manual,
    /// Agreed to or refused.
    Remedy,
    /// Solved or refused.
    Conflict,
    /// By whatever the agent that waits takes.
    Other,
}

/// What a task waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) task: &'a TaskId,
    pub(crate) signal: &'a SignalName,
    pub(crate) message: &'a str,
    pub(crate) kind: Kind,
}

impl<'a> Question<'a> {
    /// What a wait asks; none where it is for a time only.
    pub(crate) fn of(task: &'a TaskId, wait: &'a Await) -> Option<Self> {
        let signal = wait.signal.as_ref()?;
        let remedy = signal.as_str().strip_prefix(REMEDY).is_some_and(|rest| rest.starts_with('.'));
        let kind = if manual::signal_of(task).is_ok_and(|own| own == *signal) {
            Kind::Manual
        } else if remedy {
            Kind::Remedy
        } else if merge::signal_of(task).is_ok_and(|own| own == *signal) {
            Kind::Conflict
        } else {
            Kind::Other
        };
        Some(Self { task, signal, message: &wait.message, kind })
    }

    /// The command that answers it.
    pub(crate) fn command(self, run: &RunId) -> String {
        let Self { task, signal, kind, .. } = self;
        match kind {
            Kind::Manual | Kind::Remedy | Kind::Conflict => format!("orchestrate approve {run} {task}"),
            Kind::Other if self.is_watch() => {
                format!("orchestrate signal {run} {signal} --payload '\"promote\"'")
            }
            Kind::Other => format!("orchestrate signal {run} {signal}"),
        }
    }

    /// What else may be answered, for people.
    pub(crate) fn instead(self) -> &'static str {
        match self.kind {
            Kind::Manual => " (or with --skip, --abort)",
            Kind::Remedy => " (--abort refuses)",
            Kind::Conflict => " once it is solved (--abort gives up: the merge fails)",
            Kind::Other if self.is_watch() => " (or '\"rollback\"')",
            Kind::Other => "",
        }
    }

    /// Whether it asks how the watch of a deployment ends.
    fn is_watch(self) -> bool {
        deployment::watch_signal(self.task).is_ok_and(|own| own == *self.signal)
    }
}

/// What the tasks of a run wait for now, in the order of the plan.
pub(crate) fn open(state: &RunState) -> impl Iterator<Item = Question<'_>> {
    let tasks = state.tasks().iter().zip(state.plan().tasks());
    tasks.filter_map(|(task, planned)| Question::of(&planned.id, task.waits()?.0))
}

/// Whether a run has stopped because all that is left waits for people.
pub(crate) fn is_waiting(state: &RunState) -> bool {
    matches!(state.status(), RunStatus::Stopped(Stopped::Waiting))
}

/// The same for programs.
pub(crate) fn json(state: &RunState, run: &RunId) -> Value {
    let one = |question: Question<'_>| {
        let Question { task, signal, message, kind: _ } = question;
        json!({ "task": task, "signal": signal, "message": message, "answer": question.command(run) })
    };
    open(state).map(one).collect()
}
