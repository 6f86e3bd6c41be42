//! The command line as a value, so that another program can be the same with agents of its own.

use std::process::ExitCode;

use clap::Parser;
use orchestrator_agents::deployment::{Deploy, PruneDeployment, Supervisor, SwitchDeployment};
use orchestrator_core::agent::Agent;
use orchestrator_core::registry::Registry;

use crate::args::Args;
use crate::commands;

/// The command line.
#[derive(Clone, Default)]
#[must_use]
pub struct Cli {
    registry: Registry,
}

impl Cli {
    /// With the agents and phases that orchestrate ships.
    pub fn standard() -> Self {
        let standard =
            Self::empty().agents(orchestrator_agents::standard()).agents(orchestrator_reports::standard());
        // This very program keeps running what it deploys, by its command `supervise`.
        match crate::own::program() {
            Ok(program) => {
                let supervisor = Some(Supervisor::new(program));
                standard
                    .agent(Deploy { supervisor: supervisor.clone() })
                    .agent(PruneDeployment { supervisor: supervisor.clone() })
                    .agent(SwitchDeployment { supervisor })
            }
            Err(_) => standard,
        }
    }

    /// Without agents.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Adds an agent.
    pub fn agent(mut self, agent: impl Agent) -> Self {
        self.registry = self.registry.agent(agent);
        self
    }

    /// Adds agents and phases.
    pub fn agents(mut self, registry: Registry) -> Self {
        self.registry = self.registry.with(registry);
        self
    }

    /// Does what the arguments of the process say.
    pub fn run(self) -> ExitCode {
        let args = match Args::try_parse() {
            Ok(args) => args,
            Err(error) => {
                // Help that nobody reads to its end is no error.
                let _ = error.print();
                return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
            }
        };
        let json = args.is_json();
        match commands::perform(args, self.registry) {
            Ok(exit) => exit.into(),
            Err(error) => {
                error.tell(json);
                error.exit().into()
            }
        }
    }
}
