//! Why a deployment could not be done.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::deployment::{Claim, Environment, Version};

/// What the message of [`DeployError::Moved`] begins with, also where it comes from a host.
pub(in crate::deployment) const MOVED: &str = "the traffic has moved to";

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
    /// An artifact that is named like a record of its release.
    #[error("artifact `{0}` has the name of a file that is kept beside it; rename it")]
    Reserved(String),
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
        "nothing listened on port {port} within {seconds} (the service is told its port in `PORT` and `{{port}}`){instead}; the end of its log:\n{tail}"
    )]
    Silent {
        /// The port that it was given.
        port: u16,
        /// How long it had.
        seconds: String,
        /// What it does instead, after `; `, where that can be seen.
        instead: String,
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
    #[error(
        "{environment} has no release `{release}`: it was pruned, or never was; `orchestrate deploy history` tells, and it can be deployed again"
    )]
    NoRelease {
        /// Where.
        environment: Environment,
        /// Which one was wanted.
        release: String,
    },
    /// It may need what is gone.
    #[error(
        "migrations took away since what {version} may need in {environment} ({files}); take it all the same with \
         `orchestrate deploy switch {release} --environment {environment}`"
    )]
    Behind {
        /// Where.
        environment: Environment,
        /// Which version.
        version: Version,
        /// Its release.
        release: String,
        /// What took it away.
        files: String,
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
    /// What was looked at is not so any more.
    #[error("another version serves in {0} than when it was looked at; deploy again")]
    Changed(Environment),
    /// The environment is in one place at a time.
    #[error(
        "{environment} is deployed to {at}: end it there first, with `orchestrate deploy stop --environment {environment}`"
    )]
    Elsewhere {
        /// Which.
        environment: Environment,
        /// Where it is.
        at: String,
    },
    /// A host that is left out runs it still.
    #[error(
        "{environment} is deployed to host `{host}` too, which `target.hosts` does not name: name it, or end it there with \
         `orchestrate deploy stop --environment {environment} --host {host}`"
    )]
    LeftOut {
        /// Which.
        environment: Environment,
        /// Which host.
        host: String,
    },
    /// Two names of one place.
    #[error(
        "`{one}` and `{other}` have one folder for {environment}: are they one host? Name each host once, and a folder that it does not share"
    )]
    OneFolder {
        /// Which environment.
        environment: Environment,
        /// A host.
        one: String,
        /// Another name.
        other: String,
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
    /// A version counts, and the proxy could not be told.
    #[error("{version} is current in {environment}, and its traffic could not be switched: {why}")]
    NotSwitched {
        /// Where.
        environment: Environment,
        /// Which version.
        version: Version,
        /// Why.
        why: String,
    },
    /// The traffic went to a version that could not be made the one that counts.
    #[error(
        "{} {version}, and that it counts could not be recorded: {why}; the next deployment, switch or rollback records it",
        MOVED
    )]
    Moved {
        /// Which version.
        version: Version,
        /// Why.
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
    /// The own program, which starts itself again, was moved or removed.
    #[error(
        "`{0}` is not there any more: it was moved or removed while it was used; install it there again, then `orchestrate resume`"
    )]
    NoProgram(String),
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
    /// The load client does not send.
    #[error("the load client does not send; the end of what it said:\n{0}")]
    NoLoad(String),
    /// A container ended during its start.
    #[error("the container `{name}` ended before it could be asked ({how}); the end of its log:\n{tail}")]
    Ended {
        /// Its name.
        name: String,
        /// How it ended.
        how: String,
        /// The last lines of its log.
        tail: String,
    },
    /// No container engine answers.
    #[error(
        "no container engine answers at `{socket}`: {why}; start it, or name its socket in `target.socket` or as `DOCKER_HOST=unix:///PATH`"
    )]
    NoEngine {
        /// Where it was asked.
        socket: PathBuf,
        /// Why there is no answer.
        why: String,
    },
    /// No container engine answers, and what is recorded of its containers stays.
    #[error(
        "{why}; if it is gone for good, `orchestrate deploy stop --environment {environment} --forget` lets {environment} go on without its containers"
    )]
    Pinned {
        /// What was asked in vain.
        why: Box<DeployError>,
        /// Whose containers they are.
        environment: Environment,
    },
    /// The container engine does not do it.
    #[error("the container engine could not {what}: {message}")]
    Engine {
        /// What it was to do.
        what: String,
        /// What it said.
        message: String,
    },
    /// An engine that is not reached by a socket of this machine.
    #[error(
        "`DOCKER_HOST` is `{0}`, and only sockets of this machine are asked: say `unix:///PATH`, or name the engine's socket in `target.socket`"
    )]
    NoSocket(String),
    /// An image that is not there.
    #[error("the image {image} is not there; {next}")]
    NoImage {
        /// Which.
        image: String,
        /// What to do.
        next: String,
    },
    /// A container whose record is gone.
    #[error(
        "the record of release `{release}` of {environment} is gone, so nobody knows the engine of its container: end that with `docker rm -f {id}`, then remove what names it from `{folder}` (`current.json` or `candidate.json`)"
    )]
    NoRecord {
        /// Where.
        environment: Environment,
        /// Which one.
        release: String,
        /// The id of its container.
        id: String,
        /// The folder of the environment.
        folder: PathBuf,
    },
    /// A container of somebody else.
    #[error("there is a container `{0}` that is not ours: its labels say so; remove it, or rename it")]
    NotOurs(String),
    /// A build that knows no containers.
    #[error(
        "it is a container, and this program was built without them (`docker`); build it with `cargo build --release -p orchestrator-cli --features docker`"
    )]
    NoContainers,
    /// Stopped on request.
    #[error("stopped on request")]
    Stopped,
}

impl DeployError {
    /// It and its cause in one line.
    pub fn line(&self) -> String {
        let cause = std::error::Error::source(self).map_or_else(String::new, |cause| format!(": {cause}"));
        format!("{self}{cause}")
    }
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
