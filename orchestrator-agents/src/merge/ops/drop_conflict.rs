//! Takes the worktree of a conflict away.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::workshop::Workshop;
use crate::ops::here::blocking;

/// Takes away the worktree in which a person was to solve a conflict, with what is in it. There is no undo: the merge makes it anew.
#[derive(Debug, Clone, Copy)]
pub struct DropConflict;

/// Of which merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DropInput {
    /// The branch that was merged.
    pub branch: String,
    /// The branch that it was to go into.
    pub into: String,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConflictDropped {
    /// The worktree; none where there was none.
    pub folder: Option<String>,
}

#[async_trait]
impl Operation for DropConflict {
    const NAME: &'static str = "drop-conflict";
    const EFFECT: Effect = Effect::Writes;
    type Input = DropInput;
    type Output = ConflictDropped;

    async fn call(
        &self,
        input: DropInput,
        _: &OrderKey,
        site: &Site<'_>,
    ) -> Result<ConflictDropped, BoxError> {
        blocking(site, move |here| {
            let workshop = Workshop::of(here, &input.into, &input.branch);
            let folder = workshop.folder().exists().then(|| workshop.shown());
            workshop.remove()?;
            workshop.forget()?;
            Ok(ConflictDropped { folder })
        })
        .await
    }

    async fn already(&self, _: &DropInput, _: &OrderKey, _: &Site<'_>) -> Already<ConflictDropped> {
        Already::NotDone
    }
}
