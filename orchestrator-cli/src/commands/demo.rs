//! `demo`: the main job, on an embedded example.

use orchestrator_agents::deployment::ops::stop_all;
use orchestrator_core::orchestrator::OrchestratorError;
use orchestrator_core::registry::Registry;
use orchestrator_core::state::RunStatus;
use orchestrator_core::store::StoreError;

use super::run;
use crate::args::{DemoArgs, Global, ResumeArgs, RunArgs};
use crate::demo::Demo;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::here::shown;
use crate::out::{note, say};

pub(super) async fn demo(global: Global, args: DemoArgs, registry: Registry) -> Result<Exit, CliError> {
    let DemoArgs { folder, fresh, stop, dry_run, output } = args;
    let folder = global.dir.join(folder.unwrap_or_else(|| "orchestrate-demo".into()));
    let folder =
        std::path::absolute(&folder).map_err(|error| CliError::io("the folder cannot be found", error))?;
    let demo = Demo::at(folder.clone());
    let state = demo.checkout().join(".orchestrate");
    if stop {
        return end(&state);
    }
    if demo.is_there() && !fresh {
        return go_on(demo, registry, dry_run, output).await;
    }
    if demo.is_there() {
        end(&state)?;
    }
    note(&format!(
        "laying out a project with a history, a feature branch and a remote in `{}`",
        shown(&folder)
    ));
    demo.lay_out()?;
    start(&demo, registry, dry_run, output).await
}

/// What was laid out before: its run is resumed; one that is over is left alone.
async fn go_on(
    demo: Demo,
    registry: Registry,
    dry_run: bool,
    output: crate::args::Output,
) -> Result<Exit, CliError> {
    let front = open(&demo, registry.clone())?;
    let orchestrator = front.look()?;
    for run in orchestrator.runs().await? {
        let record = match orchestrator.status(&run).await {
            // Its process died before it recorded anything: it never began.
            Err(OrchestratorError::Store(StoreError::Empty(_))) => continue,
            record => record?,
        };
        if record.state.ceiling() == orchestrator_core::effect::Effect::Reads {
            continue;
        }
        if matches!(record.state.status(), RunStatus::Finished(_)) {
            say(&format!(
                "the demo in `{}` has run; `--fresh` starts over, `--stop` ends what it left running",
                shown(&demo.checkout())
            ));
            return Ok(Exit::of(&record));
        }
        drop(orchestrator);
        let args = ResumeArgs {
            run: Some(run.to_string()),
            assume: Vec::new(),
            wait: false,
            take_over: false,
            output,
        };
        return super::resume::resume(front, args).await;
    }
    start(&demo, registry, dry_run, output).await
}

async fn start(
    demo: &Demo,
    registry: Registry,
    dry_run: bool,
    output: crate::args::Output,
) -> Result<Exit, CliError> {
    let front = open(demo, registry)?;
    let mut args = RunArgs { output, ..RunArgs::default() };
    args.how.dry_run = dry_run;
    let exit = run::run(front, args).await?;
    if exit == Exit::Passed && output.format == crate::args::Format::Human {
        let checkout = shown(&demo.checkout());
        say(&format!(
            "\nThe services go on running. Look around:\n  git -C {checkout} log --oneline --graph --all\n  orchestrate -C \
             {checkout} status\n  orchestrate -C {checkout} rollback --dry-run\nEnd what it left running with `orchestrate demo --stop {}`.",
            shown(demo.checkout().parent().unwrap_or(&demo.checkout())),
        ));
    }
    Ok(exit)
}

fn open(demo: &Demo, registry: Registry) -> Result<Front, CliError> {
    Front::open(&Global { dir: demo.checkout(), state: None, config: None }, registry)
}

/// Ends the services of a demo.
fn end(state: &std::path::Path) -> Result<Exit, CliError> {
    let stopped = stop_all(state)
        .map_err(|error| CliError::io("the services could not be ended", std::io::Error::other(error)))?;
    if stopped.is_empty() {
        note("no service was running");
    }
    for service in stopped {
        note(&format!("ended {} {}", service.environment, service.version));
    }
    Ok(Exit::Passed)
}
