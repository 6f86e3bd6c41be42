//! Looks whether a repository is there and opens with its password. Changes nothing.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Vault;
use super::here::{Password, Stands, folder, stands};
use super::rustic::open;
use crate::backup::repository::Place;
use crate::ops::here::blocking;

/// Looks at a repository.
#[derive(Debug, Clone, Copy)]
pub struct LookAtRepository;

/// Which one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LookInput {
    /// Where it lies, and where its password comes from.
    pub repository: Place,
}

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LookedAt {
    /// Its id; none where there is no repository yet.
    pub id: Option<String>,
    /// Snapshots in it, whoever made them.
    pub snapshots: u64,
}

#[async_trait]
impl Operation for LookAtRepository {
    const NAME: &'static str = "look-at-repository";
    const EFFECT: Effect = Effect::Reads;
    type Input = LookInput;
    type Output = LookedAt;

    async fn call(&self, input: LookInput, _: &OrderKey, site: &Site<'_>) -> Result<LookedAt, BoxError> {
        let password = Password::of(&input.repository, site)?;
        blocking(site, move |here| {
            let place = &input.repository;
            let path = folder(here, place)?;
            match stands(&path)? {
                Stands::Nothing => Ok(LookedAt { id: None, snapshots: 0 }),
                Stands::Else => Err(not_one(place)),
                Stands::Repository => {
                    let vault = open(here, &path, place, &password)?;
                    Ok(LookedAt { id: Some(vault.id()), snapshots: vault.snapshots()?.len() as u64 })
                }
            }
        })
        .await
    }

    async fn already(&self, _: &LookInput, _: &OrderKey, _: &Site<'_>) -> Already<LookedAt> {
        Already::NotDone
    }
}

/// The error of a folder that is something else.
pub(super) fn not_one(place: &Place) -> BoxError {
    let path = place.path();
    format!("`{path}` holds something that is no repository, and stays as it is: give the repository a folder of its own").into()
}
