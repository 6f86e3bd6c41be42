//! The agents, operations and phases that `orchestrate` ships: one folder per phase of delivery, one file per agent.
//!
//! Agents return data and touch nothing; what they want done is an action. The operations that actions call are in the
//! `ops` modules, and only those touch the world.

pub mod backup;
pub mod merge;

mod ops;
#[cfg(test)]
mod rig;
mod said;

use orchestrator_core::registry::Registry;

/// Every agent and phase of this crate.
#[must_use]
pub fn standard() -> Registry {
    Registry::new()
        .agent(backup::CheckDisk)
        .agent(backup::Backup)
        .agent(backup::VerifyBackup)
        .agent(backup::RollbackScript)
        .agent(backup::ClearCaches)
        .phase(backup::RestartBackup)
        .agent(merge::MergeBranch)
        .agent(merge::Version)
        .agent(merge::Changelog)
        .agent(merge::Tag)
        .agent(merge::Push)
        .phase(merge::MergeIntegration)
}
