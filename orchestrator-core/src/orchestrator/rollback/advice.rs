//! What people can do about what has no undo.

use super::super::Orchestrator;
use crate::action::Action;
use crate::effect::Effect;
use crate::state::Step;

/// The most of a command's own words that is repeated.
const SAID: usize = 160;

impl Orchestrator {
    /// What to do instead of undoing an action: the operation says it; of a command only its own words are known.
    pub(super) fn advice(&self, action: &Action, step: &Step) -> Option<String> {
        match action {
            Action::Call(call) => {
                let agents = self.registry().agents().values();
                let mut operations = agents.flat_map(|agent| agent.operations().unwrap_or_default());
                operations.find(|known| *known.name() == call.operation)?.advice(&call.input)
            }
            Action::Run(run) => Some(of_command(run.effect, step)),
            Action::Write(_) | Action::Remove(_) | Action::Await(_) => None,
        }
    }
}

fn of_command(effect: Effect, step: &Step) -> String {
    let known = match effect {
        Effect::Publishes => "what it published is not known here; take it back where it went",
        Effect::Reads | Effect::Writes => {
            "what it changed is not known; `undo` of the command can say it for later runs"
        }
    };
    let said = step
        .receipt
        .as_ref()
        .and_then(|receipt| receipt.tail.lines().rev().find(|line| !line.trim().is_empty()));
    match said {
        Some(said) => {
            let said: String = said.trim().chars().filter(|c| !c.is_control()).take(SAID).collect();
            format!("{known}; it said: {said}")
        }
        None => known.to_owned(),
    }
}
