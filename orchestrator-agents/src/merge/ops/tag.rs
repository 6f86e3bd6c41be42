//! Annotated tags.

use std::collections::BTreeMap;

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
use super::published::{self, Published};
use super::restore_tag::{RestoreTag, TagObjects};
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
    /// The remote that is asked whether it has a tag, before one of ours is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// Tags that are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tagged {
    /// Their names.
    pub tags: Vec<String>,
    /// The commit that they name; none where nothing was looked at.
    pub commit: Option<String>,
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
                let full = format!("refs/tags/{tag}^{{commit}}");
                // What a dead run left is no state to go back to.
                let left = || {
                    let on = git.maybe(["branch", "--all", "--format=%(refname)", "--contains", &full])?;
                    Ok::<_, BoxError>(on.unwrap_or_default().trim().is_empty())
                };
                if object(&git, &tag)?.is_none() || (is_ours(&git, &tag)? && left()?) {
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
            Ok(Some(Tagged { tags: input.tags, commit: Some(commit) }))
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
    put(here, &input, &commit, order)?;
    Ok(Tagged { tags: input.tags, commit: Some(commit) })
}

/// Lets tags name a commit: those that are missing are made, those that a run made for another commit and that are nowhere else
/// yet are made anew. Looks at all of them before it changes one.
pub(super) fn put(here: &Here, input: &TagInput, commit: &str, order: &OrderKey) -> Result<(), BoxError> {
    let git = Git::new(here);
    let mut missing = Vec::new();
    for tag in &input.tags {
        let full = full(&git, tag)?;
        match (object(&git, tag)?, git.commit(&full)?) {
            (None, _) => missing.push((tag, None)),
            (Some(_), Some(there)) if there == commit => {}
            (Some(old), there) => {
                if !may_move(here, input, tag)? {
                    let there = there.unwrap_or_else(|| "something that is no commit".to_owned());
                    return Err(format!(
                        "tag `{tag}` is there already and names {there} instead of {commit}"
                    )
                    .into());
                }
                missing.push((tag, Some((full, old))));
            }
        }
    }
    let trailer = trailer(order);
    for (tag, old) in missing {
        if let Some((full, old)) = old {
            git.bytes(["update-ref", "-d", &full, &old])?;
        }
        git.bytes(["tag", "-a", "-m", &input.message, "-m", &trailer, tag, commit])?;
    }
    Ok(())
}

/// Whether a tag is a run's own, of a release that did not go out: not at the remote, and not on the branch.
fn may_move(here: &Here, input: &TagInput, tag: &str) -> Result<bool, BoxError> {
    let git = Git::new(here);
    if !is_ours(&git, tag)? {
        return Ok(false);
    }
    if let Some(remote) = &input.remote {
        let name = format!("refs/tags/{tag}");
        let published = Published::refs(here, remote, published::LIMIT, std::slice::from_ref(&name))?;
        if published.object(&name).is_some() {
            return Ok(false);
        }
    }
    // On a branch it was released, whatever the remote has.
    let on = git.text([
        "branch",
        "--all",
        "--format=%(refname)",
        "--contains",
        &format!("refs/tags/{tag}^{{commit}}"),
    ])?;
    Ok(on.trim().is_empty())
}

/// Whether a run made a tag.
pub(super) fn is_ours(git: &Git<'_>, tag: &str) -> Result<bool, BoxError> {
    let Some(object) = object(git, tag)? else { return Ok(false) };
    let text = git.maybe(["cat-file", "tag", &object])?.unwrap_or_default();
    Ok(text.lines().any(|line| line.starts_with(TRAILER)))
}

/// Deletes local tags that a run made; others are left, and said. Its undo makes them name the same objects again.
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

    async fn undo(&self, input: &TagNames, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let names = input.tags.clone();
        blocking(site, move |here| {
            let git = Git::new(here);
            let mut tags = BTreeMap::new();
            for tag in names {
                tags.extend(object(&git, &tag)?.map(|object| (tag, object)));
            }
            Ok(if tags.is_empty() { Vec::new() } else { vec![RestoreTag::action(&TagObjects { tags })?] })
        })
        .await
    }

    async fn already(&self, _: &TagNames, _: &OrderKey, _: &Site<'_>) -> Already<DeletedTags> {
        Already::NotDone
    }
}

fn delete(here: &Here, tags: Vec<String>) -> Result<DeletedTags, BoxError> {
    let git = Git::new(here);
    let mut deleted = Vec::new();
    for tag in tags {
        full(&git, &tag)?;
        if object(&git, &tag)?.is_none() {
            continue;
        }
        if !is_ours(&git, &tag)? {
            return Err(format!("tag `{tag}` was not made by a run; it is left").into());
        }
        delete_own(&git, &tag)?;
        deleted.push(tag);
    }
    Ok(DeletedTags { deleted })
}

/// Deletes a tag that a run made, if it is still that one.
pub(super) fn delete_own(git: &Git<'_>, tag: &str) -> Result<(), BoxError> {
    if let Some(object) = object(git, tag)? {
        git.bytes(["update-ref", "-d", &full(git, tag)?, &object])?;
    }
    Ok(())
}

pub(super) fn full(git: &Git<'_>, tag: &str) -> Result<String, BoxError> {
    let full = format!("refs/tags/{tag}");
    match git.maybe(["check-ref-format", &full])? {
        Some(_) if !tag.starts_with('-') => Ok(full),
        _ => Err(format!("`{tag}` is not a tag name").into()),
    }
}

pub(super) fn object(git: &Git<'_>, tag: &str) -> Result<Option<String>, BoxError> {
    Ok(git.maybe(["rev-parse", "--quiet", "--verify", &format!("refs/tags/{tag}")])?)
}
