//! `backup`: what is backed up, also outside of a run. What changes something is an ordinary run of a small pipeline.

mod list;
mod small;
mod told;

use std::path::{Path, PathBuf};

use orchestrator_agents::backup::keep::Keep;
use orchestrator_agents::backup::ops::{Known, Listed, listed};
use orchestrator_core::effect::Effect;
use orchestrator_core::orchestrator::{Orchestrator, ReuseMode, RunOptions};
use orchestrator_core::path::RelPath;
use orchestrator_core::pipeline::{PhaseSpec, Pipeline};
use orchestrator_core::problem::unknown;
use serde_json::{Value, json};

use super::drive::driven;
use crate::args::{BackupCommand, CreateArgs, Format, Output, PruneBackupsArgs, RestoreArgs, VerifyArgs};
use crate::error::CliError;
use crate::exit::Exit;
use crate::front::{Front, settings};
use crate::out::{note, say};
use crate::runs::LATEST;

/// The phase that backs up.
const PHASE: &str = "restart_backup";
/// Where snapshots lie where nothing else is said.
const BACKUPS: &str = "backups";

/// Does what was typed; `dir` is where relative folders begin.
pub(super) async fn backup(front: Front, dir: &Path, command: BackupCommand) -> Result<Exit, CliError> {
    match command {
        BackupCommand::List(show) => {
            let shelf = Shelf::look(&front, Broken::Tolerated).await?;
            list::list(&shelf, show.format);
            Ok(Exit::Passed)
        }
        BackupCommand::Create(args) => create(front, args).await,
        BackupCommand::Verify(args) => verify(front, args).await,
        BackupCommand::Restore(args) => restore(front, dir, args).await,
        BackupCommand::Prune(args) => prune(front, args).await,
    }
}

/// What becomes of a pipeline file that cannot be read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// It is an error: it may say where backups lie, and which are kept.
    Refused,
    /// It is said, and the default holds: whoever needs a backup is not kept from it.
    Tolerated,
}

/// The snapshots of the project, and what the pipeline says of them.
struct Shelf {
    of: RelPath,
    keep: Option<Keep>,
    settings: Value,
    listed: Listed,
}

impl Shelf {
    async fn look(front: &Front, broken: Broken) -> Result<Self, CliError> {
        let (phase, settings) = phase(front, broken)?;
        let with = |key: &str| phase.with.get(key).filter(|value| !value.is_null());
        let wrong = |key: &str, why: &dyn std::fmt::Display| {
            CliError::usage(format!("`{key}` of the phase `{PHASE}` makes no sense: {why}"))
        };
        let of =
            with("to").map_or(Ok(BACKUPS), |to| to.as_str().ok_or_else(|| wrong("to", &"it is no text")))?;
        let of = RelPath::new(of).map_err(|error| wrong("to", &error))?;
        let keep = with("keep").map(|keep| serde_json::from_value::<Keep>(keep.clone()));
        let keep = keep.transpose().map_err(|error| wrong("keep", &error))?;
        let found = listed(&front.here.root, front.here.layout.state(), &of).await;
        let listed = found
            .map_err(|error| CliError::io("the backups could not be listed", std::io::Error::other(error)))?;
        Ok(Self { of, keep, settings, listed })
    }

    /// The snapshots, the oldest first.
    fn all(&self) -> &[Known] {
        &self.listed.shelf.snapshots
    }

    /// The one of a name, a unique beginning of one, or the latest.
    fn find(&self, name: &str) -> Result<&Known, CliError> {
        let Some(latest) = self.all().last() else {
            let of = &self.of;
            return Err(CliError::usage(format!(
                "there is no backup in `{of}`; make one with `orchestrate backup create`"
            )));
        };
        let name =
            name.strip_prefix(self.of.as_str()).and_then(|name| name.strip_prefix('/')).unwrap_or(name);
        if name == LATEST {
            return Ok(latest);
        }
        if let Some(exact) = self.all().iter().find(|known| known.name == name) {
            return Ok(exact);
        }
        let fits: Vec<&Known> = self.all().iter().filter(|known| known.name.starts_with(name)).collect();
        match fits.as_slice() {
            [one] if !name.is_empty() => Ok(one),
            [] => {
                let names = self.all().iter().rev().take(5).map(|known| known.name.as_str());
                Err(CliError::Usage(unknown("backup", name, names)))
            }
            many => {
                let names: Vec<&str> = many.iter().take(5).map(|known| known.name.as_str()).collect();
                Err(CliError::usage(format!(
                    "`{name}` may be any of {} backups: {}",
                    many.len(),
                    names.join(", ")
                )))
            }
        }
    }

    fn path(&self, known: &Known) -> Result<RelPath, CliError> {
        let path = self.of.join(&known.name);
        path.map_err(|error| CliError::usage(format!("`{}` is no name of a backup: {error}", known.name)))
    }
}

/// The phase of the pipeline file that backs up, or the built-in one; and the settings of the file.
fn phase(front: &Front, broken: Broken) -> Result<(PhaseSpec, Value), CliError> {
    let mut front = front.clone();
    let pipeline = match &front.here.file {
        None => Ok(Pipeline::default()),
        Some(_) => front.pipeline(),
    };
    let pipeline = match pipeline {
        Err(error) if broken == Broken::Tolerated => {
            note(&format!(
                "the pipeline file is passed over, backups are looked for in `{BACKUPS}`: {}",
                error.line()
            ));
            Pipeline::default()
        }
        pipeline => pipeline?,
    };
    let backs_up = |phase: &&PhaseSpec| match phase.uses.as_deref() {
        Some("standard") => phase.name.as_str() == PHASE,
        uses => uses == Some(PHASE),
    };
    let own = pipeline.phases.iter().find(backs_up).cloned();
    let mut phase = own.unwrap_or(PhaseSpec::new(orchestrator_core::id::PhaseName::new(PHASE)?));
    phase.uses = Some(PHASE.into());
    Ok((phase, pipeline.settings))
}

async fn create(front: Front, args: CreateArgs) -> Result<Exit, CliError> {
    let CreateArgs { dry_run, wait, output } = args;
    let (phase, settings) = phase(&front, Broken::Refused)?;
    run(&front, settings, small::create(phase)?, ceiling(dry_run), wait, output).await
}

async fn verify(front: Front, args: VerifyArgs) -> Result<Exit, CliError> {
    let VerifyArgs { names, all, output } = args;
    let shelf = Shelf::look(&front, Broken::Tolerated).await?;
    let mut wanted = Vec::new();
    // Asked for all, there must be one at least: nothing verified is no good news.
    for name in if all { vec![LATEST.to_owned()] } else { names } {
        wanted.push(shelf.path(shelf.find(&name)?)?);
    }
    if all {
        wanted = shelf.all().iter().map(|known| shelf.path(known)).collect::<Result<_, _>>()?;
    }
    wanted.sort();
    wanted.dedup();
    run(&front, shelf.settings, small::verify(&wanted)?, Effect::Reads, false, output).await
}

async fn restore(front: Front, dir: &Path, args: RestoreArgs) -> Result<Exit, CliError> {
    let RestoreArgs { name, to, in_place, databases, all_databases, force, dry_run, wait, output } = args;
    let shelf = Shelf::look(&front, Broken::Tolerated).await?;
    let known = shelf.find(&name)?;
    if all_databases || !databases.is_empty() {
        let pipeline = small::restore_databases(shelf.path(known)?, databases)?;
        // A server is beyond the checkout.
        let ceiling = if dry_run { Effect::Reads } else { Effect::Publishes };
        return run(&front, shelf.settings, pipeline, ceiling, wait, output).await;
    }
    let to = match (in_place, to) {
        (true, _) => None,
        (false, Some(to)) => Some(absolute(&dir.join(to))?),
        (false, None) => Some(absolute(&front.here.layout.state().join("restored").join(&known.name))?),
    };
    let pipeline = small::restore(shelf.path(known)?, to, force)?;
    run(&front, shelf.settings, pipeline, ceiling(dry_run), wait, output).await
}

/// The same place from the root of the file system, without the `..` of a folder that is there.
fn absolute(path: &Path) -> Result<String, CliError> {
    let cannot = |source| CliError::io(format!("`{}` cannot be used", path.display()), source);
    let full: PathBuf = std::path::absolute(path).map_err(cannot)?;
    let plain = full
        .parent()
        .zip(full.file_name())
        .and_then(|(parent, name)| Some(parent.canonicalize().ok()?.join(name)));
    plain
        .unwrap_or(full)
        .into_os_string()
        .into_string()
        .map_err(|path| CliError::usage(format!("`{}` is no text in UTF-8", path.to_string_lossy())))
}

async fn prune(front: Front, args: PruneBackupsArgs) -> Result<Exit, CliError> {
    let PruneBackupsArgs { keep, dry_run, wait, output } = args;
    // What is kept must be known for certain before anything goes.
    let shelf = Shelf::look(&front, Broken::Refused).await?;
    let Some(keep) = keep.policy().or(shelf.keep) else {
        return Err(CliError::usage(format!(
            "nothing says which backups to keep: say for instance `--keep-last 3 --keep-daily 7 --keep-weekly 4`, or \
             `with: {{keep: {{last: 3, daily: 7, weekly: 4}}}}` of the phase `{PHASE}`"
        )));
    };
    if keep.is_empty() {
        return Err(CliError::usage("that would keep no backup: say at least one number above 0"));
    }
    if dry_run && output.format == Format::Human && !output.quiet {
        say(&list::judged(&shelf, &keep));
    }
    let pipeline = small::prune(shelf.of.clone(), keep)?;
    run(&front, shelf.settings, pipeline, ceiling(dry_run), wait, output).await
}

fn ceiling(dry_run: bool) -> Effect {
    if dry_run { Effect::Reads } else { Effect::Writes }
}

/// Lets a small pipeline run and says what came of it. The ceiling of deliveries does not count.
async fn run(
    front: &Front,
    layer: Value,
    pipeline: Pipeline,
    ceiling: Effect,
    wait: bool,
    output: Output,
) -> Result<Exit, CliError> {
    let settings = settings(&layer, &json!({ "ceiling": ceiling.as_str() }))?;
    let orchestrator = front.with(settings)?;
    let plan = orchestrator.plan(&pipeline)?;
    let options = RunOptions { wait, reuse: ReuseMode::Off, ..RunOptions::new(ceiling) };
    let work =
        |orchestrator: Orchestrator, options| async move { orchestrator.run_with(&plan, options).await };
    let done = driven(front, orchestrator, output, options, work).await?;
    done.tell(front, output, |result| result["backup"] = told::json(&done.record));
    done.tidy(front).await;
    if output.format == Format::Human && !output.quiet {
        let text = told::text(&done.record);
        if !text.is_empty() {
            say(&text);
        }
    }
    Ok(done.exit)
}
