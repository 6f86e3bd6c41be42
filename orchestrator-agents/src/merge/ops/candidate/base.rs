//! Where a candidate starts from: the remote's tip of its branch, or the local one where that is ahead.

use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;

use super::super::branches::branch_ref;
use super::super::refusal::is_network;
use crate::ops::git::{Git, GitError};
use crate::ops::here::Here;

/// The longest that git may talk with a remote before anything is made.
const LIMIT: Duration = Duration::from_mins(5);

/// Where a candidate starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::merge) struct Base {
    /// The commit.
    pub(in crate::merge) commit: String,
    /// Whether it is the remote's tip, ahead of the local branch.
    pub(in crate::merge) ahead: bool,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
enum BaseError {
    #[error(
        "`{branch}` and `{remote}/{branch}` diverged; bring them together (`git pull --rebase {remote} {branch}`), then run again"
    )]
    Diverged { branch: String, remote: String },
    #[error("there is no branch `{0}`")]
    NoBranch(String),
}

/// Finds the base. What is missing of the remote's history is fetched: with its tags into the tracking branch where
/// `track` says so, as `git fetch` does; else its objects alone, and no ref changes.
pub(in crate::merge) fn find(
    here: &Here,
    branch: &str,
    remote: Option<&str>,
    track: bool,
) -> Result<Base, BoxError> {
    let git = Git::new(here);
    let full = branch_ref(&git, branch)?;
    let local = git.commit(&full)?;
    let there = match remote {
        Some(remote) => remote_tip(&git, remote, branch, &full, track)?.map(|tip| (remote, tip)),
        None => None,
    };
    let (commit, ahead) = match (local, there) {
        (None, None) => return Err(BaseError::NoBranch(branch.to_owned()).into()),
        (Some(local), None) => (local, false),
        (None, Some((_, tip))) => (tip, true),
        (Some(local), Some((_, tip))) if local == tip || git.is_ancestor(&tip, &local)? => (local, false),
        (Some(local), Some((_, tip))) if git.is_ancestor(&local, &tip)? => (tip, true),
        (Some(_), Some((remote, _))) => {
            let (branch, remote) = (branch.to_owned(), remote.to_owned());
            return Err(BaseError::Diverged { branch, remote }.into());
        }
    };
    Ok(Base { commit, ahead })
}

/// The commit at the tip of a remote's branch, with its history here; none where it has no such branch.
fn remote_tip(
    git: &Git<'_>,
    remote: &str,
    branch: &str,
    full: &str,
    track: bool,
) -> Result<Option<String>, BoxError> {
    let git = git.clone().limit(LIMIT);
    let list = talk(git.text(["ls-remote", "--", remote, full, "refs/tags/v*"]))?;
    let refs: Vec<(&str, &str)> = list.lines().filter_map(|line| line.split_once('\t')).collect();
    let Some((tip, _)) = refs.iter().find(|(_, name)| name == &full) else { return Ok(None) };
    let mut missing = !git.has(tip)?;
    if track && !missing {
        let tags = git.text(["for-each-ref", "--format=%(refname)", "refs/tags"])?;
        let own: std::collections::BTreeSet<&str> = tags.lines().collect();
        missing = refs
            .iter()
            .any(|(_, name)| name.starts_with("refs/tags/") && !name.ends_with("^{}") && !own.contains(name));
    }
    if missing {
        let quiet = ["fetch", "--quiet", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc"];
        let spec = if track { format!("+{full}:refs/remotes/{remote}/{branch}") } else { full.to_owned() };
        let how: &[&str] = if track { &["--no-prune"] } else { &["--no-tags", "--refmap="] };
        let what = ["--", remote, &spec];
        talk(git.bytes(quiet.iter().chain(how).chain(&what)))?;
    }
    // Between the two questions it may have moved; what was named first is a commit of it, and the push will tell.
    if !git.has(tip)? {
        let gone = format!("`{remote}` named {tip} as the tip of `{branch}` and then did not give it");
        return Err(Transient(gone.into()).into());
    }
    Ok(Some((*tip).to_owned()))
}

/// An error of the network is one that a retry can cure.
fn talk<T>(said: Result<T, GitError>) -> Result<T, BoxError> {
    said.map_err(|error| match &error {
        GitError::Failed { said, .. } if is_network(said) => Transient(error.into()).into(),
        _ => error.into(),
    })
}
