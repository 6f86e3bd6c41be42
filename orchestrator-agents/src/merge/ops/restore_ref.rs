//! Takes a branch back to where it stood: the undo of whatever moved it.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{BranchError, TRAILER, checkout_of, swap};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Points a branch at an earlier commit, if nobody else moved it since. Where it is checked out, the checkout follows,
/// local changes kept. Its undo goes forward again.
#[derive(Debug, Clone, Copy)]
pub struct RestoreRef;

/// Which branch, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefInput {
    /// Its full name, such as `refs/heads/main`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The commit to go to.
    pub to: String,
    /// The commit at which it must stand. An undo is written down before that commit exists: without one, the branch
    /// must stand at a commit that a run made directly on top of `to`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefRestored {
    /// Where the branch stood.
    pub from: String,
    /// Where it stands now.
    pub to: String,
}

#[async_trait]
impl Operation for RestoreRef {
    const NAME: &'static str = "restore-ref";
    const EFFECT: Effect = Effect::Writes;
    type Input = RefInput;
    type Output = RefRestored;

    async fn call(&self, input: RefInput, _: &OrderKey, site: &Site<'_>) -> Result<RefRestored, BoxError> {
        blocking(site, move |here| restore(here, &input)).await
    }

    async fn undo(&self, input: &RefInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        let RefInput { reference, to, from: _ } = input.clone();
        blocking(site, move |here| match Git::new(here).commit(&reference)? {
            Some(now) if now != to => {
                Ok(vec![RestoreRef::action(&RefInput { reference, to: now, from: Some(to) })?])
            }
            _ => Ok(Vec::new()),
        })
        .await
    }

    /// Where the branch is there already, doing it again changes nothing.
    async fn already(&self, _: &RefInput, _: &OrderKey, _: &Site<'_>) -> Already<RefRestored> {
        Already::NotDone
    }
}

fn restore(here: &Here, input: &RefInput) -> Result<RefRestored, BoxError> {
    let RefInput { reference, to, from } = input;
    let git = Git::new(here);
    let Some(branch) = reference.strip_prefix("refs/heads/") else {
        return Err(format!("`{reference}` is not a branch").into());
    };
    let now = git.commit(reference)?.ok_or_else(|| BranchError::NoBranch(branch.to_owned()))?;
    let done = RefRestored { from: now.clone(), to: to.clone() };
    if now == *to {
        return Ok(done);
    }
    let expected = match from {
        Some(from) => now == *from,
        None => is_ours_on(&git, &now, to)?,
    };
    if !expected {
        return Err(format!(
            "`{branch}` stands at {now}, which is not what is to be undone; nothing was changed"
        )
        .into());
    }
    match checkout_of(&git, reference)? {
        Some(folder) => {
            let reset = git.at(&folder).bytes(["reset", "--quiet", "--keep", to]);
            reset.map(drop).map_err(|source| {
                let branch = branch.to_owned();
                BranchError::Checkout { branch, folder, source }
            })?;
        }
        None => swap(&git, branch, reference, &now, to)?,
    }
    Ok(done)
}

/// Whether a run made a commit directly on top of another.
fn is_ours_on(git: &Git<'_>, commit: &str, on: &str) -> Result<bool, BoxError> {
    let parent = git.commit(&format!("{commit}^1"))?;
    let format = format!("--format=%(trailers:key={TRAILER},valueonly)");
    let trailer = git.text(["log", "-1", &format, commit, "--"])?;
    Ok(parent.as_deref() == Some(on) && !trailer.trim().is_empty())
}
