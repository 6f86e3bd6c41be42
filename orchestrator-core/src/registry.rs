//! What a front door registers: agents and phases, by name. No link-time magic.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::agent::{Agent, Agents, DynAgent, dyn_agent};
use crate::id::{AgentName, NameError};
use crate::operation::{DynOperation, Operation};
use crate::perform::Perform;
use crate::phase::{Phase, Phases};

/// Agents and phases by name. A later one replaces an earlier one of the same name.
#[derive(Default, Clone)]
pub struct Registry {
    agents: Agents,
    phases: Phases,
    absent: BTreeMap<AgentName, String>,
    wrong: Vec<NameError>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an agent.
    #[must_use]
    pub fn agent(mut self, agent: impl Agent) -> Self {
        match dyn_agent(agent) {
            Ok(agent) => self.dyn_agent(agent),
            Err(error) => {
                self.wrong.push(error);
                self
            }
        }
    }

    /// Adds an agent that is object-safe already.
    #[must_use]
    pub fn dyn_agent(mut self, agent: Arc<dyn DynAgent>) -> Self {
        self.agents.insert(agent.name().clone(), agent);
        self
    }

    /// Adds an operation as an agent of the same name, whose config is the operation's input.
    #[must_use]
    pub fn operation<O: Operation + Clone>(self, operation: O) -> Self {
        self.agent(Perform::new(operation))
    }

    /// Says why there is no agent of that name, for messages: where a front door looked for it, or why it cannot be used.
    #[must_use]
    pub fn absent(mut self, name: AgentName, why: impl Into<String>) -> Self {
        self.absent.insert(name, why.into());
        self
    }

    /// Why there is no agent of that name, where a front door said so.
    pub fn why_absent(&self, name: &AgentName) -> Option<&str> {
        self.absent.get(name).map(String::as_str)
    }

    /// Adds a phase.
    #[must_use]
    pub fn phase(mut self, phase: impl Phase) -> Self {
        self.phases.insert(phase.name(), Arc::new(phase));
        self
    }

    /// Adds all of another registry.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.agents.extend(other.agents);
        self.phases.extend(other.phases);
        self.absent.extend(other.absent);
        self.wrong.extend(other.wrong);
        self
    }

    /// The agents.
    pub fn agents(&self) -> &Agents {
        &self.agents
    }

    /// The phases.
    pub fn phases(&self) -> &Phases {
        &self.phases
    }

    /// The operations of all agents.
    pub fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        if let Some(error) = self.wrong.first() {
            return Err(error.clone());
        }
        let mut all = Vec::new();
        for agent in self.agents.values() {
            all.extend(agent.operations()?);
        }
        Ok(all)
    }
}
