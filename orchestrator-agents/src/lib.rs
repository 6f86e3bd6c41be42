//! The agents, operations and phases that orchestrate ships. Each folder is a phase of delivery.

pub mod deployment;

use orchestrator_core::registry::Registry;

/// Everything that this crate ships.
pub fn standard() -> Registry {
    Registry::new()
        .agent(deployment::Deploy)
        .agent(deployment::StopDeployment)
        .phase(deployment::DeploymentPhase)
}
