//! Brings deleted tags back: the undo of their deletion.

use std::collections::BTreeMap;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tag::{DeleteTag, TagNames, full, object};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Makes local tags name the very objects that they named before they were deleted. One that names another object by now is
/// left, and said. Its undo deletes them again.
#[derive(Debug, Clone, Copy)]
pub struct RestoreTag;

/// Which tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TagObjects {
    /// The object of each, by its name.
    pub tags: BTreeMap<String, String>,
}

/// Tags that are back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestoredTags {
    /// Their names; those that were there before are not among them.
    pub restored: Vec<String>,
}

#[async_trait]
impl Operation for RestoreTag {
    const NAME: &'static str = "restore-tag";
    const EFFECT: Effect = Effect::Writes;
    type Input = TagObjects;
    type Output = RestoredTags;

    async fn call(&self, input: TagObjects, _: &OrderKey, site: &Site<'_>) -> Result<RestoredTags, BoxError> {
        blocking(site, move |here| restore(here, &input.tags)).await
    }

    async fn undo(&self, input: &TagObjects, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let names: Vec<String> = input.tags.keys().cloned().collect();
        blocking(site, move |here| {
            let git = Git::new(here);
            let mut gone = Vec::new();
            for tag in names {
                if object(&git, &tag)?.is_none() {
                    gone.push(tag);
                }
            }
            Ok(if gone.is_empty() { Vec::new() } else { vec![DeleteTag::action(&TagNames { tags: gone })?] })
        })
        .await
    }

    /// Those that are back are left as they are.
    async fn already(&self, _: &TagObjects, _: &OrderKey, _: &Site<'_>) -> Already<RestoredTags> {
        Already::NotDone
    }
}

fn restore(here: &Here, tags: &BTreeMap<String, String>) -> Result<RestoredTags, BoxError> {
    let git = Git::new(here);
    let mut missing = Vec::new();
    for (tag, wanted) in tags {
        let full = full(&git, tag)?;
        match object(&git, tag)? {
            Some(there) if there == *wanted => {}
            Some(there) => {
                return Err(
                    format!("tag `{tag}` is there already and names {there} instead of {wanted}").into()
                );
            }
            None if git.maybe(["cat-file", "-e", wanted])?.is_none() => {
                return Err(
                    format!("the object {wanted} of tag `{tag}` is not in the repository any more").into()
                );
            }
            None => missing.push((tag, full, wanted)),
        }
    }
    let mut restored = Vec::new();
    for (tag, full, wanted) in missing {
        // An empty old value: only where there is none.
        git.bytes(["update-ref", "-m", "orchestrate", &full, wanted, ""])?;
        restored.push(tag.clone());
    }
    Ok(RestoredTags { restored })
}
