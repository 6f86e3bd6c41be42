//! `manual`: what only a person can do. Shows instructions, waits, and ends as the person says: done, skipped or aborted.

mod answer;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::{MAX_NAME, NameError, SignalName, TaskId};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::Digest;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use answer::{Answer, AnswerError, Decision, MAX_BY, MAX_NOTE};

/// How the signals begin that answer manual tasks: `manual.TASK`.
pub const SIGNAL: &str = "manual";
/// The longest instructions, in bytes.
const MAX_TEXT: usize = 64 << 10;
/// The most links, and the longest one in bytes.
const MAX_LINKS: (usize, usize) = (100, 2048);
/// How many answers that make no sense are passed over before the task fails.
const MAX_BROKEN: u32 = 20;

/// Config of `manual`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManualConfig {
    /// What the person is to do; at most 64 KiB.
    pub instructions: String,
    /// Where to read more; shown below the instructions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
}

/// What `manual` gives when it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// Who says so; empty where nobody gave a name.
    pub by: String,
    /// What they noted.
    pub note: String,
    /// When they said so, where the answer tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<jiff::Timestamp>,
}

/// Waits for a person.
#[derive(Debug, Clone, Copy, Default)]
pub struct Manual;

/// The signal that answers a manual task. The name of a task that is too long for it is shortened, and told apart by a digest.
pub fn signal_of(task: &TaskId) -> Result<SignalName, NameError> {
    let room = MAX_NAME - SIGNAL.len() - 1;
    let task = task.as_str();
    if task.len() <= room {
        return SignalName::new(format!("{SIGNAL}.{task}"));
    }
    let digest = Digest::of(task.as_bytes()).to_string();
    let (digest, kept) = (&digest[..16], &task[..room - 17]);
    SignalName::new(format!("{SIGNAL}.{kept}-{digest}"))
}

impl ManualConfig {
    fn check(&self) -> Result<(), BoxError> {
        let (many, long) = MAX_LINKS;
        if self.instructions.trim().is_empty() {
            return Err("`instructions` is empty: nobody would know what to do".into());
        }
        if self.instructions.len() > MAX_TEXT {
            let bytes = self.instructions.len();
            return Err(format!("`instructions` has {bytes} bytes; at most {MAX_TEXT} are shown").into());
        }
        if self.links.len() > many || self.links.iter().any(|link| link.len() > long) {
            return Err(format!("`links` may have {many} entries of {long} bytes").into());
        }
        Ok(())
    }

    /// What the person reads.
    fn message(&self) -> String {
        let links = self.links.iter().map(|link| format!("\nsee {}", link.trim()));
        std::iter::once(self.instructions.trim().to_owned()).chain(links).collect()
    }
}

fn wait(task: &TaskId, message: String) -> Result<Vec<Action>, BoxError> {
    let signal = Some(signal_of(task)?);
    Ok(vec![Await { signal, seconds: None, message }.into()])
}

impl Agent for Manual {
    const NAME: &'static str = "manual";
    const ABOUT: &'static str =
        "Waits until a person has done what its instructions say, or skips or aborts it";
    type Config = ManualConfig;
    type Output = Done;

    async fn plan(&self, task: &Task<ManualConfig>, _look: &Workspace) -> Result<Vec<Action>, BoxError> {
        task.config.check()?;
        wait(&task.id, task.config.message())
    }

    fn conclude(
        &self,
        task: &Task<ManualConfig>,
        receipts: &[Receipt],
        _artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<Done>, BoxError> {
        let Some(receipt) = receipts.last() else { return Ok(Verdict::failed("nobody was asked")) };
        match Answer::of(&receipt.output, &receipt.tail) {
            Ok(answer) => {
                let summary = format!("{} {answer}", task.id);
                Ok(match answer.decision {
                    Decision::Done => {
                        Verdict::passed(summary, Done { by: answer.by, note: answer.note, at: answer.at })
                    }
                    Decision::Skip => Verdict::skipped(summary),
                    Decision::Abort => Verdict::failed(summary),
                })
            }
            Err(why) => again(task, &why),
        }
    }
}

/// Waits once more, and says why the answer that came was passed over.
fn again(task: &Task<ManualConfig>, why: &AnswerError) -> Result<Verdict<Done>, BoxError> {
    let broken: u32 = if task.carried.is_null() { 0 } else { task.carried.parse()? };
    if broken + 1 >= MAX_BROKEN {
        let failed = format!("{MAX_BROKEN} answers came that make no sense, the last because {why}");
        return Ok(Verdict::failed(failed));
    }
    let message = format!("{}\n(an answer was passed over: {why})", task.config.message());
    Ok(Verdict::More { actions: wait(&task.id, message)?, carried: Json::of(&(broken + 1))? })
}

#[cfg(test)]
mod tests;
