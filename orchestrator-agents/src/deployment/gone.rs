//! What could not be reached when it was to be ended, and was forgotten: a host, or a container of an engine. Plain values.
//!
//! Forgetting ends nothing: whatever ran there may run still, so it is remembered by name until somebody saw to it.

use std::fmt;
use std::path::PathBuf;

use jiff::Timestamp;
use orchestrator_core::id::RunId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hosts::{Host, HostRecord};
use super::{Environment, HostName, HostPath, Version};

/// A host that was forgotten: an entry of `gone.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoneHost {
    /// What was known of it.
    #[serde(flatten)]
    pub record: HostRecord,
    /// When it was forgotten.
    pub at: Timestamp,
    /// By whom, as `user@host`.
    pub who: String,
    /// By which run.
    pub run: RunId,
    /// Why it was not reached.
    pub why: String,
    /// Whether it is seen to: what ran there was ended or replaced since, or it was forgotten once more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

impl GoneHost {
    /// The most that are remembered of one environment.
    pub(super) const MOST: usize = 200;

    /// Whether it is about that host, and nobody has seen to it.
    pub fn is_open_at(&self, host: &Host) -> bool {
        !self.over && self.record.host.is_at(host)
    }

    /// What may run there still: ``1.0.0, in `srv/shop` ``.
    pub fn may_run(&self) -> String {
        may_run(self.record.counts.as_ref(), &self.record.host.folder)
    }
}

fn may_run(version: Option<&Version>, folder: &HostPath) -> String {
    match version {
        Some(version) => format!("{version}, in `{folder}`"),
        None => format!("what was deployed, in `{folder}`"),
    }
}

/// What is told of a host that was forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// When.
    pub at: Timestamp,
    /// By whom, as `user@host`.
    pub who: String,
    /// By which run.
    pub run: RunId,
    /// The version that was made to count there last, from here; none where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Where on it things lie.
    pub folder: HostPath,
    /// Why it was not reached.
    pub why: String,
    /// Whether it answers again.
    pub answers: bool,
}

impl Remembered {
    /// Of one that answers again, or does not.
    pub(super) fn of(gone: &GoneHost, answers: bool) -> Self {
        let GoneHost { record, at, who, run, why, over: _ } = gone.clone();
        Self { at, who, run, version: record.counts, folder: record.host.folder, why, answers }
    }

    /// What may run there still: ``1.0.0, in `srv/shop` ``.
    pub fn may_run(&self) -> String {
        may_run(self.version.as_ref(), &self.folder)
    }
}

/// What was forgotten, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Forgotten {
    /// A host.
    Host {
        /// Of which environment.
        environment: Environment,
        /// Which.
        host: HostName,
        /// Where on it things lie.
        folder: HostPath,
        /// The version that was made to count there last, from here; none where that is not known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<Version>,
        /// Why it was not reached.
        why: String,
    },
    /// A container.
    Container {
        /// Of which environment.
        environment: Environment,
        /// Its name.
        container: String,
        /// The socket of its engine.
        socket: PathBuf,
        /// Its version.
        version: Version,
        /// Its release.
        release: String,
        /// Whether the service answers all the same: then it runs.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        answers: bool,
        /// Whether it is of a kept release: it was to be ended when another version came to count.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        kept: bool,
        /// Why the engine was not asked.
        why: String,
    },
}

impl Forgotten {
    /// The host, or the container.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Host { host, .. } => host.to_string(),
            Self::Container { container, .. } => container.clone(),
        }
    }
}

/// As people read it: what may run where.
impl fmt::Display for Forgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { environment, host, folder, version, why } => {
                let runs = may_run(version.as_ref(), folder);
                write!(
                    f,
                    "{host} was not reached ({why}), so nothing was ended there: {runs}, may run still; "
                )?;
                write!(
                    f,
                    "should it come back, `orchestrate deploy stop --environment {environment} --host {host}` ends that"
                )
            }
            Self::Container {
                environment: _,
                container,
                socket,
                version,
                release: _,
                answers,
                kept,
                why,
            } => {
                let socket = socket.display();
                let runs = match (answers, kept) {
                    (true, _) => "runs still, and answers",
                    (false, true) => "of a kept release may be there still",
                    (false, false) => "may run still",
                };
                write!(
                    f,
                    "the engine at `{socket}` does not answer ({why}), so container `{container}` ({version}) {runs}; "
                )?;
                write!(f, "should the engine come back, `docker rm -f {container}` ends that")
            }
        }
    }
}
