//! What is said to a supervisor over its socket: one JSON line a question, one JSON line an answer. Plain values.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Roster, Supervisor};
use crate::deployment::Process;

/// A question or an order. None of them does harm when it is repeated.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// What it keeps, and how much memory that takes.
    Status,
    /// Starts a release from its folder. One that runs is left as it is. It is [`State::Starting`](super::State::Starting) then.
    Start {
        /// Which one.
        release: String,
        /// Its port, now and at each start after a crash.
        port: u16,
        /// All variables that it gets, secrets resolved. Kept in memory only.
        env: BTreeMap<String, String>,
    },
    /// It is up: from now on it is started again when it ends.
    Keep {
        /// Which one.
        release: String,
    },
    /// Takes over a release that was started without it.
    Adopt {
        /// Which one.
        release: String,
        /// Its port.
        port: u16,
        /// Its process.
        process: Process,
    },
    /// Ends a release whole, and answers when it has ended.
    End {
        /// Which one.
        release: String,
        /// Milliseconds until what is left is killed.
        grace_ms: u64,
    },
    /// Keeps a proxy running from now on, and answers when it serves. Another order replaces the one before; where only the program is
    /// another, a proxy that serves goes on, and its next start is of that program.
    Proxy {
        /// Which one.
        proxy: ProxyOrder,
    },
    /// Ends the proxy, and answers when it has ended.
    EndProxy {
        /// Milliseconds until it is killed.
        grace_ms: u64,
    },
    /// Ends all that it keeps, then itself.
    Quit {
        /// Milliseconds until what is left is killed.
        grace_ms: u64,
    },
}

/// Names of variables, never their values.
impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status => f.write_str("status"),
            Self::Start { release, port, env } => {
                let names: Vec<_> = env.keys().collect();
                write!(f, "start {release} on {port} with {names:?}")
            }
            Self::Keep { release } => write!(f, "keep {release}"),
            Self::Adopt { release, port, process } => write!(f, "adopt {release} on {port}: {}", process.pid),
            Self::End { release, grace_ms } => write!(f, "end {release} within {grace_ms} ms"),
            Self::Proxy { proxy } => write!(f, "keep a proxy on {:?}", proxy.listen),
            Self::EndProxy { grace_ms } => write!(f, "end the proxy within {grace_ms} ms"),
            Self::Quit { grace_ms } => write!(f, "quit within {grace_ms} ms"),
        }
    }
}

/// The proxy that is to be kept running. It is started with one end of a channel as its standard input, over which it is handed its
/// sockets (`orchestrator_traffic::sockets`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProxyOrder {
    /// Its program, absolute.
    pub program: PathBuf,
    /// Its arguments. They stand in `supervise.json`: no secrets.
    pub args: Vec<String>,
    /// Where clients connect; port 0 is any that is free, and stays the same then.
    pub listen: Vec<SocketAddr>,
    /// Where its metrics are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<SocketAddr>,
}

impl ProxyOrder {
    /// The proxy that the supervisor's own program is: `PROGRAM proxy --folder FOLDER --inherit MORE..`. `FOLDER` is `proxy` in the
    /// folder of the environment, absolute.
    pub fn of(
        supervisor: &Supervisor,
        folder: &Path,
        listen: Vec<SocketAddr>,
        metrics: Option<SocketAddr>,
        more: &[String],
    ) -> Self {
        let own =
            ["proxy".into(), "--folder".into(), folder.to_string_lossy().into_owned(), "--inherit".into()];
        let args = supervisor.args.iter().chain(&own).chain(more).cloned().collect();
        Self { program: supervisor.program.clone(), args, listen, metrics }
    }
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Answer {
    /// To `status`.
    Standing(Box<Standing>),
    /// To `start`.
    Started {
        /// Its process.
        process: Process,
    },
    /// To `proxy`: it serves.
    Serving {
        /// Its process.
        pid: u32,
        /// Where.
        listens: Vec<SocketAddr>,
        /// Where its metrics are read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metrics: Option<SocketAddr>,
    },
    /// To all others.
    Done,
    /// It was not done.
    Refused {
        /// Why, and what would help.
        why: String,
    },
}

/// How all stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What it keeps.
    pub roster: Roster,
    /// Bytes of memory by release: the resident sets of all its processes, added up. Pages that they share count for each.
    pub resident: BTreeMap<String, u64>,
    /// The same of the proxy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy_resident: Option<u64>,
    /// The same of the supervisor itself.
    pub own_resident: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_shown_without_values() {
        let order = Order::Start {
            release: "1.0.0-x".into(),
            port: 80,
            env: BTreeMap::from([("TOKEN".into(), "s3cret".into())]),
        };
        assert_eq!(format!("{order:?}"), "start 1.0.0-x on 80 with [\"TOKEN\"]");
        let json = serde_json::to_string(&Order::End { release: "x".into(), grace_ms: 5 }).unwrap();
        assert_eq!(json, r#"{"do":"end","release":"x","grace_ms":5}"#);
        assert!(
            serde_json::from_str::<Order>(r#"{"do":"end","release":"x","grace_ms":5,"more":1}"#).is_err()
        );
    }
}
