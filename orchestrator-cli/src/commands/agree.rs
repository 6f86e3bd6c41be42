//! Asks on the terminal for the remedies that a run waits with, and answers the run.

use orchestrator_agents::environment::REMEDY;
use orchestrator_core::event::Stopped;
use orchestrator_core::id::SignalName;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::order::Signal;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::RunStatus;

use super::ask::{Answer, ask_for};
use crate::console::clean;
use crate::error::CliError;
use crate::out::note;

/// Whether a run has stopped because it waits for answers about remedies.
pub(super) fn asks(record: &RunRecord) -> bool {
    matches!(record.state.status(), RunStatus::Stopped(Stopped::Waiting)) && !questions(record).is_empty()
}

/// Answers every question of a run about remedies. False where there is nobody to ask.
pub(super) async fn answered(orchestrator: &Orchestrator, record: &RunRecord) -> Result<bool, CliError> {
    let mut any = false;
    for (signal, message) in questions(record) {
        let agree = match ask_for(|| note(&clean(&message)), "Do it?", true)? {
            Answer::Yes => true,
            Answer::No => false,
            Answer::Nobody => return Ok(any),
        };
        let from = std::env::var("USER").unwrap_or_default();
        let payload = serde_json::json!({ "agree": agree }).into();
        orchestrator.signal(&record.run, Signal { name: signal, payload, from }).await?;
        any = true;
    }
    Ok(any)
}

/// What the tasks of a run wait for, as far as remedies go.
fn questions(record: &RunRecord) -> Vec<(SignalName, String)> {
    let waits = record.state.tasks().iter().filter_map(|task| task.waits());
    let questions = waits.filter_map(|(wait, _)| Some((wait.signal.clone()?, wait.message.clone())));
    let prefix = format!("{REMEDY}.");
    questions.filter(|(signal, _)| signal.as_str().starts_with(&prefix)).collect()
}
