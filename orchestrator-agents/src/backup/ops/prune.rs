//! Lists snapshots, and removes those that a policy does not keep.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::known::{self, GONE, Known, Shelf};
use super::runs;
use super::snapshot::PARTIAL;
use crate::backup::keep::{Held, Keep, RunSeen, held, judge};
use crate::ops::here::{Here, blocking, remove_tree};

/// Lists the snapshots of a folder and what holds them.
#[derive(Debug, Clone, Copy)]
pub struct ListBackups;

/// Which folder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShelfInput {
    /// The folder of all snapshots.
    pub of: RelPath,
}

/// What is there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Listed {
    /// All that lies there.
    pub shelf: Shelf,
    /// What holds snapshots, by name.
    pub held: BTreeMap<String, Held>,
}

/// The snapshots of a folder and what holds them, by the journals of a state folder.
pub async fn listed(root: &Path, state: &Path, of: &RelPath) -> Result<Listed, BoxError> {
    let folder = of.under(root);
    let found = tokio::task::spawn_blocking(move || known::look(&folder)).await?;
    let shelf = found.map_err(|error| format!("`{of}` could not be read: {error}"))?;
    let runs: Vec<RunSeen> =
        if shelf.snapshots.is_empty() { Vec::new() } else { runs::look(state, &shelf.snapshots).await? };
    let seen: Vec<_> = shelf.snapshots.iter().map(Known::seen).collect();
    Ok(Listed { held: held(&seen, &runs), shelf })
}

#[async_trait]
impl Operation for ListBackups {
    const NAME: &'static str = "list-backups";
    const EFFECT: Effect = Effect::Reads;
    type Input = ShelfInput;
    type Output = Listed;

    async fn call(&self, input: ShelfInput, _: &OrderKey, site: &Site<'_>) -> Result<Listed, BoxError> {
        listed(site.root, site.state, &input.of).await
    }

    async fn already(&self, _: &ShelfInput, _: &OrderKey, _: &Site<'_>) -> Already<Listed> {
        Already::NotDone
    }
}

/// Removes snapshots. There is no undo. Each is looked at once more: what the policy keeps by now, or what is held by now,
/// stays.
#[derive(Debug, Clone, Copy)]
pub struct RemoveBackups;

/// Which go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveInput {
    /// The folder of all snapshots.
    pub of: RelPath,
    /// The policy by which they were judged.
    pub keep: Keep,
    /// Their names.
    pub remove: Vec<String>,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Removed {
    /// What is gone.
    pub gone: Vec<String>,
    /// What stayed all the same, and why.
    pub stayed: BTreeMap<String, String>,
    /// Bytes on disk that all snapshots take less now.
    pub freed: u64,
}

#[async_trait]
impl Operation for RemoveBackups {
    const NAME: &'static str = "remove-backups";
    const EFFECT: Effect = Effect::Writes;
    type Input = RemoveInput;
    type Output = Removed;

    async fn call(&self, input: RemoveInput, _: &OrderKey, site: &Site<'_>) -> Result<Removed, BoxError> {
        let now = listed(site.root, site.state, &input.of).await?;
        blocking(site, move |here| remove(here, &input, &now)).await
    }

    /// What is gone already is not missed, so it is simply done again.
    async fn already(&self, _: &RemoveInput, _: &OrderKey, _: &Site<'_>) -> Already<Removed> {
        Already::NotDone
    }
}

fn remove(here: &Here, input: &RemoveInput, now: &Listed) -> Result<Removed, BoxError> {
    let all = input.of.under(&here.root);
    let seen: Vec<_> = now.shelf.snapshots.iter().map(Known::seen).collect();
    let judged = judge(&seen, Some(&input.keep), &now.held);
    let wanted: BTreeSet<&String> = input.remove.iter().collect();
    let mut removed = Removed { gone: Vec::new(), stayed: BTreeMap::new(), freed: 0 };
    // The oldest first, so that one that is stopped has removed what was needed least.
    for judged in judged.into_iter().rev().filter(|judged| wanted.contains(&judged.name)) {
        if !judged.stays.is_empty() {
            let why: Vec<String> = judged.stays.iter().map(ToString::to_string).collect();
            removed.stayed.insert(judged.name, why.join(", "));
            continue;
        }
        here.go_on()?;
        gone(&all, &judged.name)
            .map_err(|error| format!("`{}/{}` could not be removed: {error}", input.of, judged.name))?;
        removed.gone.push(judged.name);
    }
    // Those that a killed process had renamed already are gone for everyone; only their room is left.
    for leftover in now.shelf.leftovers.iter().filter(|name| name.starts_with(GONE)) {
        here.go_on()?;
        remove_tree(&all.join(leftover))
            .map_err(|error| format!("`{leftover}` could not be removed: {error}"))?;
    }
    let there: BTreeSet<&String> = now.shelf.snapshots.iter().map(|known| &known.name).collect();
    let missing = input.remove.iter().filter(|name| !there.contains(name));
    removed.gone.extend(missing.cloned());
    removed.freed = now.shelf.bytes.saturating_sub(known::total(&all)?);
    Ok(removed)
}

/// Renames a snapshot, so that nobody takes half of it for a whole one, then removes it.
fn gone(all: &Path, name: &str) -> std::io::Result<()> {
    let aside = all.join(format!("{GONE}{name}"));
    remove_tree(&aside)?;
    fs::rename(all.join(name), &aside)?;
    File::open(all)?.sync_all()?;
    remove_tree(&aside)
}

/// Whether a name is that of something half-made or half-removed.
pub(super) fn is_half(name: &str) -> bool {
    name.starts_with(PARTIAL) || name.starts_with(GONE)
}
