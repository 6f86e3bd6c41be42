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
use super::restore_ref::{RefInput, RestoreRef};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

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
                    Some(Landed { tree: tree(&git, &commit)?, commit, previous: None })
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
    let LandInput { branch, commit: expected } = input;
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
    match &previous {
        Some(now) if *now == commit => {}
        Some(now) if comes_from(&git, &commit, now, candidate.record().base.as_str())? => {
            forward(&git, branch, now, &commit)?;
        }
        Some(now) => {
            return Err(LandError::NotAbove { branch: branch.clone(), from: now.clone() }.into());
        }
        // Nothing: it must not be there yet.
        None => drop(git.bytes(["update-ref", "-m", "orchestrate", &full, &commit, ""])?),
    }
    candidate.drop(&git)?;
    Ok(Landed { commit, previous, tree })
}

fn tree(git: &Git<'_>, commit: &str) -> Result<String, BoxError> {
    Ok(git.text(["rev-parse", "--verify", &format!("{commit}^{{tree}}")])?)
}

/// Whether a candidate comes from where its branch stands: its base by first parents, and the branch at that base or behind it.
fn comes_from(git: &Git<'_>, commit: &str, now: &str, base: &str) -> Result<bool, BoxError> {
    if !git.is_ancestor(now, base)? {
        return Ok(false);
    }
    if commit == base {
        return Ok(true);
    }
    let not = format!("^{base}");
    let chain = git.text(["rev-list", "--first-parent", "--parents", commit, &not, "--"])?;
    let last = chain.lines().next_back().unwrap_or_default();
    Ok(last.split(' ').nth(1) == Some(base))
}
