//! What a supervisor keeps, as it stands in `supervise.json`.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ProxyOrder;
use crate::deployment::Process;

/// All that a supervisor keeps running.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// The supervisor itself, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<Process>,
    /// By release.
    #[serde(default)]
    pub services: BTreeMap<String, Kept>,
    /// The proxy, where it was told to keep one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<KeptProxy>,
}

/// One release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// What its processes carry in `ORCHESTRATE_SERVICE`.
    pub tag: String,
    /// Its port, the same at each start.
    pub port: u16,
    /// How it stands.
    pub state: State,
    /// Its process; none while it has none, and from before a start until the process is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// When that process was started, or the release last ended.
    pub since: Timestamp,
    /// How often it was started again.
    #[serde(default)]
    pub restarts: u32,
    /// How it ended the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<String>,
    /// Why it does not run, where that is more than how it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How a kept process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was started for the first time, and nobody has said yet that it is up: an exit is told and not mended.
    Starting,
    /// It runs, and is started again when it ends.
    Up,
    /// It ended or could not be started, and is started again after a pause.
    Waiting,
    /// It ended before it was up. It stays down.
    Exited,
    /// It crashed five times, each within a minute of the one before. It stays down.
    CrashLoop,
    /// It ended, and the secrets that it was given are known to nobody: no supervisor watched, or it wrote over its environment before the next one could read them. It stays down.
    NeedsSecrets,
    /// It is being ended.
    Ending,
}

impl State {
    /// Whether it will not run again by itself.
    pub fn is_down(self) -> bool {
        matches!(self, Self::Exited | Self::CrashLoop | Self::NeedsSecrets)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Starting => "starting",
            Self::Up => "up",
            Self::Waiting => "waiting to be started again",
            Self::Exited => "exited before it was up",
            Self::CrashLoop => "crash loop: it is not started again",
            Self::NeedsSecrets => {
                "it ended, and the secrets that it was given are not known any more; deploy or reinstate it again"
            }
            Self::Ending => "ending",
        })
    }
}

/// The proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptProxy {
    /// What was ordered.
    pub order: ProxyOrder,
    /// Where it listens: the ordered addresses, with the ports that they got.
    pub listens: Vec<SocketAddr>,
    /// Where its metrics are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
    /// How it stands; never [`State::CrashLoop`].
    pub state: State,
    /// The process that serves: that of a successor after an upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Since when.
    pub since: Timestamp,
    /// How often it was started again.
    #[serde(default)]
    pub restarts: u32,
    /// Why it does not serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}
