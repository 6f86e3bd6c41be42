//! `rollback`: what would undo a run, shown first, then run like any run.

mod shown;

use jiff::Timestamp;
use orchestrator_agents::backup::OwnBackup;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{RunId, TaskId};
use orchestrator_core::orchestrator::{Fallback, Orchestrator, Rollback, RollbackOptions, RunOptions};
use serde_json::Value;

use super::ask::{Answer, ask};
use super::drive::driven;
use crate::args::{Format, RollbackArgs};
use crate::console::clean;
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::json::answer;
use crate::out::{note, say};
use crate::runs::{self, Latest};

/// How many names a refusal lists.
const NAMES: usize = 10;

pub(super) async fn rollback(front: Front, args: RollbackArgs) -> Result<Exit, CliError> {
    // A pipeline file that is broken by now must not keep a run from being undone.
    let mut settings = settings(&Value::Null, &Value::Null)?;
    if let Ok(own) = front.own_settings() {
        settings.min_free_disk = own.min_free_disk;
    }
    let orchestrator = front.with(settings)?;
    let run = runs::find(&orchestrator, args.run.as_deref(), Latest::Undoable).await?;
    let to = args.to.as_deref().map(TaskId::new).transpose()?;
    let backup = OwnBackup {
        root: orchestrator.root().to_owned(),
        state: front.here.layout.state().to_owned(),
        env: orchestrator.environment().to_vec(),
        force: args.force,
        now: Timestamp::now(),
    };
    let fallback = (!args.no_backup).then_some(&backup as &dyn Fallback);
    let options = RollbackOptions { to: to.as_ref(), fallback };
    let rollback = orchestrator.rollback_with(&run, options).await?;
    let human = args.output.format == Format::Human;
    if rollback.plan.is_none() {
        if human {
            say(&shown::text(&run, &rollback));
        } else {
            let cannot = rollback.irreversible.len();
            let all = shown::json(&run, &rollback);
            say(&answer(&serde_json::json!({ "undo": 0, "irreversible": cannot, "rollback": all })));
        }
        return Ok(Exit::Passed);
    }
    if !args.dry_run {
        refuse_newer(&rollback, args.force)?;
    }
    if !agreed(&args, &run, &rollback)? {
        note("nothing was changed");
        return Ok(Exit::Passed);
    }
    perform(&front, orchestrator, &args, run, rollback).await
}

/// Whether it is to be done. Shows what it is where nothing else does.
fn agreed(args: &RollbackArgs, run: &RunId, rollback: &Rollback) -> Result<bool, CliError> {
    let human = args.output.format == Format::Human;
    let show = || say(&shown::text(run, rollback));
    if args.dry_run || args.yes {
        if human && !args.output.quiet {
            show();
        }
        return Ok(true);
    }
    let answer = if human && !args.output.no_input { ask(show, "Roll back?")? } else { Answer::Nobody };
    match answer {
        Answer::Yes => Ok(true),
        Answer::No => Ok(false),
        Answer::Nobody => Err(CliError::usage("say `--yes` to roll back, or look first with `--dry-run`")),
    }
}

async fn perform(
    front: &Front,
    orchestrator: Orchestrator,
    args: &RollbackArgs,
    run: RunId,
    rollback: Rollback,
) -> Result<Exit, CliError> {
    let ceiling = if args.dry_run { Effect::Reads } else { rollback.reach };
    let all = shown::json(&run, &rollback);
    if !args.dry_run {
        // What they left is done here: nobody is to go on with them.
        for cut_off in &rollback.cut_off {
            orchestrator.cancel(cut_off).await?;
            orchestrator
                .resume(cut_off, RunOptions { wait: args.wait, ..RunOptions::new(Effect::Reads) })
                .await?;
        }
    }
    let options = RunOptions { wait: args.wait, parent: Some(run), ..RunOptions::new(ceiling) };
    let Some(plan) = rollback.plan else { return Ok(Exit::Passed) };
    let work =
        |orchestrator: Orchestrator, options| async move { orchestrator.run_with(&plan, options).await };
    let done = driven(front, orchestrator, args.output, options, work).await?;
    done.tell(front, args.output, |result| result["rollback"] = all);
    done.tidy(front).await;
    Ok(done.exit)
}

/// Work that the run did not make is not replaced unasked.
fn refuse_newer(rollback: &Rollback, force: bool) -> Result<(), CliError> {
    let Some(restoration) = rollback.restoration.as_ref().filter(|it| !force && !it.newer.is_empty()) else {
        return Ok(());
    };
    let names: Vec<String> =
        restoration.newer.iter().take(NAMES).map(|name| format!("`{}`", clean(name))).collect();
    let more = restoration.newer.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    // What it wrote when it was cut off is newer too; itself it knows that.
    let resume =
        rollback.cut_off.last().map_or(String::new(), |run| format!("; or `orchestrate resume {run}`"));
    Err(CliError::usage(format!(
        "backup `{}` would replace work that is newer than the run: {}{more}; nothing was changed. Move it out of the way, or \
         leave the backup out with `--no-backup`, or replace it with `--force`: it is backed up first, and stays under \
         refs/before-rollback/{resume}",
        restoration.name,
        names.join(", ")
    )))
}
