//! What a deployment does about migrations, as actions. Pure: for the agent that deploys.
//!
//! 1. Plan: [`Migrations::look`], which is carried.
//! 2. [`look_actions`] with the first round; [`blocked`] then says whether a person must agree before anything is applied.
//! 3. [`expand_actions`] before the new version starts; [`applied`] reads what came of it.
//! 4. [`contract_actions`] after it was promoted; a failure there is told and takes nothing back: both versions work without.

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::operation::Operation;
use orchestrator_core::order::Receipt;

use super::{Kind, MigrationFiles, Migrations, Stage, due};
use crate::deployment::Environment;
use crate::deployment::ops::{
    AppliedMigrations, ApplyMigrations, MigrateInput, PendingMigrations, PendingMigrationsOutput,
};

/// The stage that comes before a new version starts: `old` says whether a version is current.
pub fn first_stage(old: bool) -> Stage {
    if old { Stage::Expand } else { Stage::All }
}

fn input(
    config: &Migrations,
    files: &MigrationFiles,
    environment: &Environment,
    stage: Stage,
) -> MigrateInput {
    MigrateInput {
        environment: environment.clone(),
        database: config.database.of(environment),
        folder: config.folder.clone(),
        files: files.files.clone(),
        stage,
        timeout: config.timeout,
        claimed: false,
    }
}

/// Looks what is pending. Reads only, so a dry run says it too.
pub fn look_actions(
    config: &Migrations,
    files: &MigrationFiles,
    environment: &Environment,
    stage: Stage,
) -> Result<Vec<Action>, BoxError> {
    Ok(vec![PendingMigrations::action(&input(config, files, environment, stage))?])
}

/// Applies what comes before the new version starts.
pub fn expand_actions(
    config: &Migrations,
    files: &MigrationFiles,
    environment: &Environment,
    stage: Stage,
) -> Result<Vec<Action>, BoxError> {
    let input = MigrateInput { claimed: true, ..input(config, files, environment, stage) };
    Ok(vec![ApplyMigrations::action(&input)?])
}

/// Applies what is left after the new version was promoted. None where the folder holds no contract file.
pub fn contract_actions(
    config: &Migrations,
    files: &MigrationFiles,
    environment: &Environment,
) -> Result<Vec<Action>, BoxError> {
    if config.dialect().is_some() && files.files.iter().all(|file| file.kind == Kind::Expand) {
        return Ok(Vec::new());
    }
    let input = MigrateInput { claimed: true, ..input(config, files, environment, Stage::Contract) };
    Ok(vec![ApplyMigrations::action(&input)?])
}

/// What is pending in a stage. Fails where the order of the files allows none of it: the look itself does not, where nothing serves.
pub fn staged(pending: &PendingMigrationsOutput, stage: Stage) -> Result<PendingMigrationsOutput, String> {
    let files = match (pending.stage, stage) {
        (Stage::All, Stage::Expand) => due(&pending.pending, stage)?,
        _ => pending.pending.clone(),
    };
    Ok(PendingMigrationsOutput { stage, pending: files, ..pending.clone() })
}

/// Why a person must agree before this stage is applied; none where nobody needs to. Only files that are pending count, and only
/// where a version runs that may need what they take away.
pub fn blocked(
    config: &Migrations,
    files: &MigrationFiles,
    pending: &PendingMigrationsOutput,
) -> Option<String> {
    if config.allow_destructive || pending.stage != Stage::Expand {
        return None;
    }
    let due = |file: &str| pending.pending.iter().any(|pending| pending.name == file);
    let flaws: Vec<String> = files
        .flaws
        .iter()
        .filter(|flaw| flaw.needs_approval() && due(&flaw.file))
        .map(|flaw| format!("`{}` line {}: {}", flaw.file, flaw.line, flaw.message))
        .collect();
    (!flaws.is_empty()).then(|| {
        format!(
            "migrations would take away what the running version may need: {}; put it into a contract file, approve it, or \
             set `allow_destructive: true`",
            flaws.join("; ")
        )
    })
}

/// Remarks about what is pending, now or after promotion; what was applied earlier is not told again.
pub fn findings(
    config: &Migrations,
    files: &MigrationFiles,
    pending: &PendingMigrationsOutput,
) -> Vec<Finding> {
    let open = |name: &str| pending.pending.iter().chain(&pending.later).any(|file| file.name == name);
    let flaws = files.flaws.iter().filter(|flaw| open(&flaw.file)).map(|flaw| flaw.finding(&config.folder));
    let ahead = pending.ahead.iter().map(|name| {
        let message = format!("`{name}` was applied by another version and is not in this checkout");
        Finding::new("migration/ahead", Severity::Warning, message)
    });
    flaws.chain(ahead).collect()
}

/// What the receipt of [`look_actions`] or of [`expand_actions`] and [`contract_actions`] says, or why it says nothing.
pub fn outcome<T: serde::de::DeserializeOwned>(receipt: Option<&Receipt>) -> Result<T, String> {
    let receipt = receipt.ok_or("it was not performed")?;
    if !receipt.ok() {
        return Err(receipt.status.to_string());
    }
    receipt.output.parse().map_err(|error| format!("what it gave is not known ({}): {error}", receipt.status))
}

/// What was measured.
pub fn metrics(applied: &AppliedMigrations) -> Vec<Metric> {
    let evidence = Evidence::of("apply-migrations");
    let stage = applied.stage;
    let count = Metric::new(
        format!("deploy.migrations.{stage}"),
        applied.applied.len() as f64,
        "count",
        evidence.clone(),
    );
    let times: Option<Vec<f64>> = applied.applied.iter().map(|file| file.took_ms).collect();
    let took = times.filter(|times| !times.is_empty()).map(|times| times.iter().sum());
    let took =
        took.map(|took: f64| Metric::new(format!("deploy.migrations.{stage}.took"), took, "ms", evidence));
    std::iter::once(count).chain(took).collect()
}
