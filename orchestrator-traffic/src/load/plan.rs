//! What is wanted of a load, checked before anything is sent.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::mix::Mix;
use super::version::VersionFrom;

/// The most requests a second.
const FASTEST: f64 = 1e6;
/// The most connections.
const MOST: u32 = 20_000;
/// The most requests of one load.
const LONGEST: u64 = 1_000_000_000;
/// A week.
const LAST: u64 = 7 * 24 * 3_600_000;

/// What to send, how often and for how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Where to, `http` or `https`. Paths of the mix are below it.
    pub url: String,
    /// Requests a second.
    pub rate: f64,
    /// How the times at which they are due lie.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Ends when that many were due; none for no such end.
    #[serde(default)]
    pub requests: Option<u64>,
    /// Ends after that many milliseconds; none for no such end.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// The most connections at once. A request that is due while all are busy waits, and its latency counts that.
    pub connections: u32,
    /// Whether all connections are opened before the first request is due, and kept.
    #[serde(default)]
    pub preconnect: bool,
    /// What the requests do.
    #[serde(default)]
    pub mix: Mix,
    /// Milliseconds from sending until a request counts as failed.
    pub timeout_ms: u64,
    /// Statuses that are right; from 200 to 399 where empty.
    #[serde(default)]
    pub expect_status: Vec<u16>,
    /// Where an answer says which version gave it.
    #[serde(default)]
    pub version_from: Option<VersionFrom>,
    /// HTTP/2, by TLS as the server agrees or without TLS; but for websockets, which stay HTTP/1.1.
    #[serde(default)]
    pub http2: bool,
    /// Whether other machines than this one may be spoken to.
    #[serde(default)]
    pub allow_remote: bool,
    /// A file of certificates (PEM) of those who may have signed the server's, beside whom the system trusts. Of `https` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Makes the order of the mix and random arrivals the same again.
    #[serde(default)]
    pub seed: u64,
}

/// How the times at which requests are due lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrivals {
    /// The same time apart.
    #[default]
    Even,
    /// A Poisson process: as unrelated users come.
    Poisson,
}

/// What keeps a load from beginning.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The plan makes no sense.
    #[error("{0}")]
    Plan(String),
    /// It is about another machine.
    #[error(
        "`{host}` is {address}, which is not this machine; other machines are loaded only with `--allow-remote`"
    )]
    Remote {
        /// As it was named.
        host: String,
        /// What the name stands for.
        address: std::net::IpAddr,
    },
    /// The name of the host stands for nothing.
    #[error("`{host}` cannot be found")]
    Unknown {
        /// As it was named.
        host: String,
        /// Why.
        source: std::io::Error,
    },
    /// The process may not open as many files as there would be connections.
    #[error(
        "{connections} connections need {need} open files, this process may have {have}; say `ulimit -n {need}` or want fewer"
    )]
    Files {
        /// Connections that are wanted.
        connections: u32,
        /// Files that they need.
        need: u64,
        /// Files that may be open.
        have: u64,
    },
    /// Connections could not be opened beforehand.
    #[error("connection {done} of {connections} could not be opened: {what}")]
    Preconnect {
        /// Which.
        done: u32,
        /// Of how many.
        connections: u32,
        /// Why.
        what: String,
    },
    /// A file of certificates that is of no use.
    #[error("`{path}` {what}")]
    Roots {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A thread could not be started.
    #[error("the load client could not be started")]
    Start(#[source] std::io::Error),
}

impl Plan {
    /// A plan of even arrivals on kept-alive connections, ended by its caller.
    pub fn new(url: impl Into<String>, rate: f64) -> Self {
        Self {
            url: url.into(),
            rate,
            arrivals: Arrivals::Even,
            requests: None,
            duration_ms: None,
            connections: 256,
            preconnect: false,
            mix: Mix::default(),
            timeout_ms: 10_000,
            expect_status: Vec::new(),
            version_from: None,
            http2: false,
            allow_remote: false,
            ca: None,
            seed: 0,
        }
    }

    /// Whether it can be done; the error names what cannot.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let wrong = |message: String| Err(LoadError::Plan(message));
        if !(self.rate.is_finite() && self.rate >= 0.001 && self.rate <= FASTEST) {
            return wrong(format!(
                "a rate of {} requests a second is out of bounds: 0.001 to {FASTEST}",
                self.rate
            ));
        }
        if self.connections == 0 || self.connections > MOST {
            return wrong(format!("{} connections are out of bounds: 1 to {MOST}", self.connections));
        }
        if self.requests.is_some_and(|requests| requests == 0 || requests > LONGEST) {
            return wrong(format!("the number of requests is out of bounds: 1 to {LONGEST}"));
        }
        if self.duration_ms.is_some_and(|long| long == 0 || long > LAST) {
            return wrong("the duration is out of bounds: above 0, at most 7 days".into());
        }
        if self.timeout_ms == 0 || self.timeout_ms > 3_600_000 {
            return wrong("the timeout is out of bounds: above 0, at most an hour".into());
        }
        if let Some(status) = self.expect_status.iter().find(|status| !(100..=599).contains(*status)) {
            return wrong(format!("`{status}` is no status: 100 to 599"));
        }
        self.mix.check().map_err(LoadError::Plan)
    }

    /// Whether that status is right.
    pub(super) fn accepts(&self, status: u16) -> bool {
        if self.expect_status.is_empty() {
            (200..400).contains(&status)
        } else {
            self.expect_status.contains(&status)
        }
    }
}
