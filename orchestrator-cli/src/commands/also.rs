//! Plans what was chosen; where all that is missing is phases that it depends on, offers to run them too.

use orchestrator_core::id::PhaseName;
use orchestrator_core::orchestrator::{Orchestrator, OrchestratorError};
use orchestrator_core::pipeline::Pipeline;
use orchestrator_core::plan::Plan;
use orchestrator_core::planner::Selector;

use super::ask::{Answer, ask};
use crate::args::Format;
use crate::error::CliError;
use crate::out::note;

/// The plan of what was chosen. A phase that is added by agreement is added to the selector.
pub(super) async fn plan_or_ask(
    orchestrator: &Orchestrator,
    pipeline: &Pipeline,
    selector: &mut Selector,
    format: Format,
) -> Result<Plan, CliError> {
    loop {
        let error = match orchestrator.plan_selected(pipeline, selector).await {
            Ok(plan) => return Ok(plan),
            Err(error) => error,
        };
        let Some(also) = also(&error).filter(|_| format == Format::Human) else { return Err(error.into()) };
        let names: Vec<&str> = also.iter().map(PhaseName::as_str).collect();
        let shown = || note(&format!("{error}"));
        match ask(shown, &format!("Run {} too?", names.join(", ")))? {
            Answer::Yes => selector.phases.extend(names.into_iter().map(str::to_owned)),
            Answer::No | Answer::Nobody => return Err(error.into()),
        }
    }
}

/// The phases that would have to run as well, where nothing else is wrong.
fn also(error: &OrchestratorError) -> Option<Vec<PhaseName>> {
    match error {
        OrchestratorError::Problems(problems) => problems.also().filter(|also| !also.is_empty()),
        _ => None,
    }
}
