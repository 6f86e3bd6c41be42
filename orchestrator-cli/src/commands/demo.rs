//! `demo`: the main job, on an embedded example.

mod acts;
mod shown;

use orchestrator_agents::deployment::ops::stop_all;
use orchestrator_core::registry::Registry;

use self::acts::{Act, Stands};
use super::run;
use crate::args::{DemoArgs, Format, Global, Output, ResumeArgs, RunArgs};
use crate::demo::{Demo, has_database};
use crate::error::CliError;
use crate::exit::Exit;
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
    if !demo.is_there() || fresh {
        if demo.is_there() {
            end(&state)?;
        }
        note(&format!(
            "laying out a project with a history, two feature branches and a remote in `{}`",
            shown(&folder)
        ));
        if !has_database() {
            note("there is no `sqlite3`: the service keeps its data in memory, and no migrations are shown");
        }
        demo.lay_out()?;
    }
    if dry_run {
        let mut args = RunArgs { output, ..RunArgs::default() };
        args.how.dry_run = true;
        return run::run(Act::Delivery.open(&demo, registry)?, args).await;
    }
    play(&demo, &registry, output).await
}

/// Plays what was not played yet, one act after the other; what was cut off goes on.
async fn play(demo: &Demo, registry: &Registry, output: Output) -> Result<Exit, CliError> {
    let mut played = false;
    for act in Act::ALL {
        let front = act.open(demo, registry.clone())?;
        let exit = match act.stands(&front).await? {
            Stands::Over(exit) => exit,
            Stands::Open(run) => {
                played = true;
                let run = Some(run.to_string());
                let args = ResumeArgs { run, assume: Vec::new(), wait: false, take_over: false, output };
                super::resume::resume(front, args).await?
            }
            Stands::Ahead => {
                played = true;
                if output.format == Format::Human {
                    say(&format!("\n{}\n", act.title()));
                }
                run::run(front, RunArgs { output, ..RunArgs::default() }).await?
            }
        };
        if exit != act.ends() {
            if exit == Exit::Passed {
                note("the bad version was not rolled back: what should have found it did not");
                return Ok(Exit::Failed);
            }
            if !played {
                over(demo);
            }
            return Ok(exit);
        }
    }
    if !played {
        over(demo);
    }
    let played = shown::Played::of(demo, registry).await?;
    if output.format == Format::Human {
        say(&played.text(demo));
    }
    Ok(if played.is_as_promised() { Exit::Passed } else { Exit::Failed })
}

fn over(demo: &Demo) {
    say(&format!(
        "the demo in `{}` has run; `--fresh` starts over, `--stop` ends what it left running",
        shown(&demo.checkout())
    ));
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
