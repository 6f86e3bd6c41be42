//! Snapshots that are there: found, read, described.

use std::fs;
use std::path::{Path, PathBuf};

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;
use orchestrator_core::path::{Digest, RelPath};

use super::snapshot::{Snapshot, SnapshotInput};
use super::verify::Verification;
use crate::backup::manifest::{Manifest, What};
use crate::ops::here::Here;

/// Name of the manifest in a snapshot; its digest lies beside it.
pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const MANIFEST_DIGEST: &str = "manifest.b3";
/// What the last verification that succeeded said.
pub(super) const VERIFICATION: &str = "verification.json";
/// The length of `2026-11-20-234433`.
const SECOND: usize = 17;

/// The snapshot that an order made.
pub(super) fn find(here: &Here, input: &SnapshotInput, order: &OrderKey) -> Option<Snapshot> {
    let entries = fs::read_dir(input.to.under(&here.root)).ok()?;
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| name.starts_with(&input.name));
    names.sort();
    names.into_iter().find_map(|name| {
        let snapshot = input.to.join(name).ok()?;
        let (manifest, digest) = read(&snapshot.under(&here.root)).ok()?;
        (manifest.order == *order).then(|| described(&manifest, snapshot, digest, None))
    })
}

/// Names of all snapshots in a folder, the newest first. What is half-made is none of them.
pub(in crate::backup) fn names(all: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(all) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.') && all.join(name).join(MANIFEST).is_file());
    names.sort_by_key(|name| std::cmp::Reverse(in_time(name)));
    names
}

/// Two snapshots of one second are told apart by a number, which counts as a number.
fn in_time(name: &str) -> (String, u64) {
    let (second, number) = name.split_at_checked(SECOND).unwrap_or((name, ""));
    match number.strip_prefix('-').and_then(|number| number.parse().ok()) {
        Some(number) => (second.to_owned(), number),
        None => (name.to_owned(), 1),
    }
}

/// The newest snapshot that was verified as it is now, with its manifest.
pub(in crate::backup) fn newest_verified(all: &Path) -> Option<(PathBuf, Manifest)> {
    names(all).into_iter().find_map(|name| {
        let folder = all.join(name);
        let verified = verification(&folder)?;
        let (manifest, digest) = read(&folder).ok()?;
        (verified.manifest == digest && manifest.checked().is_ok()).then_some((folder, manifest))
    })
}

/// How a snapshot was verified; none where it was not, or where that cannot be read.
pub(in crate::backup) fn verification(snapshot: &Path) -> Option<Verification> {
    serde_json::from_slice(&fs::read(snapshot.join(VERIFICATION)).ok()?).ok()
}

/// Reads the manifest of a snapshot, with its digest.
pub(in crate::backup) fn read(snapshot: &Path) -> Result<(Manifest, Digest), BoxError> {
    let bytes = fs::read(snapshot.join(MANIFEST)).map_err(|error| format!("`{MANIFEST}`: {error}"))?;
    let digest = Digest::of(&bytes);
    let manifest = serde_json::from_slice(&bytes).map_err(|error| format!("`{MANIFEST}`: {error}"))?;
    Ok((manifest, digest))
}

pub(super) fn described(
    manifest: &Manifest,
    snapshot: RelPath,
    digest: Digest,
    took_ms: Option<f64>,
) -> Snapshot {
    let sizes = manifest.entries.iter().filter_map(|entry| match entry.what {
        What::File { bytes, .. } => Some(bytes),
        What::Link { .. } | What::Folder => None,
    });
    Snapshot {
        snapshot,
        manifest: digest,
        files: sizes.clone().count() as u64,
        tree_bytes: sizes.sum(),
        bytes: manifest.archive.bytes
            + manifest.bundle.as_ref().map_or(0, |bundle| bundle.bytes)
            + manifest.databases.iter().map(|dumped| dumped.stored.bytes).sum::<u64>(),
        head: manifest.git.as_ref().and_then(|git| git.head.clone()),
        refs: manifest.bundle.is_some(),
        databases: manifest.databases.iter().map(|dumped| dumped.source.name().to_string()).collect(),
        unsettled: manifest.unsettled.clone(),
        took_ms,
    }
}
