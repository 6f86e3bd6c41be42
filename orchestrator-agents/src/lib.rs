//! The agents and phases that orchestrate ships. Agents return data; only operations, each in an `ops` module beside the
//! agents that call them, touch the world.

pub mod codegen;
pub mod command;
mod ended;
#[cfg(test)]
mod testing;
pub mod validation;

use orchestrator_core::registry::Registry;

use codegen::phase::CodeGeneration;
use validation::Check;
use validation::phase::BuildValidation;

/// Everything in this crate, under the names that pipelines use.
pub fn standard() -> Registry {
    Registry::new()
        .agent(command::Command)
        .agent(codegen::RenderTemplates)
        .agent(Check(validation::cargo::CargoFmt))
        .agent(Check(validation::cargo::CargoClippy))
        .agent(Check(validation::cargo::CargoBuild))
        .agent(Check(validation::cargo::CargoTest))
        .agent(validation::npm::NpmInstall)
        .agent(Check(validation::npm::NpmScript))
        .agent(Check(validation::python::Pytest))
        .agent(Check(validation::python::PythonCompile))
        .agent(Check(validation::python::Ruff))
        .agent(Check(validation::go::GoVet))
        .agent(Check(validation::go::GoTest))
        .agent(Check(validation::php::ComposerScript))
        .agent(Check(validation::php::Phpunit))
        .phase(CodeGeneration)
        .phase(BuildValidation)
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
        assert_eq!(registry.agents().len(), 15);
    }
}
