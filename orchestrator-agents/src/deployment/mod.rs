//! Deployment: a built version is started beside the running one, proved there, and only then made current.
//!
//! A local deployment lives in the state folder, `deploy/ENV/`, one folder for each environment:
//!
//! | file | what it holds |
//! |---|---|
//! | `releases/NAME/` | the binary as it was deployed, `release.json` (how it is started again), `service.log` |
//! | `candidate.json` | the service that was started and is not current yet |
//! | `current.json` | the service that is current, and the one before it |
//! | `going.json` | the service that is brought back, while its traffic moves |
//! | `contracted.json` | what contract migrations took away, by the version that counted then |
//! | `url` | where the current service answers, as one line |
//! | `claim.json` | who changes the environment, from the first action of a deployment to its last |
//! | `traffic.json`, `proxy/` | the proxy in front of it, where there is one |
//! | `watch/RELEASE.jsonl` | the recording of a watch |
//! | `load.json`, `load/` | the load client that runs through a switch, and what it counted |
//! | `history.jsonl` | what happened, one line each; the end of each deployment with who, run and verdict |
//! | `lock` | held while the environment is changed; names its owner |
//! | `host.json` | the host that the environment is on, or the hosts, where it is not this machine: all else lies there |
//! | `gone.json` | hosts that could not be reached when they were to be ended, and were forgotten |
//! | `supervise.*` | of the process that keeps services running, see [`supervise`] |
//!
//! **Where a service answers.** Each version has its own port on loopback, picked when it starts. `current.json` and `url`
//! say where the current one answers; they change in one rename. There is no fixed public port: two processes cannot
//! hold one port, so that would mean a moment without any service. A proxy in front of it gives one, and shares besides.
//!
//! **What a failing check does.** It ends the candidate, and only the candidate. The current version is not touched before
//! the new one has passed everything, and is stopped only after the switch, or after the watch where there is one.
//!
//! **Who is current during a watch.** With a proxy, the version before: the table of the proxy says who gets how much, and the new one
//! becomes current when it is promoted. Without one the new one, marked `on_watch`: the version before runs and comes back.
//!
//! Services outlive the run on purpose: they have their own session, and they carry `ORCHESTRATE_SERVICE` and not
//! the order key by which a run finds what it left behind. Processes are told apart by id *and* start time, so an
//! id that was used again is never taken for the service. This needs `/proc`, so it works on Linux.
//!
//! **Containers.** A release may be a container of an engine (`target: docker`). Its record says so, and what asks for a process,
//! ends one, or reads a log asks the engine instead (`ops/containers`); all else is the same.

pub mod analysis;
pub(crate) mod answer;
mod checked;
mod claim;
mod container;
mod deploy;
mod gone;
pub mod hosts;
mod keep;
mod load;
mod log_watch;
pub mod migrations;
pub mod ops;
mod phase;
mod proof;
mod prune;
mod service;
mod stop;
pub mod supervise;
mod switch;
mod targets;
#[cfg(test)]
mod tests;
pub mod traffic;

pub use answer::Answer;
pub use checked::{
    DatabasePath, Environment, HostName, HostPath, ImageName, Network, Patience, Pointer, Seconds, UrlPath,
    Version, Volume,
};
pub use claim::{Claim, Ended, Ending};
pub use container::{Container, Pull};
pub use deploy::{
    Deploy, DeployConfig, DeployOutput, DeployedHost, STUCK_FINDING, WatchSummary, hears_of_rollback,
    watch_signal,
};
pub use gone::{Forgotten, GoneHost, Remembered};
pub use hosts::SshTarget;
pub use keep::{Because, KEEP};
pub use load::{HeaderName, LoadConfig, LoadKind, LoadShape, LoadSummary, LoadVersion, Rate};
pub use log_watch::{Fresh, LogWatch, OnNew, Seen, Signatures};
pub use phase::{BackupBefore, BackupChoice, DeploymentPhase, Overrides, PhaseConfig};
pub(crate) use proof::LARGEST_SCHEMA;
pub use proof::{
    AnswerSchema, Expect, HeaderCheck, Health, JsonPath, Method, PathCheck, Pattern, Saved, SmokeTest,
};
pub use prune::{PruneDeployment, PruneDeploymentConfig};
pub use service::{Current, Happening, Process, Release, Service, What};
pub use stop::{StopDeployment, StopDeploymentConfig};
pub use supervise::Supervisor;
pub use switch::{OnHost, SwitchDeployment, SwitchDeploymentConfig, SwitchedDeployment};
pub use targets::{CommandTarget, DockerTarget, TargetConfig};
pub use traffic::ProxyConfig;
