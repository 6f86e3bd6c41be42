//! Puts a candidate back: the undo of whatever brought it forward.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::merge::record::{Record, reference};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Puts the candidate of a branch back to an earlier record, or away. A candidate that landed is gone, which is fine.
#[derive(Debug, Clone, Copy)]
pub struct RestoreCandidate;

/// Which one, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreInput {
    /// The branch that it is for.
    pub branch: String,
    /// The record to go back to; none where there was no candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CandidateRestored {
    /// The record before; none where there was no candidate.
    pub from: Option<String>,
    /// The record now.
    pub to: Option<String>,
}

#[async_trait]
impl Operation for RestoreCandidate {
    const NAME: &'static str = "restore-candidate";
    const EFFECT: Effect = Effect::Writes;
    type Input = RestoreInput;
    type Output = CandidateRestored;

    async fn call(
        &self,
        input: RestoreInput,
        _: &OrderKey,
        site: &Site<'_>,
    ) -> Result<CandidateRestored, BoxError> {
        blocking(site, move |here| restore(here, &input)).await
    }

    /// Where it is there already, doing it again changes nothing.
    async fn already(&self, _: &RestoreInput, _: &OrderKey, _: &Site<'_>) -> Already<CandidateRestored> {
        Already::NotDone
    }
}

fn restore(here: &Here, input: &RestoreInput) -> Result<CandidateRestored, BoxError> {
    let RestoreInput { branch, to } = input;
    let git = Git::new(here);
    let Some((now, record)) = Record::read(&git, branch)? else {
        return Ok(CandidateRestored { from: None, to: None });
    };
    let done = CandidateRestored { from: Some(now.clone()), to: to.clone() };
    let name = reference(branch);
    match to {
        Some(to) if *to == now => {}
        Some(to) if comes_after(&git, record, to)? => {
            git.bytes(["update-ref", "-m", "orchestrate", &name, to, &now])?;
        }
        Some(to) => {
            return Err(format!("the candidate of `{branch}` does not come from {to}; it is left").into());
        }
        None => drop(git.bytes(["update-ref", "-d", &name, &now])?),
    }
    Ok(done)
}

/// Whether a record has another one before it.
fn comes_after(git: &Git<'_>, record: Record, other: &str) -> Result<bool, BoxError> {
    let mut previous = record.previous;
    while let Some(own) = previous {
        if own == other {
            return Ok(true);
        }
        let message = git.text(["show", "-s", "--encoding=UTF-8", "--format=%B", &own, "--"])?;
        previous = Record::parse(&message)?.previous;
    }
    Ok(false)
}
