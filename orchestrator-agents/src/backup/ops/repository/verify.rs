//! Verifies a snapshot in a repository, and the repository: every file is read, the structure checked, the snapshot restored
//! and compared with its manifest.

use std::time::Instant;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::archive::digest;
use super::super::bundle;
use super::compare::differences;
use super::here::{Password, Stands, folder, stands};
use super::look::not_one;
use super::rustic::open;
use super::sound::damaged;
use super::{BUNDLE, FILES, MANIFEST, Vault};
use crate::backup::repository::{Contents, Place};
use crate::ops::here::{Here, blocking};
use crate::said;

/// Verifies. Reads only: it restores into a scratch folder below the state folder.
#[derive(Debug, Clone, Copy)]
pub struct VerifyRepository;

/// Which snapshot of which repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyRepositoryInput {
    /// Where it lies, and where its password comes from.
    pub repository: Place,
    /// Id of the snapshot.
    pub snapshot: String,
    /// Digest that its manifest must have; any by default.
    #[serde(default)]
    pub manifest: Option<Digest>,
}

/// A snapshot that was restored and found to be as its manifest says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RepositoryVerification {
    /// Its id.
    pub snapshot: String,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Files that were restored and compared.
    pub files: u64,
    /// Refs that were restored and compared; none where the snapshot holds none.
    pub refs: Option<u64>,
    /// Milliseconds that restoring took, reading the whole repository and comparing not counted.
    pub restore_ms: f64,
}

#[async_trait]
impl Operation for VerifyRepository {
    const NAME: &'static str = "verify-repository";
    const EFFECT: Effect = Effect::Reads;
    type Input = VerifyRepositoryInput;
    type Output = RepositoryVerification;

    async fn call(
        &self,
        input: VerifyRepositoryInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<RepositoryVerification, BoxError> {
        let (password, order) = (Password::of(&input.repository, site)?, order.clone());
        blocking(site, move |here| verify(here, &input, &order, &password)).await
    }

    async fn already(
        &self,
        _: &VerifyRepositoryInput,
        _: &OrderKey,
        _: &Site<'_>,
    ) -> Already<RepositoryVerification> {
        Already::NotDone
    }
}

fn verify(
    here: &Here,
    input: &VerifyRepositoryInput,
    order: &OrderKey,
    password: &Password,
) -> Result<RepositoryVerification, BoxError> {
    let (place, id) = (&input.repository, &input.snapshot);
    let rejected = |wrong: &[String]| -> BoxError {
        format!("repository `{}` is damaged: {}", place.path(), said::some(wrong)).into()
    };
    let path = folder(here, place)?;
    if stands(&path)? != Stands::Repository {
        return Err(not_one(place));
    }
    // First what needs no password: a key that was changed would look like a wrong one.
    let wrong = damaged(here, &path)?;
    if !wrong.is_empty() {
        return Err(rejected(&wrong));
    }
    let vault = open(here, &path, place, password)?;
    here.progress.step("checking the repository", None);
    let wrong = vault.check()?;
    if !wrong.is_empty() {
        return Err(rejected(&wrong));
    }
    let scratch = here.scratch(order, "restore")?;
    let tree = scratch.folder("tree")?;
    here.progress.step("restoring files", None);
    let start = Instant::now();
    vault.restore(id, &tree)?;
    let restore_ms = start.elapsed().as_secs_f64() * 1000.0;
    let rejected = |wrong: &[String]| -> BoxError {
        format!("snapshot `{id}` of `{}` does not restore: {}", place.path(), said::some(wrong)).into()
    };
    let bytes = std::fs::read(tree.join(MANIFEST)).map_err(|error| format!("`{MANIFEST}`: {error}"))?;
    let manifest = Digest::of(&bytes);
    if input.manifest.is_some_and(|wanted| wanted != manifest) {
        return Err(rejected(&[format!("`{MANIFEST}`: content differs")]));
    }
    let contents: Contents = serde_json::from_slice(&bytes)?;
    here.progress.step("comparing", None);
    let mut wrong = differences(here, &contents.entries, &tree.join(FILES))?;
    let mut refs = None;
    if let (Some(stored), Some(position)) = (&contents.bundle, &contents.git) {
        match digest(&tree.join(BUNDLE)) {
            Ok(found) if found == (stored.bytes, stored.blake3) => {}
            Ok(_) => wrong.push(format!("`{BUNDLE}`: content differs")),
            Err(error) => wrong.push(format!("`{BUNDLE}`: {error}")),
        }
        wrong.extend(bundle::verify(here, &tree.join(BUNDLE), position, &scratch)?);
        refs = Some(position.refs.len() as u64);
    }
    if !wrong.is_empty() {
        return Err(rejected(&wrong));
    }
    let files = contents.files().count() as u64;
    Ok(RepositoryVerification { snapshot: id.clone(), manifest, files, refs, restore_ms })
}
