//! `plan`: shows what a run would consist of; starts nothing.

use super::tree::{dot, mermaid, tree};
use crate::args::{PlanArgs, PlanFormat};
use crate::console::Paint;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::out::say;
use crate::runs::{self, Latest};

pub(super) async fn plan(front: Front, args: PlanArgs) -> Result<Exit, CliError> {
    let PlanArgs { select, format } = args;
    let pipeline = front.pipeline()?;
    let settings = settings(&pipeline.settings, &serde_json::Value::Null)?;
    let orchestrator = front.with(settings)?;
    let plan = match &select.failed {
        Some(text) => {
            let run = runs::find(&orchestrator, Some(text), Latest::Real).await?;
            orchestrator.plan_failed(&pipeline, &run, &select.selector()).await?
        }
        None => orchestrator.plan_selected(&pipeline, &select.selector()).await?,
    };
    match format {
        PlanFormat::Human => say(&tree(&plan, Paint::stdout())),
        PlanFormat::Dot => say(&dot(&plan)),
        PlanFormat::Mermaid => say(&mermaid(&plan)),
        PlanFormat::Json => {
            let text = serde_json::to_string(&plan)
                .map_err(|error| CliError::io("the plan could not be written", error.into()))?;
            say(&text);
        }
    }
    Ok(Exit::Passed)
}
