//! Verifies a snapshot by restoring it.

use std::path::Path;
use std::time::Instant;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::{Digest, RelPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::archive::digest;
use super::databases::{Secrets, VerifiedDatabase};
use super::made::{MANIFEST, MANIFEST_DIGEST, VERIFICATION, read};
use super::restore::Unwritten;
use super::snapshot::write_synced;
use super::{bundle, databases, restore, script};
use crate::backup::manifest::{Manifest, Stored, What};
use crate::ops::here::{Here, blocking, remove_tree};
use crate::said;

/// Restores a snapshot into a scratch folder and compares. Reads only, as git sees it: the scratch folder is below the
/// state folder, `verification.json` in the snapshot. Databases of servers are restored into databases of their own that go
/// again.
#[derive(Debug, Clone, Copy)]
pub struct VerifySnapshot;

/// Which snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyInput {
    /// Its folder.
    pub snapshot: RelPath,
    /// Digest that its manifest must have; by default the one that lies beside it.
    #[serde(default)]
    pub manifest: Option<Digest>,
}

/// A snapshot that was restored and found to be as its manifest says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// Its folder.
    pub snapshot: RelPath,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Files that were restored and compared.
    pub files: u64,
    /// Refs that were restored and compared; none where the snapshot holds none.
    pub refs: Option<u64>,
    /// Databases that were restored into scratch ones and compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<VerifiedDatabase>,
    /// Milliseconds that restoring took, comparing not counted.
    pub restore_ms: f64,
}

#[async_trait]
impl Operation for VerifySnapshot {
    const NAME: &'static str = "verify-backup";
    const EFFECT: Effect = Effect::Reads;
    type Input = VerifyInput;
    type Output = Verification;

    async fn call(
        &self,
        input: VerifyInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Verification, BoxError> {
        let order = order.clone();
        // A manifest that cannot be read is told of below.
        let databases = read(&input.snapshot.under(site.root)).map(|(manifest, _)| manifest.databases);
        let secrets = Secrets::of(databases.iter().flatten().map(|dumped| &dumped.source), site.secrets);
        blocking(site, move |here| verify(here, &input, &order, &secrets)).await
    }

    async fn already(&self, _: &VerifyInput, _: &OrderKey, _: &Site<'_>) -> Already<Verification> {
        Already::NotDone
    }
}

fn verify(
    here: &Here,
    input: &VerifyInput,
    order: &OrderKey,
    secrets: &Secrets,
) -> Result<Verification, BoxError> {
    let snapshot = input.snapshot.under(&here.root);
    restored(here, input, &snapshot, order, secrets).inspect_err(|error| {
        if error.is::<Rejected>() {
            // It was verified before, and is not any more. What cannot be removed now names another time all the same.
            let _ = remove_tree(&snapshot.join(VERIFICATION));
        }
    })
}

fn restored(
    here: &Here,
    input: &VerifyInput,
    snapshot: &Path,
    order: &OrderKey,
    secrets: &Secrets,
) -> Result<Verification, BoxError> {
    let (manifest, found) = sound(snapshot, input.manifest).map_err(|wrong| rejected(input, &[wrong]))?;
    let mut wrong = changed_files(snapshot, &manifest, &input.snapshot);
    if !wrong.is_empty() {
        return Err(rejected(input, &wrong));
    }
    let scratch = here.scratch(order, "restore")?;
    let start = Instant::now();
    here.progress.step("restoring files", None);
    let tree = scratch.folder("tree")?;
    restore::tree(here, snapshot, &manifest, &tree).map_err(|error| {
        // A stop, or a disk that is full, says nothing about the backup.
        let is_ours = !error.is::<Unwritten>() && here.go_on().is_ok();
        if is_ours { rejected(input, &[error.to_string()]) } else { error }
    })?;
    let (mut refs, mut wrong_refs) = (None, Vec::new());
    if let (Some(stored), Some(position)) = (&manifest.bundle, &manifest.git) {
        wrong_refs = bundle::verify(here, &snapshot.join(&stored.file), position, &scratch)?;
        refs = Some(position.refs.len() as u64);
    }
    let mut restore_ms = start.elapsed().as_secs_f64() * 1000.0;
    here.progress.step("comparing", None);
    wrong.extend(restore::compare(here, &manifest, &tree)?);
    wrong.extend(wrong_refs);
    let (databases, wrong_databases) = databases::verify(here, &manifest, snapshot, secrets, &scratch)?;
    restore_ms += databases.iter().map(|database| database.restore_ms).sum::<f64>();
    wrong.extend(wrong_databases);
    if !wrong.is_empty() {
        return Err(rejected(input, &wrong));
    }
    let files =
        manifest.entries.iter().filter(|entry| matches!(entry.what, What::File { .. })).count() as u64;
    let verification = Verification {
        snapshot: input.snapshot.clone(),
        manifest: found,
        files,
        refs,
        databases,
        restore_ms,
    };
    let mut bytes = serde_json::to_vec_pretty(&verification)?;
    bytes.push(b'\n');
    write_synced(&snapshot.join(VERIFICATION), &bytes, 0o600)?;
    Ok(verification)
}

/// The manifest, if it is the one that was written.
pub(super) fn sound(snapshot: &Path, wanted: Option<Digest>) -> Result<(Manifest, Digest), String> {
    let beside = std::fs::read_to_string(snapshot.join(MANIFEST_DIGEST))
        .map_err(|error| format!("`{MANIFEST_DIGEST}`: {error}"))?;
    let bytes = std::fs::read(snapshot.join(MANIFEST)).map_err(|error| format!("`{MANIFEST}`: {error}"))?;
    let found = Digest::of(&bytes);
    if wanted.is_some_and(|wanted| wanted != found) {
        return Err(format!("`{MANIFEST}`: content differs"));
    }
    if beside != format!("{found}\n") {
        return Err(format!("`{MANIFEST}` or `{MANIFEST_DIGEST}`: content differs"));
    }
    let (manifest, found) = read(snapshot).map_err(|error| error.to_string())?;
    manifest.checked().map_err(|error| format!("`{MANIFEST}`: {error}"))?;
    Ok((manifest, found))
}

/// Files of the snapshot that are not what the manifest says.
pub(super) fn changed_files(snapshot: &Path, manifest: &Manifest, place: &RelPath) -> Vec<String> {
    let mut wrong = Vec::new();
    for Stored { file, bytes, blake3 } in manifest.stored() {
        match digest(&snapshot.join(file)) {
            Ok(found) if found == (*bytes, *blake3) => {}
            Ok(_) => wrong.push(format!("`{file}`: content differs")),
            Err(error) => wrong.push(format!("`{file}`: {error}")),
        }
    }
    if let Ok(found) = std::fs::read(snapshot.join(script::SCRIPT))
        && found != script::render(manifest, place).into_bytes()
    {
        wrong.push(format!("`{}`: content differs", script::SCRIPT));
    }
    wrong
}

/// A backup that is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("backup `{snapshot}` does not restore: {wrong}")]
struct Rejected {
    snapshot: RelPath,
    wrong: String,
}

fn rejected(input: &VerifyInput, wrong: &[String]) -> BoxError {
    Rejected { snapshot: input.snapshot.clone(), wrong: said::some(wrong) }.into()
}
