//! Deployment: a built version is started beside the running one, proved there, and only then made current.
//!
//! A local deployment lives in the state folder, `deploy/ENV/`, one folder for each environment:
//!
//! | file | what it holds |
//! |---|---|
//! | `releases/NAME/` | the binary as it was deployed, `release.json` (how it is started again), `service.log` |
//! | `candidate.json` | the service that was started and is not current yet |
//! | `current.json` | the service that is current, and the one before it |
//! | `url` | where the current service answers, as one line |
//! | `claim.json` | who changes the environment, from the first action of a deployment to its last |
//! | `traffic.json`, `proxy/` | the proxy in front of it, where there is one |
//! | `watch/RELEASE.jsonl` | the recording of a watch |
//! | `history.jsonl` | what happened, one line each; the end of each deployment with who, run and verdict |
//! | `lock` | held while the environment is changed; names its owner |
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

pub mod analysis;
pub(crate) mod answer;
mod checked;
mod claim;
mod deploy;
mod log_watch;
pub mod migrations;
pub mod ops;
mod phase;
mod proof;
mod service;
mod stop;
pub mod supervise;
mod switch;
mod targets;
#[cfg(test)]
mod tests;
pub mod traffic;

pub use answer::Answer;
pub use checked::{DatabasePath, Environment, Patience, Pointer, Seconds, UrlPath, Version};
pub use claim::{Claim, Ended, Ending};
pub use deploy::{Deploy, DeployConfig, DeployOutput, WatchSummary, watch_signal};
pub use log_watch::{LogWatch, Seen, Signatures};
pub use phase::{BackupBefore, BackupChoice, DeploymentPhase, Overrides, PhaseConfig};
pub(crate) use proof::LARGEST_SCHEMA;
pub use proof::{
    AnswerSchema, Expect, HeaderCheck, Health, JsonPath, Method, PathCheck, Pattern, Saved, SmokeTest,
};
pub use service::{Current, Happening, Process, Release, Service, What};
pub use stop::{StopDeployment, StopDeploymentConfig};
pub use supervise::Supervisor;
pub use switch::{SwitchDeployment, SwitchDeploymentConfig, SwitchedDeployment};
pub use targets::{CommandTarget, TargetConfig};
pub use traffic::ProxyConfig;
