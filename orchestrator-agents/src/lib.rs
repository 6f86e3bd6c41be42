//! The agents and phases that orchestrate ships: one folder per phase of delivery, one file per agent. Agents return
//! data; only operations, each in an `ops` module beside the agents that call them, touch the world.

pub mod backup;
pub mod checkpoint;
pub mod codegen;
pub mod command;
pub mod deployment;
pub mod editing;
mod ended;
pub mod environment;
pub mod merge;
pub mod notify;
mod ops;
pub mod plugin;
mod rendering;
#[cfg(test)]
mod rig;
mod said;
pub mod secret;
#[cfg(test)]
mod testing;
pub mod validation;

use orchestrator_core::registry::Registry;

use codegen::phase::CodeGeneration;
use environment::Probing;
use validation::Check;
use validation::phase::BuildValidation;

/// Everything in this crate, under the names that pipelines use.
pub fn standard() -> Registry {
    let registry = Registry::new()
        .agent(command::Command)
        .agent(editing::manual::Manual)
        .agent(backup::CheckDisk)
        .agent(backup::Backup)
        .agent(backup::VerifyBackup)
        .agent(backup::RollbackScript)
        .agent(backup::ClearCaches)
        .agent(backup::PruneBackups)
        .agent(backup::ResetEnvironment)
        .agent(backup::Restore)
        .agent(backup::RestoreDatabases)
        .phase(backup::RestartBackup)
        .agent(codegen::RenderTemplates)
        .phase(CodeGeneration)
        .agent(editing::file_generation::FileGeneration)
        .agent(Check(validation::cargo::CargoFmt))
        .agent(Check(validation::cargo::CargoClippy))
        .agent(Check(validation::cargo::CargoBuild))
        .agent(Check(validation::cargo::CargoTest))
        .agent(validation::npm::NpmInstall)
        .agent(Check(validation::npm::NpmScript))
        .agent(Check(validation::python::Pytest))
        .agent(Check(validation::python::PythonCompile))
        .agent(Check(validation::python::Ruff))
        .agent(Check(validation::python::RuffFormat))
        .agent(Check(validation::go::GoVet))
        .agent(Check(validation::go::GoTest))
        .agent(Check(validation::php::ComposerScript))
        .agent(Check(validation::php::Phpunit))
        .phase(BuildValidation)
        .agent(Probing(environment::CheckTool))
        .agent(Probing(environment::CheckLockfile))
        .agent(Probing(environment::CheckVenv))
        .agent(Probing(environment::CheckDependencies))
        .agent(Probing(environment::CheckPlatform))
        .phase(environment::Environment)
        .agent(merge::PreviewMerge)
        .agent(merge::Candidate)
        .agent(merge::MergeBranch)
        .agent(merge::Version)
        .agent(merge::Changelog)
        .agent(merge::CheckMerged)
        .agent(merge::Tag)
        .agent(merge::Push)
        .agent(merge::Land)
        .phase(merge::MergeIntegration)
        .agent(deployment::Deploy::default())
        .agent(deployment::StopDeployment)
        .agent(deployment::SwitchDeployment::default())
        .agent(deployment::PruneDeployment::default())
        .phase(deployment::DeploymentPhase)
        .agent(checkpoint::CoverageThreshold)
        .agent(checkpoint::PythonCoverage)
        .agent(checkpoint::CiPassing)
        .agent(checkpoint::AllCriticalTested)
        .agent(checkpoint::DeploymentWorking)
        .agent(checkpoint::E2ePassing)
        .agent(notify::SlackMessage)
        .phase(deployment::DeploymentPhase);
    #[cfg(feature = "repository")]
    let registry = registry
        .agent(backup::repository::RepositoryBackup)
        .agent(backup::repository::RepositoryVerify)
        .agent(backup::repository::RepositoryPrune);
    #[cfg(feature = "editing")]
    let registry =
        registry.agent(editing::config_edit::ConfigEdit).agent(editing::test_generation::TestGeneration);
    registry
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_name_is_valid_and_every_schema_is_made() {
        let registry = super::standard();
        registry.operations().unwrap();
        for agent in registry.agents().values() {
            assert!(!agent.about().is_empty(), "{}", agent.name());
            let _ = (agent.config_schema(), agent.output_schema());
        }
    }
}
