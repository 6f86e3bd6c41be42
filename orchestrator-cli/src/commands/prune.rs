//! `prune`: removes runs that are over the limits; and the same after each run.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use orchestrator_agents::deployment::ops::runs_in_use;
use orchestrator_core::orchestrator::Orchestrator;
use orchestrator_core::prune::{Goes, Pruned, Pruning, Stays, Unreadable, Want};
use orchestrator_core::report::RunRecord;
use orchestrator_core::settings::Keep;
use orchestrator_core::units;
use serde_json::{Value, json};

use crate::args::{Format, PruneArgs};
use crate::console::{clean, plural};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::Front;
use crate::here::shown;
use crate::json::answer;
use crate::out::say;

pub(super) async fn prune(front: Front, args: PruneArgs) -> Result<Exit, CliError> {
    // What the limits are must be known for certain before anything goes.
    let settings = front.own_settings()?;
    let orchestrator = front.with(settings.clone())?;
    let in_use = in_use(&front)?;
    let want = Want { keep: &settings.keep, in_use: &in_use, unreadable: Unreadable::SetAside };
    let pruning = orchestrator.prunable(want, None).await?;
    let done = if args.dry_run { None } else { Some(orchestrator.prune(pruning.clone()).await) };
    match args.show.format {
        Format::Human => say(&text(&pruning, done.as_ref())),
        Format::Json => say(&answer(&result(&pruning, done.as_ref()))),
    }
    Ok(if done.is_some_and(|done| !done.failed.is_empty()) { Exit::Broken } else { Exit::Passed })
}

/// After a run: the same, save that nothing is set aside. It never fails the run; what goes wrong is a warning.
pub(super) async fn after(front: &Front, keep: &Keep, latest: &RunRecord) {
    if let Err(error) = tidy(front, keep, latest).await {
        tracing::warn!(%error, "older runs could not be pruned; look with `orchestrate prune --dry-run`");
    }
}

async fn tidy(front: &Front, keep: &Keep, latest: &RunRecord) -> Result<(), CliError> {
    let orchestrator = front.orchestrator(Duration::ZERO, None)?;
    let nobody = BTreeSet::new();
    let pruning = look(&orchestrator, keep, &nobody, latest).await?;
    if pruning.is_empty() {
        return Ok(());
    }
    // Only now it matters, and processes have to be looked at for it.
    let pruning = look(&orchestrator, keep, &in_use(front)?, latest).await?;
    for failed in orchestrator.prune(pruning).await.failed {
        tracing::warn!("{failed}");
    }
    Ok(())
}

async fn look(
    orchestrator: &Orchestrator,
    keep: &Keep,
    in_use: &BTreeSet<orchestrator_core::id::RunId>,
    latest: &RunRecord,
) -> Result<Pruning, CliError> {
    let want = Want { keep, in_use, unreadable: Unreadable::Stay };
    Ok(orchestrator.prunable(want, Some(latest)).await?)
}

fn in_use(front: &Front) -> Result<BTreeSet<orchestrator_core::id::RunId>, CliError> {
    runs_in_use(front.here.layout.state()).map_err(|error| {
        CliError::io("it is not known which runs have a deployment in use", std::io::Error::other(error))
    })
}

fn text(pruning: &Pruning, done: Option<&Pruned>) -> String {
    let Pruning { goes, aside, stays, leftovers, runs, bytes } = pruning;
    let mut text = String::new();
    let bytes_gone = goes.iter().map(|goes| goes.bytes).sum();
    let verb = if done.is_some() { "removed" } else { "would go" };
    let _ = writeln!(
        text,
        "{} of {runs} {verb}: {} of {}",
        plural(goes.len(), "run"),
        units::bytes(bytes_gone),
        units::bytes(*bytes)
    );
    for Goes { run, bytes, over, .. } in goes {
        let kept = done.is_some_and(|done| !done.gone.contains(run));
        let kept = if kept { "; it stayed: somebody took it up meanwhile" } else { "" };
        let _ = writeln!(text, "  {run}  {:>9}  over `{}`{kept}", units::bytes(*bytes), over.setting());
    }
    if !leftovers.is_empty() {
        let _ = writeln!(text, "{} of killed processes {verb}", plural(leftovers.len(), "leftover"));
    }
    for (title, list) in [("Set aside", aside), ("Over a limit, and stays", stays)] {
        if !list.is_empty() {
            let _ = writeln!(text, "{title}:");
        }
        for Stays { run, bytes, over, because } in list {
            let (bytes, setting, why) = (units::bytes(*bytes), over.setting(), clean(&because.to_string()));
            let _ = writeln!(text, "  {run}  {bytes:>9}  over `{setting}`; {why}");
        }
    }
    for (run, to) in done.map_or(&[][..], |done| &done.aside) {
        let _ = writeln!(text, "run {run} is now in {}", shown(to));
    }
    for failed in done.map_or(&[][..], |done| &done.failed) {
        let _ = writeln!(text, "failed: {failed}");
    }
    text
}

fn result(pruning: &Pruning, done: Option<&Pruned>) -> Value {
    let Pruning { goes, aside, stays, leftovers, runs, bytes } = pruning;
    let goes = goes
        .iter()
        .map(|Goes { run, bytes, over, .. }| json!({ "run": run, "bytes": bytes, "over": over.setting() }));
    let list = |list: &[Stays]| -> Value {
        list.iter()
            .map(|Stays { run, bytes, over, because }| {
                json!({ "run": run, "bytes": bytes, "over": over.setting(), "because": because.as_str(), "why": because.to_string() })
            })
            .collect()
    };
    json!({
        "runs": runs, "bytes": bytes, "goes": goes.collect::<Value>(), "set_aside": list(aside), "stays": list(stays),
        "leftovers": leftovers.len(), "dry_run": done.is_none(),
        "gone": done.map(|done| &done.gone), "failed": done.map(|done| &done.failed),
    })
}
