//! Asks on the terminal for what a run waits for, remedies and manual tasks alike, and answers the run.

use std::collections::BTreeSet;

use orchestrator_agents::editing::manual::Answer;
use orchestrator_core::id::{SignalName, TaskId};
use orchestrator_core::json::Json;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::order::Signal;
use orchestrator_core::report::RunRecord;
use orchestrator_core::stop::{Stop, StopLevel};

use super::ask::{is_anybody_there, unread};
use super::dialogue;
use crate::console::clean;
use crate::error::CliError;
use crate::out::{Out, note};
use crate::questions::{self, Kind};

/// Who answers, as the shell calls them.
pub(super) fn user() -> String {
    let named = |name| std::env::var(name).ok().filter(|name| !name.is_empty());
    named("USER").or_else(|| named("LOGNAME")).unwrap_or_default()
}

/// What the person at the terminal was asked so far in this process.
#[derive(Default)]
pub(super) struct Answers {
    /// Tasks that they left waiting: not asked for again.
    left: BTreeSet<TaskId>,
}

/// A question that outlives the state that it is from.
struct Asked {
    task: TaskId,
    signal: SignalName,
    message: String,
    kind: Kind,
}

impl Answers {
    /// Answers what a run waits for. False where there is nobody to ask, or nothing was answered.
    pub(super) async fn given(
        &mut self,
        orchestrator: &Orchestrator,
        record: &RunRecord,
        stop: &Stop,
    ) -> Result<bool, CliError> {
        if !is_anybody_there() {
            return Ok(false);
        }
        let mut any = false;
        for asked in self.open(record) {
            if stop.level() > StopLevel::Go {
                return Ok(false);
            }
            let (task, signal) = (asked.task.clone(), asked.signal.clone());
            let asking = tokio::task::spawn_blocking(move || asked.put());
            let payload = tokio::select! {
                biased;
                // What is typed from here on is the shell's.
                () = stop.at_least(StopLevel::Graceful) => return Ok(false),
                said = asking => said.map_err(|error| unread(std::io::Error::other(error)))??,
            };
            match payload {
                None => drop(self.left.insert(task)),
                Some(payload) => {
                    let from = user();
                    orchestrator.signal(&record.run, Signal { name: signal, payload, from }).await?;
                    any = true;
                }
            }
        }
        Ok(any)
    }

    fn open(&self, record: &RunRecord) -> Vec<Asked> {
        questions::open(&record.state)
            .filter(|question| question.kind != Kind::Other && !self.left.contains(question.task))
            .map(|question| Asked {
                task: question.task.clone(),
                signal: question.signal.clone(),
                message: question.message.to_owned(),
                kind: question.kind,
            })
            .collect()
    }
}

impl Asked {
    /// Asks; none where there is no answer.
    fn put(&self) -> Result<Option<Json>, CliError> {
        let Self { task, message, kind, .. } = self;
        let (mut input, mut out) = (std::io::stdin().lock(), Out::stderr());
        match kind {
            Kind::Remedy => {
                note(&clean(message));
                let agree = dialogue::yes(&mut input, &mut out, "Do it?", true).map_err(unread)?;
                Ok(agree.map(|agree| serde_json::json!({ "agree": agree }).into()))
            }
            Kind::Conflict => {
                note(&format!("\n{task} has a conflict: {}", crate::console::indented(message).trim_start()));
                let solved = dialogue::yes(&mut input, &mut out, "Is it solved?", true).map_err(unread)?;
                // Giving up is said with `approve --abort`; until then it waits.
                Ok(solved.filter(|solved| *solved).map(|_| serde_json::json!({ "agree": true }).into()))
            }
            Kind::Manual => {
                note(&format!("\n{task} needs a person:\n\n{}", crate::console::indented(message)));
                let Some((decision, note)) = dialogue::manual(&mut input, &mut out).map_err(unread)? else {
                    return Ok(None);
                };
                let answer = Answer { decision, by: user(), note, at: Some(jiff::Timestamp::now()) };
                let payload = Json::of(&answer).map_err(|error| unread(error.into()))?;
                Ok(Some(payload))
            }
            Kind::Other => Ok(None),
        }
    }
}
