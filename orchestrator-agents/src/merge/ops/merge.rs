//! Merges a branch into the candidate of another.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::any_tip;
use super::candidate::{Candidate, Made, key, undo_of};
use super::tree::{Sides, able, merge_tree, names, unrelated};
use crate::merge::record::Kind;
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};
use crate::said;

/// Merges a branch into the candidate of another: neither the user's tree nor any branch changes. Its undo takes the candidate back.
#[derive(Debug, Clone, Copy)]
pub struct MergeIntoBranch;

/// What to merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeInput {
    /// The branch to merge: a local one, or `origin/x`.
    pub branch: String,
    /// The branch that it is to go into.
    pub into: String,
    /// The remote whose tip of that branch counts; none where the local branch alone does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The commit message.
    pub message: String,
}

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merged {
    /// Where the candidate stands now.
    pub commit: String,
    /// Where it stood before.
    pub previous: String,
    /// Nothing was to be done: everything was merged before.
    pub already_so: bool,
}

/// Why there is no merge.
#[derive(Debug, thiserror::Error)]
enum MergeError {
    #[error("merging `{branch}` into `{into}` conflicts in {}; nothing was changed", said::some(files))]
    Conflict { branch: String, into: String, files: Vec<String> },
    #[error("`{branch}` and `{into}` have no common history; nothing was changed")]
    Unrelated { branch: String, into: String },
}

#[async_trait]
impl Operation for MergeIntoBranch {
    const NAME: &'static str = "merge-branch";
    const EFFECT: Effect = Effect::Writes;
    type Input = MergeInput;
    type Output = Merged;

    async fn call(&self, input: MergeInput, order: &OrderKey, site: &Site<'_>) -> Result<Merged, BoxError> {
        let order = order.clone();
        blocking(site, move |here| merge(here, &input, &order)).await
    }

    async fn undo(&self, input: &MergeInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        undo_of(input.into.clone(), site).await
    }

    async fn already(&self, input: &MergeInput, order: &OrderKey, site: &Site<'_>) -> Already<Merged> {
        let (input, order) = (input.clone(), order.clone());
        let found = blocking(site, move |here| {
            let candidate = Candidate::of(&Git::new(here), &input.into, &order)?;
            let step = candidate.as_ref().and_then(|candidate| candidate.made_by(&order));
            Ok(step.map(|step| Merged {
                commit: step.to.clone(),
                previous: step.from.clone(),
                already_so: false,
            }))
        });
        match found.await {
            Ok(Some(merged)) => Already::Done(merged),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

fn merge(here: &Here, input: &MergeInput, order: &OrderKey) -> Result<Merged, BoxError> {
    let MergeInput { branch, into, remote, message } = input;
    let git = Git::new(here);
    able(&git)?;
    let theirs = any_tip(&git, branch)?;
    let mut candidate = Candidate::open(here, into, remote.as_deref(), order)?;
    let key = key(&(Kind::Merge, &theirs, message))?;
    if let Some(step) = candidate.take_over(&git, &key)? {
        return Ok(Merged { commit: step.to, previous: step.from, already_so: true });
    }
    let previous = candidate.tip().to_owned();
    if git.is_ancestor(&theirs, &previous)? {
        return Ok(Merged { commit: previous.clone(), previous, already_so: true });
    }
    here.progress.step(format!("merging {branch} into {into}"), None);
    let made = merge_tree(&git, Sides { ours: &previous, theirs: &theirs, base: None });
    let made = made.map_err(|error| {
        let (branch, into) = (branch.clone(), into.clone());
        if unrelated(&error) { MergeError::Unrelated { branch, into }.into() } else { error }
    })?;
    if !made.entries.is_empty() {
        let (branch, into, files) = (branch.clone(), into.clone(), names(&made.entries));
        return Err(MergeError::Conflict { branch, into, files }.into());
    }
    let trailers = vec![("Orchestrate-Merged".to_owned(), theirs.clone())];
    let merged = Some((&**branch, &*theirs));
    let made = Made { kind: Kind::Merge, tree: &made.tree, merged, message, trailers, key };
    let commit = candidate.commit(&git, order, made)?;
    Ok(Merged { commit, previous, already_so: false })
}
