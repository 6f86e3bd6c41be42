//! Forgets this checkout's snapshots by policy, never the one that was verified, and removes what no snapshot needs.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Vault;
use super::here::Password;
use super::lock::Use;
use super::store::{opened, ours};
use crate::backup::repository::{Keep, Place, forgotten};
use crate::ops::here::{Here, blocking};

/// Prunes. There is no undo: what is forgotten is gone.
#[derive(Debug, Clone, Copy)]
pub struct PruneRepository;

/// Which repository, and what stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PruneInput {
    /// Where it lies, and where its password comes from.
    pub repository: Place,
    /// Which of this checkout's snapshots stay.
    pub keep: Keep,
    /// Id of the snapshot that was verified last; it stays whatever the policy says.
    pub verified: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pruned {
    /// Ids of the snapshots that went.
    pub forgotten: Vec<String>,
    /// This checkout's snapshots that stay.
    pub kept: u64,
    /// Bytes that were removed.
    pub removed: u64,
}

#[async_trait]
impl Operation for PruneRepository {
    const NAME: &'static str = "prune-repository";
    const EFFECT: Effect = Effect::Writes;
    type Input = PruneInput;
    type Output = Pruned;

    async fn call(&self, input: PruneInput, _: &OrderKey, site: &Site<'_>) -> Result<Pruned, BoxError> {
        let password = Password::of(&input.repository, site)?;
        blocking(site, move |here| prune(here, &input, &password)).await
    }

    /// Repeating it is safe: what is gone is gone.
    async fn already(&self, _: &PruneInput, _: &OrderKey, _: &Site<'_>) -> Already<Pruned> {
        Already::NotDone
    }
}

fn prune(here: &Here, input: &PruneInput, password: &Password) -> Result<Pruned, BoxError> {
    let (vault, _) = opened(here, &input.repository, password)?;
    let _lock = vault.lock(Use::Alone)?;
    let all = ours(here, vault.snapshots()?);
    if !all.iter().any(|saved| saved.id == input.verified) {
        let (id, path) = (&input.verified, input.repository.path());
        return Err(format!("`{id}`, which was verified, is none of this checkout's snapshots in `{path}`: nothing was removed").into());
    }
    let forgotten = forgotten(&all, &input.keep, &input.verified);
    here.progress.step("pruning the repository", None);
    let freed = vault.prune(&forgotten)?;
    let kept = (all.len() - forgotten.len()) as u64;
    Ok(Pruned { forgotten, kept, removed: freed.bytes })
}
