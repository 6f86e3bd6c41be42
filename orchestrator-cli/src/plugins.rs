//! Agents that a pipeline names and that are not registered: programs on the `PATH`, looked for only then.

use std::collections::BTreeSet;
use std::path::Path;

use orchestrator_agents::plugin::{Launch, Plugin, PluginError, find, program};
use orchestrator_core::baseline;
use orchestrator_core::id::AgentName;
use orchestrator_core::outcome::Failure;
use orchestrator_core::pipeline::Pipeline;
use orchestrator_core::problem::unknown;
use orchestrator_core::registry::Registry;
use std::sync::Arc;

/// The agents that a pipeline names.
pub(crate) fn named(pipeline: &Pipeline) -> impl Iterator<Item = &AgentName> {
    pipeline.phases.iter().flat_map(|phase| {
        let checks = phase.checkpoint.iter().flat_map(|checkpoint| &checkpoint.validations);
        phase.groups.iter().flat_map(|group| &group.tasks).chain(checks).map(|task| &task.agent)
    })
}

/// The registry with those of the names that are programs; of the others it knows why they are not there.
pub(crate) fn added<'n>(
    registry: Registry,
    names: impl Iterator<Item = &'n AgentName>,
    root: &Path,
) -> Registry {
    let missing: BTreeSet<&AgentName> = names.filter(|name| !registry.agents().contains_key(*name)).collect();
    missing.into_iter().fold(registry, |registry, name| match open(name, root) {
        Ok(Some(plugin)) => registry.dyn_agent(Arc::new(plugin)),
        Ok(None) => {
            let known = unknown("agent", name.as_str(), registry.agents().keys().map(AgentName::as_str));
            let why = format!("{known}; there is no program `{}` on the `PATH` either", program(name));
            registry.absent(name.clone(), why)
        }
        Err(error) => {
            let why = Failure::from_error(&error).to_string();
            registry.absent(name.clone(), why)
        }
    })
}

fn open(name: &AgentName, root: &Path) -> Result<Option<Plugin>, PluginError> {
    let found = std::env::var_os("PATH").and_then(|folders| find(&program(name), &folders));
    let Some(path) = found else { return Ok(None) };
    // As any command: what is not on the allow-list is not for programs that nobody declared it for.
    let env = baseline::environment(std::env::vars_os());
    Plugin::open(name.clone(), Launch { path, root: root.to_owned(), env }).map(Some)
}
