//! Why a deployment could not be done.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::deployment::{Claim, Environment};

/// Why a deployment could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeployError {
    /// A file or process could not be worked with.
    #[error("{what}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A record that makes no sense.
    #[error("`{path}` is no record of a deployment; move it away to start over")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// There is no such artifact.
    #[error("artifact `{0}` is not there; build it first, or name another one")]
    NoArtifact(String),
    /// Something that cannot be deployed.
    #[error("artifact `{0}` is no file; a deployment takes one executable file")]
    NoFile(String),
    /// An artifact that does not belong to this checkout.
    #[error("artifact `{0}` lies outside the checkout; copy it into the checkout first")]
    Outside(String),
    /// The port cannot be had.
    #[error("port {0} is taken; leave the port out and each version gets its own")]
    Taken(u16),
    /// The service ended during its start.
    #[error("the service exited before it listened on port {port}; the end of its log:\n{tail}")]
    Exited {
        /// The port that it was given.
        port: u16,
        /// The last lines of its log.
        tail: String,
    },
    /// The service did not listen in time.
    #[error(
        "nothing listened on port {port} within {seconds} (the service is told its port in `PORT` and `{{port}}`); the end of its log:\n{tail}"
    )]
    Silent {
        /// The port that it was given.
        port: u16,
        /// How long it had.
        seconds: String,
        /// The last lines of its log.
        tail: String,
    },
    /// Not healthy in time.
    #[error("{url} was not healthy within {seconds} ({probes} probes): {last}")]
    Unhealthy {
        /// What was asked.
        url: String,
        /// How long it had.
        seconds: String,
        /// How often it was asked.
        probes: u32,
        /// What was wrong the last time.
        last: String,
    },
    /// The service is gone.
    #[error("release `{release}` of {environment} is not running any more; the end of its log:\n{tail}")]
    Gone {
        /// Where.
        environment: Environment,
        /// Which one.
        release: String,
        /// The last lines of its log.
        tail: String,
    },
    /// Not the candidate.
    #[error("release `{release}` is not the candidate of {environment}; the candidate is {found}")]
    NoCandidate {
        /// Where.
        environment: Environment,
        /// Which one was wanted.
        release: String,
        /// Which one there is.
        found: String,
    },
    /// No such release.
    #[error("{environment} has no release `{release}`")]
    NoRelease {
        /// Where.
        environment: Environment,
        /// Which one was wanted.
        release: String,
    },
    /// Somebody else changes the environment.
    #[error("{environment} is claimed by {claim}: {next}")]
    Claimed {
        /// Where.
        environment: Environment,
        /// By whom.
        claim: Box<Claim>,
        /// What to do.
        next: String,
    },
    /// The claim went to somebody else meanwhile.
    #[error(
        "the claim of {environment} was lost: {holder}; nothing more is done by this run, deploy again where that is still wanted"
    )]
    Lost {
        /// Where.
        environment: Environment,
        /// What became of it.
        holder: String,
    },
    /// Nobody answers at the control socket of the proxy.
    #[error(
        "no proxy answers for {environment}: {why}; start it with `orchestrate proxy --folder {folder} --listen {listen}`"
    )]
    NoProxy {
        /// Where.
        environment: Environment,
        /// The folder of the proxy.
        folder: PathBuf,
        /// Where it should listen.
        listen: SocketAddr,
        /// What was tried last.
        why: String,
    },
    /// The proxy does not do what it is told.
    #[error("the proxy of {environment} refused: {why}")]
    Refused {
        /// Where.
        environment: Environment,
        /// Why.
        why: String,
    },
    /// A process that even SIGKILL did not end.
    #[error("process {0} is still there after SIGKILL")]
    StillThere(u32),
    /// A secret that nobody knows.
    #[error("secret `{0}` is not known")]
    NoSecret(String),
    /// The supervisor of the environment did not do it.
    #[error("the supervisor did not do it: {0}")]
    NotSupervised(String),
    /// There is no supervisor, and none could be started.
    #[error("`{program}` does not supervise the environment: {why}; the end of its log:\n{tail}")]
    NoSupervisor {
        /// What was started.
        program: String,
        /// Why it cannot be asked.
        why: String,
        /// The last lines of its log.
        tail: String,
    },
    /// A variable that cannot be said to a supervisor.
    #[error("variable `{0}` is not UTF-8; a supervised service takes none that is not")]
    NoText(String),
    /// Stopped on request.
    #[error("stopped on request")]
    Stopped,
}

/// Names what was tried.
pub(super) trait Tried<T> {
    fn tried(self, what: &str, path: &Path) -> Result<T, DeployError>;
}

impl<T> Tried<T> for io::Result<T> {
    fn tried(self, what: &str, path: &Path) -> Result<T, DeployError> {
        self.map_err(|source| DeployError::Io {
            what: format!("`{}` could not be {what}", path.display()),
            source,
        })
    }
}
