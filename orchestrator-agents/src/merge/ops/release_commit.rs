//! Commits given changes of files to the candidate of a branch.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::candidate::{Candidate, Made, key, undo_of};
use crate::merge::hunks::FileChange;
use crate::merge::record::Kind;
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Commits changes of files to the candidate of a branch, without a worktree. Its undo takes the candidate back.
#[derive(Debug, Clone, Copy)]
pub struct ReleaseCommit;

/// What to commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseInput {
    /// The branch.
    pub branch: String,
    /// The remote whose tip of that branch counts; none where the local branch alone does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
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
    /// Where the candidate stood before.
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
        undo_of(input.branch.clone(), site).await
    }

    async fn already(&self, input: &ReleaseInput, order: &OrderKey, site: &Site<'_>) -> Already<Committed> {
        let (branch, order) = (input.branch.clone(), order.clone());
        let found = blocking(site, move |here| {
            let candidate = Candidate::of(&Git::new(here), &branch, &order)?;
            let step = candidate.as_ref().and_then(|candidate| candidate.made_by(&order));
            Ok(step.map(|step| Committed { commit: step.to.clone(), previous: step.from.clone() }))
        });
        match found.await {
            Ok(Some(committed)) => Already::Done(committed),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

fn commit(here: &Here, input: &ReleaseInput, order: &OrderKey) -> Result<Committed, BoxError> {
    let ReleaseInput { branch, remote, message, changes } = input;
    let mut candidate = Candidate::open(here, branch, remote.as_deref(), order)?;
    commit_on(here, &mut candidate, order, message, changes)
}

/// Commits changes of files on a candidate.
pub(super) fn commit_on(
    here: &Here,
    candidate: &mut Candidate,
    order: &OrderKey,
    message: &str,
    changes: &[FileChange],
) -> Result<Committed, BoxError> {
    let git = Git::new(here);
    let key = key(&(Kind::Commit, message, changes))?;
    if let Some(step) = candidate.take_over(&git, &key)? {
        return Ok(Committed { commit: step.to, previous: step.from });
    }
    let previous = candidate.tip().to_owned();
    let tree = changed(here, &git, order, &previous, changes)?;
    let made = Made { kind: Kind::Commit, tree: &tree, merged: None, message, trailers: Vec::new(), key };
    let commit = candidate.commit(&git, order, made)?;
    Ok(Committed { commit, previous })
}

/// The tree of a commit with changes of files, made in an index of its own.
fn changed(
    here: &Here,
    git: &Git<'_>,
    order: &OrderKey,
    commit: &str,
    changes: &[FileChange],
) -> Result<String, BoxError> {
    let scratch = here.scratch(order, "index")?;
    let index = scratch.folder("git")?.join("index");
    let git = git.clone().env("GIT_INDEX_FILE", index);
    git.bytes(["read-tree", commit])?;
    let mut entries = Vec::new();
    for change in changes {
        let (mode, text) = apply(&git, commit, change)?;
        let blob = git.input(&["hash-object", "-w", "--no-filters", "--stdin"], text.into_bytes())?;
        entries.extend_from_slice(format!("{mode} {blob} 0\t{}\0", change.path).as_bytes());
    }
    git.input(&["update-index", "-z", "--index-info"], entries)?;
    Ok(git.text(["write-tree"])?)
}

/// The new text of a file with its mode, if the commit holds what the change was made for.
fn apply(git: &Git<'_>, commit: &str, change: &FileChange) -> Result<(String, String), BoxError> {
    let path = change.path.as_str();
    for (at, _) in path.match_indices('/') {
        let folder = entry(git, commit, &path[..at])?;
        if folder.is_some_and(|(mode, _)| mode != FOLDER) {
            return Err(format!("`{path}` lies behind something that is no folder").into());
        }
    }
    let (mode, old) = match entry(git, commit, path)? {
        Some((mode, object)) if mode.starts_with("100") => {
            (mode, Some(git.bytes(["cat-file", "blob", &object])?))
        }
        Some(_) => return Err(format!("`{path}` is no file").into()),
        None => ("100644".to_owned(), None),
    };
    if old.as_deref().map(Digest::of) != change.was {
        return Err(format!("`{path}` changed since the release was prepared; nothing was changed").into());
    }
    Ok((mode, change.apply(&String::from_utf8(old.unwrap_or_default())?)?))
}

/// The mode of folders in trees.
const FOLDER: &str = "040000";

/// Mode and object of what a commit has at a path.
fn entry(git: &Git<'_>, commit: &str, path: &str) -> Result<Option<(String, String)>, BoxError> {
    let listed = git.text(["--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path])?;
    let mut fields = listed.split(['\t', '\0']).next().unwrap_or_default().split(' ');
    Ok(fields.next().zip(fields.nth(1)).map(|(mode, object)| (mode.to_owned(), object.to_owned())))
}
