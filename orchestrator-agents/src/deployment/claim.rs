//! Who may change an environment: a claim, from the first action of a deployment to its last. Records; nothing here acts.

use std::fmt;

use jiff::Timestamp;
use orchestrator_core::id::{OrderKey, RunId, TaskId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{HostName, Process, Version};

/// Who changes an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Claim {
    /// The run.
    pub run: RunId,
    /// Its task.
    pub task: TaskId,
    /// Who started it, as `user@host`.
    pub owner: String,
    /// The process that claimed it; a run that was resumed has another one.
    pub process: Process,
    /// Since when.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// The version that it is about.
    pub version: Version,
    /// Which of several hosts it is the claim of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostName>,
    /// When its task was last heard of, where it acts over connections to a host; those come and go.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Timestamp>,
    /// The kept release that is brought back; none of a deployment, which brings a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brings: Option<String>,
}

impl Claim {
    /// Whether its task was heard of in the last so many seconds, over a connection.
    pub fn is_heard_within(&self, seconds: i64) -> bool {
        let ago = |at: Timestamp| Timestamp::now().duration_since(at).as_secs();
        self.heard.is_some_and(|at| (-1..seconds).contains(&ago(at)))
    }

    /// Whether it is that of the task that gave an order.
    pub fn is_of(&self, order: &OrderKey) -> bool {
        self.run == order.run && self.task == order.task
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, task, owner, process, since, version, host: _, heard: _, brings: _ } = self;
        let since = since.strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "run `{run}` ({task}, {version}, by {owner}, process {}, since {since})", process.pid)
    }
}

/// How a deployment ended, for the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// Which version.
    pub version: Version,
    /// Its release; none where it was not even started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// How.
    pub verdict: Ending,
    /// Why, in one line.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It is the version that counts now.
    Promoted,
    /// It had traffic, and the version before it has it again.
    RolledBack,
    /// It never had traffic.
    Failed,
    /// A person left it out.
    Skipped,
    /// A person gave it the traffic again.
    Reinstated,
    /// It could be neither promoted nor rolled back; the reason says what has the traffic.
    Stuck,
}

impl Ending {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::RolledBack => "rolled back",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Reinstated => "brought back",
            Self::Stuck => "stuck",
        }
    }
}
