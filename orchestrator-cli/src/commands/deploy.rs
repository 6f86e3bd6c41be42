//! `deploy`: what is deployed, also outside of a run. What changes something is an ordinary run of a small pipeline.

mod chosen;
mod history;
mod hosts;
mod replay;
mod small;
mod status;
mod telling;

use std::path::Path;

use orchestrator_agents::deployment::hosts::HostRecord;
use orchestrator_agents::deployment::ops::{DeployError, Kept, environments, hosts as on_hosts};
use orchestrator_agents::deployment::{Environment, GoneHost, Happening, Patience, What};
use orchestrator_core::effect::Effect;
use orchestrator_core::orchestrator::{Orchestrator, ReuseMode, RunOptions};
use orchestrator_core::pipeline::Pipeline;
use orchestrator_core::plan::PlannedTask;
use orchestrator_core::problem::unknown;
use orchestrator_core::report::RunRecord;
use orchestrator_core::state::TaskState;
use serde_json::{Value, json};

use super::drive::driven;
use crate::args::{
    DeployCommand, DeployHow, DeployPruneArgs, DeployRollbackArgs, DeployStopArgs, SwitchArgs,
};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::out::note;
use hosts::There;

/// Does what was typed.
pub(super) async fn deploy(front: Front, dir: &Path, command: DeployCommand) -> Result<Exit, CliError> {
    match command {
        DeployCommand::Status(args) => status::status(&front, &args),
        DeployCommand::History(args) => history::history(&front, &args),
        DeployCommand::Switch(SwitchArgs { version, how }) => {
            let environment = chosen(&front, how.environment.as_ref())?;
            let all = hosts::keeps(&front, &environment)?;
            // As with a deployment: nothing changes anywhere unless all can be asked.
            if let Some(why) = all.iter().find_map(|there| there.said.as_ref().err()) {
                return Err(hosts::unread(why));
            }
            let wanted = to(&front, &all, &environment, &version)?;
            let wanted = wanted.into_iter().map(Option::transpose).collect::<Result<Vec<_>, _>>()?;
            let tasks = switches("switch", &environment, &all, wanted, how.wait);
            // One after the other: where one does not get it, it is not tried on the next.
            run(&front, small::switch("switch", tasks, small::Order::OneByOne)?, how, &[]).await
        }
        DeployCommand::Rollback(args) => rollback(front, args).await,
        DeployCommand::Prune(DeployPruneArgs { keep, how }) => {
            let environment = chosen(&front, how.environment.as_ref())?;
            let all = hosts::records(&front, &environment)?.into_iter().map(|record| record.host);
            run(&front, small::prune(&environment, keep, all.collect())?, how, &[]).await
        }
        DeployCommand::Replay(args) => replay::replay(dir, &args),
        DeployCommand::Stop(DeployStopArgs { all, host, forget, how }) => {
            let environment = if all { None } else { Some(chosen(&front, how.environment.as_ref())?) };
            run(&front, small::stop(stops(&front, environment, &host)?, forget)?, how, &[]).await
        }
    }
}

async fn rollback(front: Front, args: DeployRollbackArgs) -> Result<Exit, CliError> {
    let DeployRollbackArgs { to: wanted, how } = args;
    let environment = chosen(&front, how.environment.as_ref())?;
    if wanted.is_none()
        && !how.dry_run
        && let Some(exit) = telling::told_to_go_back(&front, &environment, &how).await?
    {
        return Ok(exit);
    }
    let all = hosts::keeps(&front, &environment)?;
    let silent: Vec<String> = all.iter().filter_map(|there| there.said.as_ref().err().cloned()).collect();
    if let (Some(why), true) = (silent.first(), silent.len() == all.len()) {
        return Err(hosts::unread(why));
    }
    let (given, stay) = match wanted {
        Some(version) => chosen::those_that_have(to(&front, &all, &environment, &version)?)?,
        None => chosen::back(&all, &environment)?,
    };
    let tasks = switches("rollback", &environment, &all, given, how.wait);
    // Each as it can: one that stays as it is keeps no other from going back.
    let silent = silent.into_iter().map(Unchanged::Unanswered);
    let unchanged: Vec<Unchanged> = silent.chain(stay.into_iter().map(Unchanged::Stays)).collect();
    run(&front, small::switch("rollback", tasks, small::Order::Each)?, how, &unchanged).await
}

/// Why a host is as it was.
enum Unchanged {
    /// It could not be asked.
    Unanswered(String),
    /// It has nothing to go back to.
    Stays(String),
}

/// The release of that name or version, on each host that answers, or why it has none.
fn to(
    front: &Front,
    all: &[There<Vec<Kept>>],
    environment: &Environment,
    wanted: &str,
) -> Result<Vec<chosen::Found>, CliError> {
    let find = |there: &There<Vec<Kept>>| {
        let Ok(kept) = &there.said else { return Ok(None) };
        let wanted = chosen::called(kept, all, wanted);
        let is_kept = kept.iter().any(|kept| kept.release == wanted || kept.version.as_str() == wanted);
        if !is_kept && was_deployed(front, environment, wanted)? {
            let place = there.place(environment, all.len());
            return Ok(Some(Err(CliError::usage(format!(
                "{place} keeps `{wanted}` no more: it was pruned; deploy it again"
            )))));
        }
        Ok(Some(chosen::find(kept, &there.place(environment, all.len()), wanted)))
    };
    all.iter().map(find).collect()
}

/// Whether the history tells of a release, or a version, that was started.
fn was_deployed(front: &Front, environment: &Environment, wanted: &str) -> Result<bool, CliError> {
    let is_it = |line: &Happening| line.release == wanted || line.version.as_str() == wanted;
    let told = hosts::happened(front, environment)?;
    let mut lines = told.iter().flat_map(|there| there.said.iter().flatten());
    Ok(lines.any(|line| line.what == What::Started && is_it(line)))
}

/// What each of them is given.
fn switches(
    command: &str,
    environment: &Environment,
    all: &[There<Vec<Kept>>],
    given: Vec<Option<chosen::Given>>,
    wait: Option<Patience>,
) -> Vec<small::Switch> {
    let records: Vec<&HostRecord> = all.iter().filter_map(|there| there.on.as_ref()).collect();
    let one = |(there, given): (&There<Vec<Kept>>, Option<chosen::Given>)| {
        let on = there.on.as_ref().map(|record| hosts::on(record, &records));
        let id = match &on {
            Some(on) if records.len() > 1 => {
                small::id(&format!("{command}-{environment}"), on.host.name.as_str())
            }
            _ => format!("{command}-{environment}"),
        };
        Some(small::Switch { id, environment: environment.clone(), given: given?, wait, on })
    };
    all.iter().zip(given).filter_map(one).collect()
}

/// What ends an environment, or all of them, each where it is; on those hosts alone, where some are named.
fn stops(
    front: &Front,
    environment: Option<Environment>,
    only: &[String],
) -> Result<Vec<small::Stop>, CliError> {
    let Some(environment) = environment else {
        let all = on_hosts(front.here.layout.state()).map_err(|error| cannot(&error))?;
        let there = all.into_iter().filter(|(_, record)| !record.ended);
        let there = there.map(|(environment, record)| (Some(environment), Some(record.host)));
        return Ok(std::iter::once((None, None)).chain(there).collect());
    };
    let mut records = hosts::records(front, &environment)?;
    if !only.is_empty() {
        // One that was forgotten is ended where it is named: it may have come back.
        let listed = |gone: &GoneHost| records.iter().any(|record| record.host.is_at(&gone.record.host));
        let gone: Vec<_> =
            hosts::gone(front, &environment)?.into_iter().filter(|gone| !listed(gone)).collect();
        records.extend(gone.into_iter().map(|gone| gone.record));
    }
    let names = || records.iter().map(|record| record.host.name.as_str());
    if let Some(wrong) = only.iter().find(|wanted| names().all(|name| name != wanted.as_str())) {
        return Err(CliError::Usage(unknown("host", wrong, names())));
    }
    let wanted =
        |record: &&HostRecord| only.is_empty() || only.iter().any(|name| name == record.host.name.as_str());
    let there: Vec<_> = records
        .iter()
        .filter(wanted)
        .map(|record| (Some(environment.clone()), Some(record.host.clone())))
        .collect();
    Ok(if there.is_empty() { vec![(Some(environment), None)] } else { there })
}

/// The environment that is meant.
fn chosen(front: &Front, environment: Option<&Environment>) -> Result<Environment, CliError> {
    let all = environments(front.here.layout.state()).map_err(|error| cannot(&error))?;
    let names = || all.iter().map(Environment::as_str);
    match (environment, all.as_slice()) {
        (_, []) => Err(CliError::usage(
            "nothing was deployed from here; deploy with `orchestrate run --phase deployment`",
        )),
        (Some(wanted), _) if names().all(|name| name != wanted.as_str()) => {
            Err(CliError::Usage(unknown("environment", wanted.as_str(), names())))
        }
        (Some(wanted), _) => Ok(wanted.clone()),
        (None, [only]) => Ok(only.clone()),
        (None, _) => {
            let names: Vec<&str> = names().collect();
            Err(CliError::usage(format!("say which environment with `--environment`: {}", names.join(", "))))
        }
    }
}

fn cannot(error: &DeployError) -> CliError {
    hosts::unread(&error.line())
}

/// What came of the task of each host.
fn on_each(record: &RunRecord) -> Vec<Value> {
    let tasks = record.plan().tasks().iter().zip(record.state.tasks());
    let one = |(task, state): (&PlannedTask, &TaskState)| {
        let config = task.config.value();
        // `deploy stop` names the host alone.
        let host = config.pointer("/on/host/name").or_else(|| config.pointer("/on/name"))?.clone();
        let output = state.output().map_or(Value::Null, |output| output.value().clone());
        Some(json!({ "host": host, "deployment": output }))
    };
    tasks.filter_map(one).collect()
}

/// Lets a small pipeline run and says what came of it. The ceiling of deliveries does not count.
async fn run(
    front: &Front,
    pipeline: Pipeline,
    how: DeployHow,
    unchanged: &[Unchanged],
) -> Result<Exit, CliError> {
    let ceiling = if how.dry_run { Effect::Reads } else { Effect::Publishes };
    let mut settings = settings(&Value::Null, &json!({ "ceiling": ceiling.as_str() }))?;
    // It takes next to no room, and is wanted most where the disk is full.
    settings.min_free_disk = 0;
    let orchestrator = front.with(settings)?;
    let plan = orchestrator.plan(&pipeline)?;
    let options = RunOptions { wait: how.wait.is_some(), reuse: ReuseMode::Off, ..RunOptions::new(ceiling) };
    let work =
        |orchestrator: Orchestrator, options| async move { orchestrator.run_with(&plan, options).await };
    let done = driven(front, orchestrator, how.output, options, work).await?;
    let (mut silent, mut stays) = (Vec::new(), Vec::new());
    for known in unchanged {
        match known {
            Unchanged::Unanswered(why) => silent.push(why),
            Unchanged::Stays(why) => stays.push(why),
        }
    }
    done.tell(front, how.output, |result| {
        let outputs = done.record.state.tasks().iter().find_map(|task| task.output());
        result["deployment"] = outputs.map_or(Value::Null, |output| output.value().clone());
        let hosts = on_each(&done.record);
        if hosts.len() > 1 {
            result["hosts"] = hosts.into();
        }
        for (name, known) in [("unanswered", &silent), ("unchanged", &stays)] {
            if !known.is_empty() {
                result[name] = json!(known);
            }
        }
    });
    for why in &silent {
        note(&format!("nothing was changed where it could not be asked: {why}\n"));
    }
    for why in &stays {
        note(&format!("nothing was changed where there is no way back: {why}\n"));
    }
    done.tidy(front).await;
    Ok(if unchanged.is_empty() || done.exit != Exit::Passed { done.exit } else { Exit::Failed })
}
