//! How commits come about and land on a branch without the user's tree being worked in: made in a scratch worktree,
//! landed by compare-and-swap.

use std::path::{Path, PathBuf};

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::Transient;
use orchestrator_core::stop::Stop;

use crate::ops::git::{Git, GitError};
use crate::ops::here::{Here, Scratch};

/// Trailer that names the order which made a commit or a tag.
pub(super) const TRAILER: &str = "Orchestrate-Order";

/// Why a branch stayed where it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum LandError {
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
        _ => Err(LandError::BadName(branch.to_owned()).into()),
    }
}

/// The commit at the tip of a local branch.
pub(super) fn tip(git: &Git<'_>, branch: &str) -> Result<String, BoxError> {
    let full = branch_ref(git, branch)?;
    Ok(git.commit(&full)?.ok_or_else(|| LandError::NoBranch(branch.to_owned()))?)
}

/// The commit at the tip of a branch, local or known from a remote as `origin/x`.
pub(super) fn any_tip(git: &Git<'_>, branch: &str) -> Result<String, BoxError> {
    let local = branch_ref(git, branch)?;
    let remote = format!("refs/remotes/{branch}");
    let found = match git.commit(&local)? {
        None => git.commit(&remote)?,
        found => found,
    };
    Ok(found.ok_or_else(|| LandError::NoBranch(branch.to_owned()))?)
}

/// A detached worktree below the state folder, gone when this is.
pub(super) struct Worktree<'a> {
    main: Git<'a>,
    here: &'a Here,
    scratch: Scratch,
}

impl<'a> Worktree<'a> {
    pub(super) fn new(here: &'a Here, order: &OrderKey, commit: &str) -> Result<Self, BoxError> {
        let scratch = here.scratch(order, "tree")?;
        let main = Git::new(here);
        // Forgets worktrees of killed runs, whose folders are gone by now.
        main.bytes(["worktree", "prune"])?;
        let worktree = Self { main, here, scratch };
        let path = worktree.path().as_os_str();
        let args = ["worktree", "add", "--quiet", "--detach"].map(AsRef::as_ref);
        worktree.main.bytes(args.into_iter().chain([path, commit.as_ref()]))?;
        Ok(worktree)
    }

    pub(super) fn path(&self) -> &Path {
        self.scratch.path()
    }

    pub(super) fn git(&self) -> Git<'a> {
        self.main.at(self.path())
    }
}

impl Drop for Worktree<'_> {
    fn drop(&mut self) {
        // Also when the run is being stopped. What stays is pruned by the next one.
        let here = Here { stop: Stop::new(), ..self.here.clone() };
        let path = self.path().as_os_str();
        let args = ["worktree", "remove", "--force", "--force"].map(AsRef::as_ref);
        let _ = Git::new(&here).bytes(args.into_iter().chain([path]));
    }
}

/// Moves a branch from one commit to a descendant of it, and nowhere if it is elsewhere by now. Where the branch is
/// checked out, git brings the checkout along, and refuses where that would touch local changes.
pub(super) fn land(git: &Git<'_>, branch: &str, from: &str, to: &str) -> Result<(), BoxError> {
    let full = branch_ref(git, branch)?;
    unmoved(git, branch, &full, from)?;
    if let Some(folder) = checkout_of(git, &full)? {
        let merged =
            git.at(&folder).bytes(["merge", "--quiet", "--no-stat", "--no-autostash", "--ff-only", to]);
        return merged.map(drop).map_err(|source| {
            let moved = unmoved(git, branch, &full, from).err();
            moved.unwrap_or_else(|| LandError::Checkout { branch: branch.to_owned(), folder, source }.into())
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
    let moved = LandError::Moved { branch: branch.to_owned(), from: from.to_owned(), to: now };
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

/// A commit that an order made on a branch, and the first parent of it.
pub(super) fn made_by(
    git: &Git<'_>,
    branch: &str,
    order: &OrderKey,
) -> Result<Option<(String, String)>, BoxError> {
    let full = branch_ref(git, branch)?;
    let grep = format!("--grep={TRAILER}: {order}");
    let format = format!("--format=%H %P%x00%(trailers:key={TRAILER},valueonly,separator=%x00)");
    let log = git.maybe(["log", "--first-parent", "--fixed-strings", &grep, &format, &full, "--"])?;
    let order = order.to_string();
    Ok(log.unwrap_or_default().lines().find_map(|line| {
        let (commits, trailers) = line.split_once('\0')?;
        let mut commits = commits.split(' ').map(str::to_owned);
        trailers.split('\0').any(|trailer| trailer.trim() == order).then_some(())?;
        Some((commits.next()?, commits.next()?))
    }))
}

/// The trailer of an order.
pub(super) fn trailer(order: &OrderKey) -> String {
    format!("{TRAILER}: {order}")
}
