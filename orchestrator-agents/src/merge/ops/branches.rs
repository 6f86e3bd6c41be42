//! Branches: what they are called, where they stand, and how they move: by compare-and-swap, the checkout with them.

use std::path::PathBuf;

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::Transient;

use crate::ops::git::{Git, GitError};

/// Trailer that names the order which made a commit or a tag.
pub(super) const TRAILER: &str = "Orchestrate-Order";

/// Why a branch stayed where it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum BranchError {
    #[error("`{0}` is not a branch name")]
    BadName(String),
    #[error("there is no branch `{0}`")]
    NoBranch(String),
    #[error("`{branch}` moved from {} to {} meanwhile; nothing was changed", short(.from), short(.to))]
    Moved { branch: String, from: String, to: String },
    #[error("`{branch}` is checked out in `{}` and could not be brought up to date; nothing was changed", folder.display())]
    Checkout { branch: String, folder: PathBuf, source: GitError },
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// The full name of a branch, if it can be one.
pub(super) fn branch_ref(git: &Git<'_>, branch: &str) -> Result<String, BoxError> {
    let full = format!("refs/heads/{branch}");
    match git.maybe(["check-ref-format", &full])? {
        Some(_) if !branch.starts_with('-') => Ok(full),
        _ => Err(BranchError::BadName(branch.to_owned()).into()),
    }
}

/// The commit at the tip of a local branch.
pub(super) fn tip(git: &Git<'_>, branch: &str) -> Result<String, BoxError> {
    let found = of_ref(git, &format!("refs/heads/{branch}"))?;
    Ok(found.ok_or_else(|| BranchError::NoBranch(branch.to_owned()))?)
}

/// The commit at the tip of a branch, local or known from a remote as `origin/x`.
pub(super) fn any_tip(git: &Git<'_>, branch: &str) -> Result<String, BoxError> {
    let found = match of_ref(git, &format!("refs/heads/{branch}"))? {
        None => of_ref(git, &format!("refs/remotes/{branch}"))?,
        found => found,
    };
    Ok(found.ok_or_else(|| BranchError::NoBranch(branch.to_owned()))?)
}

/// What a ref of exactly that name names: no revision, no pattern.
fn of_ref(git: &Git<'_>, full: &str) -> Result<Option<String>, BoxError> {
    Ok(git.maybe(["show-ref", "--verify", "--hash", "--", full])?)
}

/// Moves a branch from one commit to a descendant of it, and nowhere if it is elsewhere by now. Where the branch is
/// checked out, git brings the checkout along, and refuses where that would touch local changes.
pub(super) fn forward(git: &Git<'_>, branch: &str, from: &str, to: &str) -> Result<(), BoxError> {
    let full = branch_ref(git, branch)?;
    unmoved(git, branch, &full, from)?;
    if let Some(folder) = checkout_of(git, &full)? {
        let merged =
            git.at(&folder).bytes(["merge", "--quiet", "--no-stat", "--no-autostash", "--ff-only", to]);
        return merged.map(drop).map_err(|source| {
            let moved = unmoved(git, branch, &full, from).err();
            moved
                .unwrap_or_else(|| BranchError::Checkout { branch: branch.to_owned(), folder, source }.into())
        });
    }
    swap(git, branch, &full, from, to)
}

/// Points a ref that is nowhere checked out elsewhere, if it is where it is thought to be.
pub(super) fn swap(git: &Git<'_>, branch: &str, full: &str, from: &str, to: &str) -> Result<(), BoxError> {
    let swapped = git.bytes(["update-ref", "-m", "orchestrate", full, to, from]);
    match swapped {
        Ok(_) => Ok(()),
        Err(error) => Err(unmoved(git, branch, full, from).err().unwrap_or_else(|| error.into())),
    }
}

fn unmoved(git: &Git<'_>, branch: &str, full: &str, from: &str) -> Result<(), BoxError> {
    let now = git.commit(full)?.unwrap_or_else(|| "nothing".to_owned());
    if now == from {
        return Ok(());
    }
    let moved = BranchError::Moved { branch: branch.to_owned(), from: from.to_owned(), to: now };
    // Starting again on the new base can cure it.
    Err(Transient(moved.into()).into())
}

/// The worktree that has a ref checked out.
pub(super) fn checkout_of(git: &Git<'_>, full: &str) -> Result<Option<PathBuf>, BoxError> {
    let list = git.text(["worktree", "list", "--porcelain", "-z"])?;
    let wanted = format!("branch {full}");
    let found = list.split("\0\0").find(|worktree| worktree.split('\0').any(|line| line == wanted));
    Ok(found
        .and_then(|worktree| worktree.split('\0').find_map(|line| line.strip_prefix("worktree ")))
        .map(Into::into))
}

/// The trailer of an order.
pub(super) fn trailer(order: &OrderKey) -> String {
    format!("{TRAILER}: {order}")
}
