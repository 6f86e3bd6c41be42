//! Checks out what is to land below the state folder, for commands to be run in; and records that it was found good.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use crate::merge::in_id;
use crate::merge::record::Checked;
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking, remove_tree};
use crate::said;

/// Checks out a commit of a branch's candidate, always in the same folder: what git ignores there stays, so that the next time is faster.
#[derive(Debug, Clone, Copy)]
pub struct CheckOut;

/// What to check out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckOutInput {
    /// The branch that the candidate is for.
    pub branch: String,
    /// A commit of it; its tip by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// What will be run there.
    #[serde(default)]
    pub then: Vec<String>,
}

/// A commit that is checked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedOut {
    /// The branch that the candidate is for.
    pub branch: String,
    /// Where.
    pub folder: String,
    /// The same relative to the root, where it lies below it.
    #[serde(default)]
    pub below: Option<RelPath>,
    /// The commit.
    pub commit: String,
    /// Its tree.
    pub tree: String,
    /// Tracked files that git holds for changed right after the checkout, as filters can make it.
    #[serde(default)]
    pub dirty: Vec<String>,
    /// The commit that the candidate starts from.
    pub base: String,
    /// What was done on top of it.
    #[serde(default)]
    pub steps: Vec<StepMade>,
}

/// A step of a candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepMade {
    /// The branch that it merged; none for the release commit.
    pub branch: Option<String>,
    /// The commit after it.
    pub commit: String,
}

#[async_trait]
impl Operation for CheckOut {
    const NAME: &'static str = "check-out-candidate";
    const EFFECT: Effect = Effect::Writes;
    type Input = CheckOutInput;
    type Output = CheckedOut;

    async fn call(
        &self,
        input: CheckOutInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<CheckedOut, BoxError> {
        let order = order.clone();
        blocking(site, move |here| check_out(here, &input, &order)).await
    }

    /// Doing it again gives the same.
    async fn already(&self, _: &CheckOutInput, _: &OrderKey, _: &Site<'_>) -> Already<CheckedOut> {
        Already::NotDone
    }
}

fn check_out(here: &Here, input: &CheckOutInput, order: &OrderKey) -> Result<CheckedOut, BoxError> {
    let git = Git::new(here);
    let candidate = Candidate::of(&git, &input.branch, order)?;
    let candidate =
        candidate.ok_or_else(|| format!("nothing was prepared for `{}` by this run", input.branch))?;
    let record = candidate.record();
    let commit = input.commit.clone().unwrap_or_else(|| record.tip.clone());
    let tree = git.text(["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?;
    let folder = folder(here, &input.branch);
    here.progress.step(format!("checking out {}", commit.get(..12).unwrap_or(&commit)), None);
    place(here, &git, &folder, &commit)?;
    let below = folder.strip_prefix(&here.root).ok().and_then(Path::to_str).map(RelPath::new).transpose()?;
    Ok(CheckedOut {
        branch: input.branch.clone(),
        dirty: changed(&git.at(&folder), &commit)?,
        folder: folder.to_str().ok_or("the path of the state folder is not UTF-8")?.to_owned(),
        below,
        commit,
        tree,
        base: record.base.clone(),
        steps: record
            .steps
            .iter()
            .map(|step| StepMade { branch: step.branch.clone(), commit: step.to.clone() })
            .collect(),
    })
}

/// Where a branch's candidate is checked out.
fn folder(here: &Here, branch: &str) -> PathBuf {
    here.state.join("checkouts").join(in_id(branch))
}

/// Takes the checkout away; what cannot be removed is left to the next one.
pub(super) fn clear(here: &Here, branch: &str) {
    let (git, folder) = (Git::new(here), folder(here, branch));
    // A killed run may have removed the folder, and git not know yet.
    if remove_tree(&folder).is_ok() {
        let _ = git.bytes(["worktree", "prune"]);
    }
}

/// Brings the folder to a commit: from what is there if that is a checkout of ours, else anew.
fn place(here: &Here, git: &Git<'_>, folder: &Path, commit: &str) -> Result<(), BoxError> {
    git.bytes(["worktree", "prune"])?;
    if folder.exists() && renew(git, folder, commit).is_err() {
        here.go_on()?;
        remove_tree(folder)?;
        git.bytes(["worktree", "prune"])?;
    }
    if !folder.exists() {
        if let Some(above) = folder.parent() {
            std::fs::create_dir_all(above)?;
        }
        let args = ["-c", NO_HOOKS, "worktree", "add", "--quiet", "--detach"].map(AsRef::as_ref);
        git.bytes(args.into_iter().chain([folder.as_os_str(), commit.as_ref()]))?;
    }
    Ok(())
}

/// Nobody's hooks are about this checkout.
const NO_HOOKS: &str = "core.hooksPath=/dev/null";

fn renew(git: &Git<'_>, folder: &Path, commit: &str) -> Result<(), BoxError> {
    let there = git.at(folder);
    let top = there.text(["rev-parse", "--show-toplevel"])?;
    if Path::new(&top).canonicalize()? != folder.canonicalize()? {
        return Err("it is no checkout".into());
    }
    // A lock that a killed git left: nobody else works here.
    let lock = folder.join(there.text(["rev-parse", "--git-path", "index.lock"])?);
    remove_tree(&lock)?;
    there.bytes(["-c", NO_HOOKS, "reset", "--quiet", "--hard"])?;
    there.bytes(["-c", NO_HOOKS, "checkout", "--quiet", "--detach", "--force", commit])?;
    there.bytes(["clean", "--quiet", "-ffd"])?;
    Ok(())
}

/// Tracked files that differ from a commit.
fn changed(there: &Git<'_>, commit: &str) -> Result<Vec<String>, BoxError> {
    let list = there.text(["diff", "--name-only", "-z", commit, "--"])?;
    Ok(list.split('\0').filter(|path| !path.is_empty()).map(|path| format!("`{path}`")).collect())
}

/// Records that what is checked out was found good, if the commands that said so left it as it was.
#[derive(Debug, Clone, Copy)]
pub struct RecordChecked;

/// What was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordInput {
    /// The branch that the candidate is for.
    pub branch: String,
    /// The commit.
    pub commit: String,
    /// Its tree.
    pub tree: String,
    /// Tracked files that differed before.
    #[serde(default)]
    pub dirty: Vec<String>,
}

/// What was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recorded {
    /// The commit.
    pub commit: String,
    /// Its tree.
    pub tree: String,
}

#[async_trait]
impl Operation for RecordChecked {
    const NAME: &'static str = "record-checked";
    const EFFECT: Effect = Effect::Writes;
    type Input = RecordInput;
    type Output = Recorded;

    async fn call(
        &self,
        input: RecordInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Recorded, BoxError> {
        let order = order.clone();
        blocking(site, move |here| record(here, input, &order)).await
    }

    /// Doing it again gives the same.
    async fn already(&self, _: &RecordInput, _: &OrderKey, _: &Site<'_>) -> Already<Recorded> {
        Already::NotDone
    }
}

fn record(here: &Here, input: RecordInput, order: &OrderKey) -> Result<Recorded, BoxError> {
    let RecordInput { branch, commit, tree, dirty } = input;
    let git = Git::new(here);
    let there = git.at(&folder(here, &branch));
    let head = there.text(["rev-parse", "--verify", "HEAD^{commit}"])?;
    if head != commit {
        return Err(format!(
            "the commands moved the checkout from {commit} to {head}: what was checked is not what would land"
        )
        .into());
    }
    let new: Vec<String> =
        changed(&there, &commit)?.into_iter().filter(|path| !dirty.contains(path)).collect();
    if !new.is_empty() {
        return Err(format!(
            "the commands changed {}: what was checked is not what would land; commit what they change",
            said::some(&new)
        )
        .into());
    }
    let candidate = Candidate::of(&git, &branch, order)?.filter(|candidate| candidate.tip() == commit);
    let mut candidate =
        candidate.ok_or_else(|| format!("the candidate of `{branch}` is not {commit} any more"))?;
    candidate.checked(&git, Checked { commit: commit.clone(), tree: tree.clone() })?;
    Ok(Recorded { commit, tree })
}
