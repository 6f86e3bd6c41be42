//! `run`: plans the pipeline and runs the plan.

use orchestrator_core::cache::Cache;
use orchestrator_core::effect::Effect;
use orchestrator_core::orchestrator::{Orchestrator, ReuseMode, RunOptions};
use orchestrator_core::plan::Plan;
use orchestrator_core::settings::Settings;

use super::also::plan_or_ask;
use super::ask::{Answer, ask};
use super::drive::drive;
use super::share::Sharing;
use super::tree::tree;
use crate::args::{Format, Output, RunArgs};
use crate::compiled::Compiled;
use crate::console::Paint;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::json::answer;
use crate::out::{note, say};
use crate::runs::{self, Latest};
use crate::shared::Team;

pub(super) async fn run(mut front: Front, args: RunArgs) -> Result<Exit, CliError> {
    let RunArgs { select, how, output } = args;
    if !settings(&serde_json::Value::Null, &serde_json::Value::Null)?.enabled {
        return Ok(off(output.format));
    }
    let ahead = (how.reuse() != ReuseMode::Off).then(|| Cache::read_ahead(&front.here.layout));
    let compiled = Compiled::open(&front.here).filter(|_| select.failed.is_none());
    if let Some(settings_of_file) = compiled.as_ref().and_then(Compiled::settings) {
        let settings = settings(settings_of_file, &how.settings())?;
        if settings.enabled {
            let front = front.clone().keeping(settings.keep.clone());
            let orchestrator = front.with(settings.clone())?;
            if let (Some(cache), Some(ahead)) = (orchestrator.results(), ahead) {
                cache.take_ahead(ahead);
            }
            let plan =
                compiled.as_ref().and_then(|kept| kept.plan(&orchestrator, &settings, &select.selector()));
            if let Some(plan) = plan {
                let options = how.options(settings.ceiling);
                return start(&front, orchestrator, output, &settings, options, plan).await;
            }
        }
    }
    let pipeline = front.pipeline()?;
    let settings = settings(&pipeline.settings, &how.settings())?;
    if !settings.enabled {
        return Ok(off(output.format));
    }
    let ceiling = settings.ceiling;
    let front = front.keeping(settings.keep.clone());
    let orchestrator = front.with(settings.clone())?;
    let mut options = how.options(ceiling);
    let plan = match &select.failed {
        Some(text) => {
            let failed = runs::find(&orchestrator, Some(text), Latest::Real).await?;
            options.parent = Some(failed.clone());
            orchestrator.plan_failed(&pipeline, &failed, &select.selector()).await?
        }
        None => {
            let mut selector = select.selector();
            let plan = plan_or_ask(&orchestrator, &pipeline, &mut selector, output).await?;
            if let Some(compiled) = compiled.filter(|_| {
                settings.reuse
                    && !front.has_plugins()
                    && !pipeline.looks_back()
                    && how.reuse() != ReuseMode::Off
            }) {
                compiled.keep(&orchestrator, &pipeline, &settings, &selector, &plan);
            }
            plan
        }
    };
    let by_default = front.here.file.is_none() && ceiling > Effect::Reads && !how.yes;
    if by_default && !agreed(&front, &plan, output)? {
        note("nothing was started");
        return Ok(Exit::Passed);
    }
    start(&front, orchestrator, output, &settings, options, plan).await
}

async fn start(
    front: &Front,
    orchestrator: Orchestrator,
    output: Output,
    settings: &Settings,
    options: RunOptions,
    plan: Plan,
) -> Result<Exit, CliError> {
    let sharing = Team::open(&settings.shared)?.map(|team| Sharing { team, lease: None });
    let work =
        |orchestrator: Orchestrator, options| async move { orchestrator.run_with(&plan, options).await };
    drive(front, orchestrator, output, options, sharing.as_ref(), work).await
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
fn agreed(front: &Front, plan: &Plan, output: Output) -> Result<bool, CliError> {
    let refused = "there is no pipeline file; say `--yes` to run the default plan, look at it with `orchestrate plan` or \
                   `--dry-run`, or write a pipeline with `orchestrate init`";
    if output.format == Format::Json || output.no_input {
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
