//! `run`: plans the pipeline and runs the plan.

use orchestrator_core::effect::Effect;
use orchestrator_core::orchestrator::RunOptions;
use orchestrator_core::plan::Plan;

use super::ask::{Answer, ask};
use super::drive::drive;
use super::share::Sharing;
use super::tree::tree;
use crate::args::{Format, RunArgs};
use crate::console::Paint;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::json::answer;
use crate::out::{note, say};
use crate::runs::{self, Latest};
use crate::shared::Team;

pub(super) async fn run(front: Front, args: RunArgs) -> Result<Exit, CliError> {
    let RunArgs { select, how, output } = args;
    if !settings(&serde_json::Value::Null, &serde_json::Value::Null)?.enabled {
        return Ok(off(output.format));
    }
    let pipeline = front.pipeline()?;
    let settings = settings(&pipeline.settings, &how.settings())?;
    if !settings.enabled {
        return Ok(off(output.format));
    }
    let ceiling = settings.ceiling;
    let sharing = Team::open(&settings.shared)?.map(|team| Sharing { team, lease: None });
    let orchestrator = front.with(settings)?;
    let mut options = RunOptions { wait: how.wait, reuse: how.reuse(), ..RunOptions::new(ceiling) };
    let plan = match &select.failed {
        Some(text) => {
            let failed = runs::find(&orchestrator, Some(text), Latest::Real).await?;
            options.parent = Some(failed.clone());
            orchestrator.plan_failed(&pipeline, &failed).await?
        }
        None => orchestrator.plan_selected(&pipeline, &select.selector()).await?,
    };
    let by_default = front.here.file.is_none() && ceiling > Effect::Reads && !how.yes;
    if by_default && !agreed(&front, &plan, output.format)? {
        note("nothing was started");
        return Ok(Exit::Passed);
    }
    let work = |orchestrator: orchestrator_core::orchestrator::Orchestrator, options| async move {
        orchestrator.run_with(&plan, options).await
    };
    drive(&front, orchestrator, output, options, sharing.as_ref(), work).await
}

fn off(format: Format) -> Exit {
    let why = "ORCHESTRATION_ENABLED is false, or `settings.enabled` is: nothing was started";
    match format {
        Format::Human => say(why),
        Format::Json => say(&answer(&serde_json::json!({ "enabled": false }))),
    }
    Exit::Passed
}

/// Shows the default plan and asks; it was not written by anybody.
fn agreed(front: &Front, plan: &Plan, format: Format) -> Result<bool, CliError> {
    let refused = "there is no pipeline file; say `--yes` to run the default plan, look at it with `orchestrate plan` or \
                   `--dry-run`, or write a pipeline with `orchestrate init`";
    if format == Format::Json {
        return Err(CliError::usage(refused));
    }
    let shown = || {
        let root = front.here.root.display();
        say(&format!("There is no pipeline file in `{root}`. This is the default for what is there:\n"));
        say(&tree(plan, Paint::stdout()));
    };
    match ask(shown, "Run it?")? {
        Answer::Yes => Ok(true),
        Answer::No => Ok(false),
        Answer::Nobody => Err(CliError::usage(refused)),
    }
}
