//! Restores a snapshot in place, by its own `rollback.sh`: the script refuses to replace uncommitted work that is newer, and
//! keeps what it replaces under `refs/before-rollback/`.

use std::time::Instant;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::in_place::{FORCE, LOOK, in_place};
use super::restore_backup::checked;
use crate::ops::here::{Here, blocking};

/// The most lines of what would change that are kept.
const MOST: usize = 200;

/// Which snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InPlace {
    /// Its folder.
    pub snapshot: RelPath,
    /// Whether uncommitted work that is newer may be replaced.
    pub force: bool,
}

/// Asks the script what it would change; it changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct PreviewRollBack;

/// What would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Previewed {
    /// Refs and files, a line each, as the script says it; the first 200.
    pub changes: Vec<String>,
    /// How many lines there are in all.
    pub lines: u64,
    /// Uncommitted work that is newer, a line each: it is replaced with `force` alone.
    pub newer: Vec<String>,
}

/// Runs the script.
#[derive(Debug, Clone, Copy)]
pub struct RollBack;

/// What was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RolledBack {
    /// The snapshot's folder.
    pub snapshot: RelPath,
    /// The folder under `refs/` with what was replaced; none where nothing was.
    pub kept: Option<String>,
    /// Milliseconds that it took.
    pub restore_ms: f64,
}

#[async_trait]
impl Operation for PreviewRollBack {
    const NAME: &'static str = "preview-roll-back";
    const EFFECT: Effect = Effect::Reads;
    type Input = InPlace;
    type Output = Previewed;

    async fn call(&self, input: InPlace, _: &OrderKey, site: &Site<'_>) -> Result<Previewed, BoxError> {
        blocking(site, move |here| preview(here, &input)).await
    }

    async fn already(&self, _: &InPlace, _: &OrderKey, _: &Site<'_>) -> Already<Previewed> {
        Already::NotDone
    }
}

#[async_trait]
impl Operation for RollBack {
    const NAME: &'static str = "roll-back";
    const EFFECT: Effect = Effect::Writes;
    type Input = InPlace;
    type Output = RolledBack;

    async fn call(&self, input: InPlace, _: &OrderKey, site: &Site<'_>) -> Result<RolledBack, BoxError> {
        blocking(site, move |here| roll_back(here, input)).await
    }

    /// The script moves refs last, so that one that was cut short can be run again.
    async fn already(&self, _: &InPlace, _: &OrderKey, _: &Site<'_>) -> Already<RolledBack> {
        Already::NotDone
    }
}

fn preview(here: &Here, input: &InPlace) -> Result<Previewed, BoxError> {
    // The script too is as its manifest says: it is about to be trusted.
    checked(here, &input.snapshot)?;
    let output = in_place(here, &input.snapshot, Some(LOOK))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let changes = said.lines().take(MOST).map(str::to_owned).collect();
    let newer = output.stderr.lines().skip_while(|line| !line.starts_with("uncommitted work")).skip(1);
    Ok(Previewed {
        changes,
        lines: said.lines().count() as u64,
        newer: newer.take(MOST).map(str::to_owned).collect(),
    })
}

fn roll_back(here: &Here, input: InPlace) -> Result<RolledBack, BoxError> {
    let InPlace { snapshot, force } = input;
    checked(here, &snapshot)?;
    let before = kept(here)?;
    here.progress.step("restoring with rollback.sh", None);
    let start = Instant::now();
    in_place(here, &snapshot, force.then_some(FORCE))?;
    let restore_ms = start.elapsed().as_secs_f64() * 1000.0;
    let new = kept(here)?.into_iter().find(|name| !before.contains(name));
    Ok(RolledBack { snapshot, kept: new, restore_ms })
}

/// The folders under `refs/before-rollback/`.
fn kept(here: &Here) -> Result<Vec<String>, BoxError> {
    let Some(git) = super::bundle::repository(here)? else { return Ok(Vec::new()) };
    let refs = git.text(["for-each-ref", "--format=%(refname)", "refs/before-rollback/"])?;
    let folder = |name: &str| name.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
    let mut folders: Vec<String> = refs.lines().map(folder).collect();
    folders.dedup();
    Ok(folders)
}
