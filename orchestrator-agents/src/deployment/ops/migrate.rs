//! `pending-migrations` and `apply-migrations`: what of a folder of migrations a database has not seen yet, and applying it.

mod commands;
mod postgres;
mod record;
mod sqlite;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::claim::{self, Serving};
use super::contracted;
use super::place::Place;
use crate::deployment::migrations::{
    Applied, Dialect, Kind, MigratedDatabase, MigrationFile, Stage, compare, due,
};
use crate::deployment::{Environment, Seconds};
use crate::ops::here::{Here, Scratch, blocking};
use commands::Tool;
use record::{Database, Means};

/// What to look for, or to apply, where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MigrateInput {
    /// Where.
    pub environment: Environment,
    /// The database.
    pub database: MigratedDatabase,
    /// The folder of the files.
    pub folder: RelPath,
    /// All files, in order, as they were seen; one that was changed since is not applied.
    pub files: Vec<MigrationFile>,
    /// Which of them.
    pub stage: Stage,
    /// Seconds that one file, or one command, may take.
    pub timeout: Seconds,
    /// Whether the environment must be claimed by the task that orders it; asked before anything is applied.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub claimed: bool,
}

/// What is pending.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PendingMigrationsOutput {
    /// In which stage.
    pub stage: Stage,
    /// Files that this stage applies, in order.
    pub pending: Vec<MigrationFile>,
    /// Files that a later stage applies.
    pub later: Vec<MigrationFile>,
    /// How many were applied earlier; none where only a tool of the user knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<u32>,
    /// Expand files that another version applied and that are not in this checkout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<String>,
    /// Whether there is no database yet.
    #[serde(default)]
    pub new: bool,
    /// Whether nothing serves, and nothing is in the database that a version may need.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty: bool,
    /// What the user's tool said is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// What serves in the environment: where nothing does, all files are applied at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serves: Option<Serving>,
    /// What counts there and is down: its schema stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<Serving>,
}

/// What was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedMigrations {
    /// In which stage.
    pub stage: Stage,
    /// Files that this order applied, in order.
    pub applied: Vec<AppliedMigration>,
    /// How many were applied earlier; none where only a tool of the user knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<u32>,
    /// Expand files that another version applied and that are not in this checkout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ahead: Vec<String>,
    /// Whether the database was made.
    #[serde(default)]
    pub made: bool,
    /// What the user's tool printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

/// A file that was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AppliedMigration {
    /// Its name.
    pub name: String,
    /// Milliseconds that it took; none where it was found applied after a crash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
}

/// Says what is pending. Fails where files and database contradict each other.
#[derive(Debug, Clone, Copy, Default)]
pub struct PendingMigrations;

#[async_trait]
impl Operation for PendingMigrations {
    const NAME: &'static str = "pending-migrations";
    const EFFECT: Effect = Effect::Reads;
    type Input = MigrateInput;
    type Output = PendingMigrationsOutput;

    async fn call(
        &self,
        input: MigrateInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<PendingMigrationsOutput, BoxError> {
        let (means, order) = (Means::of(&input, site)?, order.clone());
        let (serves, down) = claim::serving(&Place::new(site.state, &input.environment))?;
        let none = serves.is_none() && down.is_none();
        let found = blocking(site, move |here| pending(here, &input, &order, &means, none)).await?;
        Ok(PendingMigrationsOutput { serves, down, ..found })
    }

    async fn already(
        &self,
        _: &MigrateInput,
        _: &OrderKey,
        _: &Site<'_>,
    ) -> Already<PendingMigrationsOutput> {
        Already::NotDone
    }
}

/// Applies what is pending in a stage, each file in one transaction with its record, and looks that nothing is pending then.
#[derive(Debug, Clone, Copy, Default)]
pub struct ApplyMigrations;

#[async_trait]
impl Operation for ApplyMigrations {
    const NAME: &'static str = "apply-migrations";
    const EFFECT: Effect = Effect::Publishes;
    type Input = MigrateInput;
    type Output = AppliedMigrations;

    async fn call(
        &self,
        input: MigrateInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<AppliedMigrations, BoxError> {
        if input.claimed {
            claim::confirm(&Place::new(site.state, &input.environment), order)?;
        }
        let (means, order) = (Means::of(&input, site)?, order.clone());
        let place = Place::new(site.state, &input.environment);
        blocking(site, move |here| apply(here, &input, &order, &means, &place)).await
    }

    fn advice(&self, input: &MigrateInput) -> Option<String> {
        let what = match &input.database {
            MigratedDatabase::Sqlite(path) => format!("`{}`", path.as_str()),
            MigratedDatabase::Postgres(_) | MigratedDatabase::Command(_) => "the database".to_owned(),
        };
        let stage = input.stage;
        let but = match stage {
            Stage::Expand => "the version before works with them",
            Stage::Contract => "versions before may not work without what they took away",
            Stage::All => "no version ran without them",
        };
        Some(format!("migrations ({stage}) stay: {but}; to take data back, restore {what} from a backup"))
    }

    async fn already(
        &self,
        input: &MigrateInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Already<AppliedMigrations> {
        let (input, order, means) = (input.clone(), order.clone(), Means::of(input, site));
        let place = Place::new(site.state, &input.environment);
        let done = match means {
            Ok(means) => blocking(site, move |here| done(here, &input, &order, &means, &place)).await,
            Err(error) => Err(error),
        };
        match done {
            Ok(Some(output)) => Already::Done(output),
            // A file is applied whole or not at all, so calling again goes on where it was cut off.
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

/// The dialect of the files; that of a tool's own files is its own matter.
fn dialect(input: &MigrateInput) -> Dialect {
    match &input.database {
        MigratedDatabase::Postgres(_) => Dialect::Postgres,
        MigratedDatabase::Sqlite(_) | MigratedDatabase::Command(_) => Dialect::Sqlite,
    }
}

/// The database, where it remembers itself what was applied.
fn database<'h>(
    here: &'h Here,
    input: &MigrateInput,
    means: &Means,
    scratch: &Scratch,
) -> Result<Box<dyn Database + 'h>, BoxError> {
    Ok(means.database(here, input, scratch)?.ok_or("the database of the migrations is not known")?)
}

/// What is pending, where `none` says that no version serves, nor counts.
fn pending(
    here: &Here,
    input: &MigrateInput,
    order: &OrderKey,
    means: &Means,
    none: bool,
) -> Result<PendingMigrationsOutput, BoxError> {
    let stage = input.stage;
    if let Means::Tool(tool) = means {
        let said = tool.check(here, input)?;
        let (pending, later, ahead) = (Vec::new(), Vec::new(), Vec::new());
        return Ok(PendingMigrationsOutput {
            stage,
            pending,
            later,
            applied: None,
            ahead,
            new: false,
            empty: false,
            said,
            serves: None,
            down: None,
        });
    }
    let scratch = here.scratch(order, "migrations")?;
    let database = database(here, input, means, &scratch)?;
    let applied = database.applied()?;
    let standing = compare(&input.files, &applied)?;
    let (stage, pending) = match due(&standing.pending, stage) {
        // Where no version runs nobody needs what a contract file takes away: all are applied in order.
        Err(_) if none && stage == Stage::Expand => (Stage::All, standing.pending.clone()),
        due => (stage, due?),
    };
    let empty = none && database.is_empty()?;
    let later = standing.pending.into_iter().filter(|file| !pending.contains(file)).collect();
    let (applied, new) = (Some(applied.len() as u32), !database.is_there());
    Ok(PendingMigrationsOutput {
        stage,
        pending,
        later,
        applied,
        ahead: standing.ahead,
        new,
        empty,
        said: None,
        serves: None,
        down: None,
    })
}

fn apply(
    here: &Here,
    input: &MigrateInput,
    order: &OrderKey,
    means: &Means,
    place: &Place,
) -> Result<AppliedMigrations, BoxError> {
    let stage = input.stage;
    if let Means::Tool(tool) = means {
        return by_tool(here, input, tool, place);
    }
    let scratch = here.scratch(order, "migrations")?;
    let database = database(here, input, means, &scratch)?;
    let before = database.applied()?;
    let standing = compare(&input.files, &before)?;
    let (due, made) = (due(&standing.pending, stage)?, !database.is_there());
    // All of them are read before the first is applied.
    let text = |file| record::text(here, &input.folder, file, dialect(input));
    let texts = due.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    contracted::correct(place, &input.files, &before)?;
    let mut applied = Vec::with_capacity(due.len());
    for (file, text) in due.iter().zip(&texts) {
        here.go_on()?;
        let done = applied.len() as u64;
        here.progress.step(format!("applying {}", file.name), Some((done, due.len() as u64)));
        if stage == Stage::Contract && file.kind == Kind::Contract {
            contracted::note(place, std::slice::from_ref(&file.name))?;
        }
        let took_ms = match record::apply(&*database, file, text, order, input.timeout.duration()) {
            Ok(took_ms) => took_ms,
            Err(error) => {
                // What was not applied took nothing away. Where that cannot be seen the note stays; the first error is the one to tell.
                let _ = database.settled().map(|rows| contracted::correct(place, &input.files, &rows));
                return Err(error);
            }
        };
        // One that another order applied meanwhile is not this one's.
        applied.extend(took_ms.map(|took| AppliedMigration { name: file.name.clone(), took_ms: Some(took) }));
    }
    let rows = database.applied()?;
    contracted::correct(place, &input.files, &rows)?;
    let left = compare(&input.files, &rows)?.pending;
    if let Some(file) = left.iter().find(|file| due.contains(file)) {
        return Err(format!("`{}` is still pending after it was applied", file.name).into());
    }
    let (earlier, ahead) = (Some(before.len() as u32), standing.ahead);
    Ok(AppliedMigrations { stage, applied, earlier, ahead, made: made && !due.is_empty(), said: None })
}

/// Has the tool of the user apply, and looks what it left.
fn by_tool(
    here: &Here,
    input: &MigrateInput,
    tool: &Tool,
    place: &Place,
) -> Result<AppliedMigrations, BoxError> {
    let stage = input.stage;
    let taken = if stage == Stage::Contract { tool.takes_away(here, input)? } else { None };
    let noted = taken.as_deref().map(commands::in_one_line);
    let is_new = contracted::note(place, noted.as_slice())?;
    let done = tool.apply(here, input);
    if done.is_ok() || taken.is_some() {
        let left = tool.check(here, input);
        if let (Some(taken), Some(noted), Ok(Some(left))) = (&taken, &noted, &left)
            && is_new
            && tool.left_all(taken, left)
        {
            contracted::forget(place, noted)?;
        }
        // Of two errors the first is the one to tell.
        if done.is_ok()
            && let Some(pending) = left?
        {
            return Err(format!("migrations are still pending after they were applied: {pending}").into());
        }
    }
    let said = Some(done?).filter(|said| !said.is_empty());
    let (applied, ahead) = (Vec::new(), Vec::new());
    Ok(AppliedMigrations { stage, applied, earlier: None, ahead, made: false, said })
}

/// What this order did before it was cut off, where nothing is left of it.
fn done(
    here: &Here,
    input: &MigrateInput,
    order: &OrderKey,
    means: &Means,
    place: &Place,
) -> Result<Option<AppliedMigrations>, BoxError> {
    let stage = input.stage;
    if let Means::Tool(tool) = means {
        let (applied, ahead) = (Vec::new(), Vec::new());
        let all = AppliedMigrations { stage, applied, earlier: None, ahead, made: false, said: None };
        return Ok(tool.check(here, input)?.is_none().then_some(all));
    }
    let scratch = here.scratch(order, "migrations")?;
    // Whatever of it outlived the one that called goes first: it would hold up who goes on.
    let rows = database(here, input, means, &scratch)?.settled()?;
    let standing = compare(&input.files, &rows)?;
    // What another place applied is noted here, too: before it is, this is not done.
    let unnoted = stage == Stage::Contract && contracted::corrected(place, &input.files, &rows)?.is_some();
    if unnoted || !due(&standing.pending, stage)?.is_empty() {
        return Ok(None);
    }
    let order = order.to_string();
    let (own, others): (Vec<Applied>, Vec<Applied>) = rows.into_iter().partition(|row| row.order == order);
    let applied = own.into_iter().map(|row| AppliedMigration { name: row.name, took_ms: None }).collect();
    let earlier = Some(others.len() as u32);
    Ok(Some(AppliedMigrations { stage, applied, earlier, ahead: standing.ahead, made: false, said: None }))
}
