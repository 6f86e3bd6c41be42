//! Brings a checkout back to a snapshot of it: the last step of a rollback whose journal cannot undo everything.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::{Digest, RelPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::differences::{Differences, Replace, differences, newer};
use super::in_place::{FORCE, in_place};
use super::made::read;
use crate::ops::here::{Here, blocking, remove_tree};
use crate::said;

/// Restores a snapshot over the checkout with the snapshot's own script, and looks whether it is restored. What it replaces
/// stays under `refs/before-rollback/` and in the snapshot `before`, which its undo restores.
#[derive(Debug, Clone, Copy)]
pub struct RestoreCheckout;

/// What to restore, and over what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutInput {
    /// The snapshot's folder.
    pub snapshot: RelPath,
    /// Digest that its manifest must have.
    pub manifest: Digest,
    /// What may be replaced; where there is anything else, nothing is.
    pub replace: Replace,
    /// A snapshot of what is replaced.
    pub before: RelPath,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RestoredCheckout {
    /// The snapshot's folder.
    pub snapshot: RelPath,
    /// Files that were changed; none where a run that was killed had begun with it.
    pub files: Option<u64>,
    /// Milliseconds that restoring took.
    pub restore_ms: f64,
}

#[async_trait]
impl Operation for RestoreCheckout {
    const NAME: &'static str = "restore-checkout";
    const EFFECT: Effect = Effect::Writes;
    type Input = CheckoutInput;
    type Output = RestoredCheckout;

    async fn call(
        &self,
        input: CheckoutInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<RestoredCheckout, BoxError> {
        let order = order.clone();
        blocking(site, move |here| restore(here, &input, &order)).await
    }

    async fn undo(&self, input: &CheckoutInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let input = input.clone();
        blocking(site, move |here| {
            let CheckoutInput { snapshot, before, .. } = input;
            let (_, manifest) = read(&before.under(&here.root))?;
            let replace = Replace::As(snapshot.clone());
            let back = CheckoutInput { snapshot: before, manifest, replace, before: snapshot };
            Ok(vec![RestoreCheckout::action(&back)?])
        })
        .await
    }

    /// Restoring again gives the same.
    async fn already(&self, _: &CheckoutInput, _: &OrderKey, _: &Site<'_>) -> Already<RestoredCheckout> {
        Already::NotDone
    }
}

fn restore(here: &Here, input: &CheckoutInput, order: &OrderKey) -> Result<RestoredCheckout, BoxError> {
    let CheckoutInput { snapshot, manifest, replace, before } = input;
    if read(&snapshot.under(&here.root))?.1 != *manifest {
        return Err(format!("backup `{snapshot}` is not the one that was meant: its manifest differs").into());
    }
    // Once begun, what is there is half of each: it is not judged again.
    let begun = begun(here, order);
    let mut files = None;
    if !begun.exists() {
        let found = differences(here, snapshot)?;
        files = Some(found.files.len() as u64);
        if found.is_empty() {
            return Ok(RestoredCheckout { snapshot: snapshot.clone(), files, restore_ms: 0.0 });
        }
        refuse_newer(here, &found, replace, before)?;
        fs::create_dir_all(begun.parent().unwrap_or(&here.state))?;
        fs::write(&begun, format!("{snapshot}\n"))?;
    }
    here.progress.step(format!("restoring {snapshot}"), None);
    let start = Instant::now();
    in_place(here, snapshot, Some(FORCE))?;
    let restore_ms = start.elapsed().as_secs_f64() * 1000.0;
    let left = differences(here, snapshot)?;
    if !left.is_empty() {
        let left: Vec<String> = left.files.iter().map(|changed| changed.path.to_string()).collect();
        return Err(format!(
            "`{snapshot}` was restored, and these differ from it still: {}",
            said::some(&left)
        )
        .into());
    }
    remove_tree(&begun)?;
    Ok(RestoredCheckout { snapshot: snapshot.clone(), files, restore_ms })
}

fn refuse_newer(
    here: &Here,
    found: &Differences,
    replace: &Replace,
    before: &RelPath,
) -> Result<(), BoxError> {
    let newer = newer(here, found, replace)?;
    if newer.is_empty() {
        return Ok(());
    }
    Err(format!(
        "newer work would be replaced, nothing was changed: {}; commit it elsewhere or move it away and try again, or roll \
         back with `--force`: it stays in `{before}` then, and under `refs/before-rollback/`",
        said::some(&newer)
    )
    .into())
}

/// The mark of an order that has begun to restore.
fn begun(here: &Here, order: &OrderKey) -> PathBuf {
    here.state.join("scratch").join(format!("{}-{}-restoring", order.run, order.file_stem()))
}
