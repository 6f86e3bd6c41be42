//! A branch follows to its candidate.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{branch_ref, forward};
use super::candidate::Candidate;
use super::check_out;
use super::published::{LIMIT, Published};
use super::restore_ref::{RefInput, RestoreRef};
use crate::ops::git::Git;
use crate::ops::here::{Here, Stopped, blocking};

/// Moves a local branch forward to what a run prepared for it, and nowhere if it is elsewhere by now; where it is checked out, the checkout
/// follows. The candidate is gone then. Its undo takes the branch back.
#[derive(Debug, Clone, Copy)]
pub struct LandCandidate;

/// Which branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LandInput {
    /// The branch.
    pub branch: String,
    /// The commit that is to land; the candidate's tip must be this one. None where it is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The remote where it must be out; none where nothing is pushed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// Where the branch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Landed {
    /// The commit at its tip.
    pub commit: String,
    /// Where it stood before; none where there was no such branch.
    pub previous: Option<String>,
    /// The tree of that commit.
    pub tree: String,
    /// Why the branch stayed where it is, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stayed: Option<String>,
}

/// Why nothing landed.
#[derive(Debug, thiserror::Error)]
enum LandError {
    #[error("nothing was prepared for `{0}` by this run: there is nothing to land")]
    Nothing(String),
    #[error(
        "the candidate of `{branch}` is {now} instead of {expected}, which was looked at; nothing was changed"
    )]
    Other { branch: String, now: String, expected: String },
    #[error(
        "the candidate of `{branch}` does not come from {from}, the tip of the branch, by first parents; nothing was changed"
    )]
    NotAbove { branch: String, from: String },
}

#[async_trait]
impl Operation for LandCandidate {
    const NAME: &'static str = "land-candidate";
    const EFFECT: Effect = Effect::Writes;
    type Input = LandInput;
    type Output = Landed;

    async fn call(&self, input: LandInput, order: &OrderKey, site: &Site<'_>) -> Result<Landed, BoxError> {
        let order = order.clone();
        blocking(site, move |here| land(here, &input, &order)).await
    }

    async fn undo(&self, input: &LandInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let input = input.clone();
        blocking(site, move |here| {
            let git = Git::new(here);
            let reference = branch_ref(&git, &input.branch)?;
            Ok(match (git.commit(&reference)?, input.commit) {
                (Some(now), Some(commit)) if now != commit => {
                    vec![RestoreRef::action(&RefInput { reference, to: now, from: Some(commit) })?]
                }
                _ => Vec::new(),
            })
        })
        .await
    }

    async fn already(&self, input: &LandInput, _: &OrderKey, site: &Site<'_>) -> Already<Landed> {
        let input = input.clone();
        let found = blocking(site, move |here| {
            let git = Git::new(here);
            let now = git.commit(&branch_ref(&git, &input.branch)?)?;
            let gone = git
                .maybe(["rev-parse", "--quiet", "--verify", &crate::merge::record::reference(&input.branch)])?
                .is_none();
            Ok(match (now, input.commit) {
                (Some(now), Some(commit)) if now == commit && gone => {
                    Some(Landed { tree: tree(&git, &commit)?, commit, previous: None, stayed: None })
                }
                _ => None,
            })
        });
        match found.await {
            Ok(Some(landed)) => Already::Done(landed),
            // Landing what has landed changes nothing.
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

fn land(here: &Here, input: &LandInput, order: &OrderKey) -> Result<Landed, BoxError> {
    let LandInput { branch, commit: expected, remote } = input;
    let git = Git::new(here);
    let candidate = Candidate::of(&git, branch, order)?.ok_or_else(|| LandError::Nothing(branch.clone()))?;
    let commit = candidate.tip().to_owned();
    if let Some(expected) = expected.as_ref().filter(|expected| **expected != commit) {
        let (branch, now, expected) = (branch.clone(), commit, expected.clone());
        return Err(LandError::Other { branch, now, expected }.into());
    }
    let tree = tree(&git, &commit)?;
    let full = branch_ref(&git, branch)?;
    let previous = git.commit(&full)?;
    let out = remote.as_ref().map_or(Ok(true), |remote| is_out(here, remote, branch, &commit))?;
    if !out {
        let stayed = Some(format!(
            "{commit} is not on `{branch}` of the remote yet; nothing lands before it is out there"
        ));
        return Ok(Landed { commit, previous, tree, stayed });
    }
    let base = candidate.record().base.as_str();
    let moved = match &previous {
        Some(now) if *now == commit => Ok(()),
        Some(now) if comes_from(&git, &commit, now, base)? => forward(&git, branch, now, &commit),
        Some(now) => Err(LandError::NotAbove { branch: branch.clone(), from: now.clone() }.into()),
        // Nothing: it must not be there yet.
        None => {
            git.bytes(["update-ref", "-m", "orchestrate", &full, &commit, ""]).map(drop).map_err(Into::into)
        }
    };
    let stayed = match (moved, remote) {
        (Ok(()), _) => None,
        // The release is out: that the local branch cannot follow takes nothing back.
        (Err(error), Some(remote)) if !error.is::<Stopped>() => {
            let why = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
            Some(format!(
                "the release is out, and the local branch could not follow: {why}; when that is mended, `git pull --ff-only {remote} {branch}`"
            ))
        }
        (Err(error), _) => return Err(error),
    };
    // The candidate last: without it, all of this is taken for done.
    check_out::clear(here, branch);
    candidate.drop(&git)?;
    Ok(Landed { commit, previous, tree, stayed })
}

/// Whether a commit is on the branch at the remote: what git saw there when it pushed says so, else the remote itself.
fn is_out(here: &Here, remote: &str, branch: &str, commit: &str) -> Result<bool, BoxError> {
    let git = Git::new(here);
    let tracked = git.commit(&format!("refs/remotes/{remote}/{branch}"))?;
    if let Some(tracked) = tracked
        && git.is_ancestor(commit, &tracked)?
    {
        return Ok(true);
    }
    let full = branch_ref(&git, branch)?;
    let there = Published::refs(here, remote, LIMIT, std::slice::from_ref(&full))?;
    Ok(there.object(&full) == Some(commit))
}

pub(super) fn tree(git: &Git<'_>, commit: &str) -> Result<String, BoxError> {
    Ok(git.text(["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?)
}

/// Whether a candidate comes from where its branch stands: its base by first parents, and the branch at that base or behind it.
fn comes_from(git: &Git<'_>, commit: &str, now: &str, base: &str) -> Result<bool, BoxError> {
    Ok(git.is_ancestor(now, base)? && comes_from_base(git, commit, base)?)
}

/// Whether a commit comes from another by first parents alone, or is that one.
pub(super) fn comes_from_base(git: &Git<'_>, commit: &str, base: &str) -> Result<bool, BoxError> {
    if commit == base {
        return Ok(true);
    }
    let not = format!("^{base}");
    let chain = git.text(["rev-list", "--first-parent", "--parents", commit, &not, "--"])?;
    let last = chain.lines().next_back().unwrap_or_default();
    Ok(last.split(' ').nth(1) == Some(base))
}
