//! `deploy`: what is deployed, also outside of a run. What changes something is an ordinary run of a small pipeline.

mod history;
mod replay;
mod small;
mod status;

use std::path::Path;

use orchestrator_agents::deployment::ops::{DeployError, Kept, kept, standing};
use orchestrator_agents::deployment::{Environment, Version, watch_signal};
use orchestrator_core::effect::Effect;
use orchestrator_core::orchestrator::{Orchestrator, ReuseMode, RunOptions};
use orchestrator_core::order::Signal;
use orchestrator_core::pipeline::Pipeline;
use orchestrator_core::problem::unknown;
use serde_json::{Value, json};

use super::drive::driven;
use crate::args::{DeployCommand, DeployHow, DeployRollbackArgs, DeployStopArgs, Format, SwitchArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::json::answer;
use crate::out::say;

/// Does what was typed.
pub(super) async fn deploy(front: Front, dir: &Path, command: DeployCommand) -> Result<Exit, CliError> {
    match command {
        DeployCommand::Status(args) => status::status(&front, &args),
        DeployCommand::History(args) => history::history(&front, &args),
        DeployCommand::Switch(SwitchArgs { version, how }) => {
            let environment = chosen(&front, how.environment.as_ref())?;
            let release = find(&front, &environment, &version)?;
            run(&front, small::switch("switch", environment, release, how.wait)?, how).await
        }
        DeployCommand::Rollback(args) => rollback(front, args).await,
        DeployCommand::Replay(args) => replay::replay(dir, &args),
        DeployCommand::Stop(DeployStopArgs { all, how }) => {
            let environment = if all { None } else { Some(chosen(&front, how.environment.as_ref())?) };
            run(&front, small::stop(environment)?, how).await
        }
    }
}

async fn rollback(front: Front, args: DeployRollbackArgs) -> Result<Exit, CliError> {
    let DeployRollbackArgs { to, how } = args;
    let environment = chosen(&front, how.environment.as_ref())?;
    if to.is_none()
        && !how.dry_run
        && let Some(exit) = told_to_go_back(&front, &environment, how.output.format).await?
    {
        return Ok(exit);
    }
    let release = match to {
        Some(to) => find(&front, &environment, &to)?,
        None => previous(&front, &environment)?,
    };
    run(&front, small::switch("rollback", environment, release, how.wait)?, how).await
}

/// A deployment that is under way goes back by itself: it is told to.
async fn told_to_go_back(
    front: &Front,
    environment: &Environment,
    format: Format,
) -> Result<Option<Exit>, CliError> {
    let found = standing(front.here.layout.state(), Some(environment)).map_err(|error| cannot(&error))?;
    let Some(claim) = found.into_iter().find_map(|standing| standing.claim) else { return Ok(None) };
    let orchestrator = front.look()?;
    if !orchestrator.is_live(&claim.run) {
        return Ok(None);
    }
    let from = std::env::var("USER").unwrap_or_default();
    let name = watch_signal(&claim.task)?;
    let payload = json!({ "decision": "rollback", "by": from }).into();
    orchestrator.signal(&claim.run, Signal { name, payload, from }).await?;
    let run = &claim.run;
    say(&match format {
        Format::Json => answer(&json!({ "environment": environment, "run": run, "told": "rollback" })),
        Format::Human => format!(
            "Run {run} deploys {} to {environment} right now; it is told to go back as soon as it watches. See: orchestrate status {run}",
            claim.version
        ),
    });
    Ok(Some(Exit::Passed))
}

/// The environment that is meant.
fn chosen(front: &Front, environment: Option<&Environment>) -> Result<Environment, CliError> {
    let all = standing(front.here.layout.state(), None).map_err(|error| cannot(&error))?;
    let names = || all.iter().map(|standing| standing.environment.as_str());
    match (environment, all.as_slice()) {
        (_, []) => Err(CliError::usage(
            "nothing was deployed from here; deploy with `orchestrate run --phase deployment`",
        )),
        (Some(wanted), _) if names().all(|name| name != wanted.as_str()) => {
            Err(CliError::Usage(unknown("environment", wanted.as_str(), names())))
        }
        (Some(wanted), _) => Ok(wanted.clone()),
        (None, [only]) => Ok(only.environment.clone()),
        (None, _) => {
            let names: Vec<&str> = names().collect();
            Err(CliError::usage(format!("say which environment with `--environment`: {}", names.join(", "))))
        }
    }
}

/// The kept release of a version, or of a name; the newest where there are several.
fn find(front: &Front, environment: &Environment, wanted: &str) -> Result<(Version, String), CliError> {
    let all = kept(front.here.layout.state(), environment).map_err(|error| cannot(&error))?;
    let fits = |kept: &&Kept| kept.release == wanted || kept.version.as_str() == wanted;
    match all.iter().find(fits) {
        Some(kept) => Ok((kept.version.clone(), kept.release.clone())),
        None if all.is_empty() => Err(CliError::usage(format!("{environment} keeps no release"))),
        None => {
            Err(CliError::Usage(unknown("version", wanted, all.iter().map(|kept| kept.version.as_str()))))
        }
    }
}

/// The release before the current one.
fn previous(front: &Front, environment: &Environment) -> Result<(Version, String), CliError> {
    let all = kept(front.here.layout.state(), environment).map_err(|error| cannot(&error))?;
    let found = all.into_iter().find(|kept| kept.previous && !kept.current);
    found.map(|kept| (kept.version, kept.release)).ok_or_else(|| {
        CliError::usage(format!(
            "{environment} has no version before the current one; say which with `--to`, as `orchestrate deploy history` lists them"
        ))
    })
}

fn cannot(error: &DeployError) -> CliError {
    let source = std::error::Error::source(error).map_or_else(String::new, |source| format!(": {source}"));
    CliError::io("what is deployed could not be read", std::io::Error::other(format!("{error}{source}")))
}

/// Lets a small pipeline run and says what came of it. The ceiling of deliveries does not count.
async fn run(front: &Front, pipeline: Pipeline, how: DeployHow) -> Result<Exit, CliError> {
    let ceiling = if how.dry_run { Effect::Reads } else { Effect::Publishes };
    let settings = settings(&Value::Null, &json!({ "ceiling": ceiling.as_str() }))?;
    let orchestrator = front.with(settings)?;
    let plan = orchestrator.plan(&pipeline)?;
    let options = RunOptions { wait: how.wait.is_some(), reuse: ReuseMode::Off, ..RunOptions::new(ceiling) };
    let work =
        |orchestrator: Orchestrator, options| async move { orchestrator.run_with(&plan, options).await };
    let done = driven(front, orchestrator, how.output, options, work).await?;
    done.tell(front, how.output, |result| {
        let outputs = done.record.state.tasks().iter().find_map(|task| task.output());
        result["deployment"] = outputs.map_or(Value::Null, |output| output.value().clone());
    });
    done.tidy(front).await;
    Ok(done.exit)
}
