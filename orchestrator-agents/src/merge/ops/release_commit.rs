//! Commits given changes of files on a branch.

use std::path::Path;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::land::{Worktree, branch_ref, land, made_by, tip, trailer};
use super::restore_ref::{RefInput, RestoreRef};
use crate::merge::hunks::FileChange;
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Commits changes of files on a branch, in a scratch worktree. Its undo takes the branch back.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseCommit;

/// What to commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseInput {
    /// The branch.
    pub branch: String,
    /// The commit message.
    pub message: String,
    /// What changes.
    pub changes: Vec<FileChange>,
}

/// The commit that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Committed {
    /// The commit.
    pub commit: String,
    /// Where the branch stood before.
    pub previous: String,
}

#[async_trait]
impl Operation for ReleaseCommit {
    const NAME: &'static str = "release-commit";
    const EFFECT: Effect = Effect::Writes;
    type Input = ReleaseInput;
    type Output = Committed;

    async fn call(
        &self,
        input: ReleaseInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Committed, BoxError> {
        let order = order.clone();
        blocking(site, move |here| commit(here, &input, &order)).await
    }

    async fn undo(&self, input: &ReleaseInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let branch = input.branch.clone();
        blocking(site, move |here| {
            let git = Git::new(here);
            let (reference, to) = (branch_ref(&git, &branch)?, tip(&git, &branch)?);
            Ok(vec![RestoreRef::action(&RefInput { reference, to, from: None })?])
        })
        .await
    }

    async fn already(&self, input: &ReleaseInput, order: &OrderKey, site: &Site<'_>) -> Already<Committed> {
        let (branch, order) = (input.branch.clone(), order.clone());
        match blocking(site, move |here| made_by(&Git::new(here), &branch, &order)).await {
            Ok(Some((commit, previous))) => Already::Done(Committed { commit, previous }),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

fn commit(here: &Here, input: &ReleaseInput, order: &OrderKey) -> Result<Committed, BoxError> {
    let git = Git::new(here);
    let old = tip(&git, &input.branch)?;
    let worktree = Worktree::new(here, order, &old)?;
    let tree = worktree.git();
    for change in &input.changes {
        apply(&tree, worktree.path(), &old, change)?;
        tree.bytes(["add", "--force", "--", &format!(":(literal){}", change.path)])?;
    }
    let (message, trailer) = (&input.message, trailer(order));
    tree.bytes(["commit", "--quiet", "-m", message, "-m", &trailer])?;
    let commit = tree.text(["rev-parse", "HEAD"])?;
    land(&git, &input.branch, &old, &commit)?;
    Ok(Committed { commit, previous: old })
}

/// Changes a file of the worktree, if the commit holds what the change was made for.
fn apply(tree: &Git<'_>, root: &Path, commit: &str, change: &FileChange) -> Result<(), BoxError> {
    let path = change.path.under(root);
    let mut above = path.ancestors().skip(1).take_while(|folder| *folder != root);
    if path.is_symlink() || above.any(Path::is_symlink) {
        return Err(format!("`{}` is, or lies behind, a link", change.path).into());
    }
    let blob = format!("{commit}:{}", change.path);
    let old = match tree.maybe(["rev-parse", "--quiet", "--verify", &blob])? {
        Some(object) => Some(tree.bytes(["cat-file", "blob", &object])?),
        None => None,
    };
    if old.as_deref().map(Digest::of) != change.was {
        return Err(
            format!("`{}` changed since the release was prepared; nothing was changed", change.path).into()
        );
    }
    let old = String::from_utf8(old.unwrap_or_default())?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::write(path, change.apply(&old)?)?)
}
