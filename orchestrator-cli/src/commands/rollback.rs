//! `rollback`: what would undo a run, shown first, then run like any run.

use std::fmt::Write as _;

use orchestrator_core::effect::Effect;
use orchestrator_core::orchestrator::{Irreversible, Orchestrator, Rollback, RunOptions};
use orchestrator_core::plan::Plan;
use serde_json::{Value, json};

use super::ask::{Answer, ask};
use super::drive::drive;
use crate::args::{Format, RollbackArgs};
use crate::console::{clean, cut, plural};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::json::answer;
use crate::out::{note, say};
use crate::runs::{self, Latest};

/// The longest line of what is undone; `--dry-run` shows in full what is done instead.
const LINE: usize = 110;

pub(super) async fn rollback(front: Front, args: RollbackArgs) -> Result<Exit, CliError> {
    let RollbackArgs { run, dry_run, yes, wait, output } = args;
    // A pipeline file that is broken by now must not keep a run from being undone.
    let mut settings = settings(&Value::Null, &Value::Null)?;
    if let Ok(own) = front.own_settings() {
        settings.min_free_disk = own.min_free_disk;
    }
    let orchestrator = front.with(settings)?;
    let run = runs::find(&orchestrator, run.as_deref(), Latest::Real).await?;
    let Rollback { plan, reach, irreversible } = orchestrator.rollback(&run).await?;
    let shown = text(plan.as_ref(), reach, &irreversible);
    let human = output.format == Format::Human;
    let Some(plan) = plan else {
        if human {
            say(&shown);
        } else {
            say(&answer(&json!({ "undo": 0, "irreversible": irreversible.len() })));
        }
        return Ok(Exit::Passed);
    };
    if !dry_run && !yes {
        let refused = "say `--yes` to roll back, or look first with `--dry-run`";
        match if human && !output.no_input { ask(|| say(&shown), "Roll back?")? } else { Answer::Nobody } {
            Answer::Yes => {}
            Answer::No => {
                note("nothing was changed");
                return Ok(Exit::Passed);
            }
            Answer::Nobody => return Err(CliError::usage(refused)),
        }
    } else if human && !output.quiet {
        say(&shown);
    }
    let ceiling = if dry_run { Effect::Reads } else { reach };
    let options = RunOptions { wait, parent: Some(run), ..RunOptions::new(ceiling) };
    let work =
        |orchestrator: Orchestrator, options| async move { orchestrator.run_with(&plan, options).await };
    drive(&front, orchestrator, output, options, None, work).await
}

fn text(plan: Option<&Plan>, reach: Effect, irreversible: &[Irreversible]) -> String {
    let mut text = String::new();
    match plan {
        None => text.push_str("There is nothing to undo.\n"),
        Some(plan) => {
            let _ = writeln!(text, "{} to undo, up to `{reach}`:", plural(plan.tasks().len(), "step"));
            for task in plan.tasks() {
                let about = task.description.as_deref().unwrap_or(task.id.as_str());
                let _ = writeln!(text, "  {}", cut(&clean(about), LINE));
            }
        }
    }
    if !irreversible.is_empty() {
        text.push_str("What was done and cannot be undone from the journal:\n");
        for Irreversible { task, action } in irreversible {
            let _ = writeln!(text, "  {}", cut(&format!("{task}: {}", clean(&action.to_string())), LINE));
        }
    }
    text
}
