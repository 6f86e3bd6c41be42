//! Merges a branch into another.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::land::{Worktree, any_tip, branch_ref, land, made_by, tip, trailer};
use super::restore_ref::{RefInput, RestoreRef};
use crate::ops::git::{Git, GitError, failed};
use crate::ops::here::{Here, blocking};
use crate::said;

/// Merges a branch into another in a scratch worktree and lands the result. Its undo takes the branch back.
#[derive(Debug, Clone, Copy)]
pub struct MergeIntoBranch;

/// What to merge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeInput {
    /// The branch to merge: a local one, or `origin/x`.
    pub branch: String,
    /// The local branch that it goes into.
    pub into: String,
    /// The commit message.
    pub message: String,
}

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Merged {
    /// Where the branch stands now.
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
    #[error("`{branch}` could not be merged into `{into}`; nothing was changed")]
    Refused { branch: String, into: String, source: GitError },
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
        let input = input.clone();
        blocking(site, move |here| {
            let git = Git::new(here);
            let (old, new) = (tip(&git, &input.into)?, any_tip(&git, &input.branch)?);
            if git.is_ancestor(&new, &old)? {
                return Ok(Vec::new());
            }
            let reference = branch_ref(&git, &input.into)?;
            Ok(vec![RestoreRef::action(&RefInput { reference, to: old, from: None })?])
        })
        .await
    }

    async fn already(&self, input: &MergeInput, order: &OrderKey, site: &Site<'_>) -> Already<Merged> {
        let (input, order) = (input.clone(), order.clone());
        let found = blocking(site, move |here| made_by(&Git::new(here), &input.into, &order)).await;
        match found {
            Ok(Some((commit, previous))) => Already::Done(Merged { commit, previous, already_so: false }),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

fn merge(here: &Here, input: &MergeInput, order: &OrderKey) -> Result<Merged, BoxError> {
    let MergeInput { branch, into, message } = input;
    let git = Git::new(here);
    let (old, new) = (tip(&git, into)?, any_tip(&git, branch)?);
    if git.is_ancestor(&new, &old)? {
        return Ok(Merged { commit: old.clone(), previous: old, already_so: true });
    }
    here.progress.step(format!("merging {branch} into {into}"), None);
    let worktree = Worktree::new(here, order, &old)?;
    let tree = worktree.git();
    let args = ["merge", "--quiet", "--no-ff", "--no-edit", "--no-stat", "--no-autostash", "-m", message];
    let trailer = trailer(order);
    let args: Vec<&str> = args.into_iter().chain(["-m", &trailer, &new]).collect();
    let output = tree.output(&args, None)?;
    if !output.status.success() {
        let conflicts = tree.text(["diff", "--name-only", "--diff-filter=U", "-z"])?;
        let files: Vec<String> =
            conflicts.split('\0').filter(|file| !file.is_empty()).map(|file| format!("`{file}`")).collect();
        let (branch, into) = (branch.clone(), into.clone());
        return Err(if files.is_empty() {
            MergeError::Refused { branch, into, source: failed(&args, &output) }.into()
        } else {
            MergeError::Conflict { branch, into, files }.into()
        });
    }
    let commit = tree.text(["rev-parse", "HEAD"])?;
    land(&git, into, &old, &commit)?;
    Ok(Merged { commit, previous: old, already_so: false })
}
