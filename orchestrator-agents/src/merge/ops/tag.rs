//! Annotated tags.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{TRAILER, trailer};
use super::candidate::Candidate;
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Makes annotated tags at the commit that is to be released, signed where git is set up so. Its undo deletes those that it made.
#[derive(Debug, Clone, Copy)]
pub struct CreateTag;

/// Which tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TagInput {
    /// Their names.
    pub tags: Vec<String>,
    /// The branch that is released.
    pub branch: String,
    /// Their message.
    pub message: String,
}

/// Tags that are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tagged {
    /// Their names.
    pub tags: Vec<String>,
    /// The commit that they name.
    pub commit: String,
}

#[async_trait]
impl Operation for CreateTag {
    const NAME: &'static str = "create-tag";
    const EFFECT: Effect = Effect::Writes;
    type Input = TagInput;
    type Output = Tagged;

    async fn call(&self, input: TagInput, order: &OrderKey, site: &Site<'_>) -> Result<Tagged, BoxError> {
        let order = order.clone();
        blocking(site, move |here| create(here, input, &order)).await
    }

    async fn undo(&self, input: &TagInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let tags = input.tags.clone();
        blocking(site, move |here| {
            let git = Git::new(here);
            let mut new = Vec::new();
            for tag in tags {
                if object(&git, &tag)?.is_none() {
                    new.push(tag);
                }
            }
            new.reverse();
            Ok(if new.is_empty() { Vec::new() } else { vec![DeleteTag::action(&TagNames { tags: new })?] })
        })
        .await
    }

    async fn already(&self, input: &TagInput, order: &OrderKey, site: &Site<'_>) -> Already<Tagged> {
        let (input, order) = (input.clone(), order.clone());
        let found = blocking(site, move |here| {
            let git = Git::new(here);
            let commit = Candidate::released(&git, &input.branch, &order)?;
            for tag in &input.tags {
                if git.commit(&format!("refs/tags/{tag}"))?.as_deref() != Some(&*commit) {
                    return Ok(None);
                }
            }
            Ok(Some(Tagged { tags: input.tags, commit }))
        });
        match found.await {
            Ok(Some(tagged)) => Already::Done(tagged),
            // Making those that are missing is all that is left.
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

fn create(here: &Here, input: TagInput, order: &OrderKey) -> Result<Tagged, BoxError> {
    let git = Git::new(here);
    let commit = Candidate::released(&git, &input.branch, order)?;
    let mut missing = Vec::new();
    for tag in &input.tags {
        let full = full(&git, tag)?;
        match git.commit(&full)? {
            None if object(&git, tag)?.is_none() => missing.push(tag),
            Some(there) if there == commit => {}
            there => {
                let there = there.unwrap_or_else(|| "something that is no commit".to_owned());
                return Err(
                    format!("tag `{tag}` is there already and names {there} instead of {commit}").into()
                );
            }
        }
    }
    let trailer = trailer(order);
    for tag in missing {
        git.bytes(["tag", "-a", "-m", &input.message, "-m", &trailer, tag, &commit])?;
    }
    Ok(Tagged { tags: input.tags, commit })
}

/// Deletes local tags that a run made; others are left, and said. There is no undo: a new run makes them anew.
#[derive(Debug, Clone, Copy)]
pub struct DeleteTag;

/// Which tags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TagNames {
    /// Their names.
    pub tags: Vec<String>,
}

/// Tags that are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeletedTags {
    /// Their names; those that were gone before are not among them.
    pub deleted: Vec<String>,
}

#[async_trait]
impl Operation for DeleteTag {
    const NAME: &'static str = "delete-tag";
    const EFFECT: Effect = Effect::Writes;
    type Input = TagNames;
    type Output = DeletedTags;

    async fn call(&self, input: TagNames, _: &OrderKey, site: &Site<'_>) -> Result<DeletedTags, BoxError> {
        blocking(site, move |here| delete(here, input.tags)).await
    }

    async fn already(&self, _: &TagNames, _: &OrderKey, _: &Site<'_>) -> Already<DeletedTags> {
        Already::NotDone
    }
}

fn delete(here: &Here, tags: Vec<String>) -> Result<DeletedTags, BoxError> {
    let git = Git::new(here);
    let mut deleted = Vec::new();
    for tag in tags {
        let full = full(&git, &tag)?;
        let Some(object) = object(&git, &tag)? else { continue };
        let text = git.maybe(["cat-file", "tag", &object])?.unwrap_or_default();
        if !text.lines().any(|line| line.starts_with(TRAILER)) {
            return Err(format!("tag `{tag}` was not made by a run; it is left").into());
        }
        git.bytes(["update-ref", "-d", &full, &object])?;
        deleted.push(tag);
    }
    Ok(DeletedTags { deleted })
}

fn full(git: &Git<'_>, tag: &str) -> Result<String, BoxError> {
    let full = format!("refs/tags/{tag}");
    match git.maybe(["check-ref-format", &full])? {
        Some(_) if !tag.starts_with('-') => Ok(full),
        _ => Err(format!("`{tag}` is not a tag name").into()),
    }
}

fn object(git: &Git<'_>, tag: &str) -> Result<Option<String>, BoxError> {
    Ok(git.maybe(["rev-parse", "--quiet", "--verify", &format!("refs/tags/{tag}")])?)
}
