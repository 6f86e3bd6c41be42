//! Environment validation: is this machine able to do the work? One agent per kind of check, each by the tool's own answer.
//!
//! A check only looks. Where it knows a remedy that is safe and local, the remedy is actions like any other: shown and
//! withheld in a dry run, journaled, and verified by the same check again. Nothing here installs programs, changes a
//! lockfile or removes what git keeps.

mod check_dependencies;
mod check_lockfile;
mod check_platform;
mod check_tool;
mod check_venv;
mod manager;
mod needs;
mod npm;
mod phase;
mod probe;
pub(crate) mod remedy;
mod requirement;
mod system;
#[cfg(test)]
mod tests;
mod tools;
mod version;

pub use check_dependencies::{
    CheckDependencies, CheckDependenciesConfig, DependenciesChecked, DependenciesSeen,
};
pub use check_lockfile::{CheckLockfile, CheckLockfileConfig, LockSeen, LockfileChecked};
pub use check_platform::{CheckPlatform, CheckPlatformConfig, PlatformChecked, PlatformSeen};
pub use check_tool::{CheckTool, CheckToolConfig, ToolFound, ToolSeen};
pub use check_venv::{CheckVenv, CheckVenvConfig, VenvChecked, VenvSeen};
pub use manager::Manager;
pub use needs::{programs, unchecked};
pub use phase::Environment;
pub use probe::{Answers, Probe, Probing};
pub use remedy::{Found, RULE as REMEDY, Remedy};
pub use system::System;
pub use version::Version;

/// The most problems of a check that are told one by one.
const MOST: usize = 50;

/// The rule of the finding that says what was not checked, and why.
pub const NOT_RUN: &str = "not-run";
