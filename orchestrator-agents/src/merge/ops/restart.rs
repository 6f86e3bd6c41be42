//! Prepares the same release anew, on the branch as it is now at the remote.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::candidate::{Candidate, find_base, undo_of};
use super::next_version::{VersionInput, find};
use super::release_commit::commit_on;
use super::tag::{TagInput, put};
use crate::merge::ChangelogConfig;
use crate::merge::changelog::{message, written};
use crate::merge::history::{History, Line, Released};
use crate::merge::record::Kind;
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Replays what was merged on the new tip of the branch, writes the changelog anew, and lets the tags follow. Fails, with nothing
/// published, where what came asks for another version.
#[derive(Debug, Clone, Copy)]
pub struct RestartRelease;

/// Of which release.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestartInput {
    /// How its version was found; it must be found again.
    pub version: VersionInput,
    /// The version.
    pub expected: String,
    /// How its changelog is written.
    pub changelog: ChangelogConfig,
    /// The day of the release, such as `2026-11-20`.
    pub date: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// The release on its new base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restarted {
    /// The commit that it starts from.
    pub base: String,
    /// The commit that is to go out.
    pub commit: String,
}

#[async_trait]
impl Operation for RestartRelease {
    const NAME: &'static str = "restart-release";
    const EFFECT: Effect = Effect::Writes;
    type Input = RestartInput;
    type Output = Restarted;

    async fn call(
        &self,
        input: RestartInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Restarted, BoxError> {
        let order = order.clone();
        blocking(site, move |here| restart(here, &input, &order)).await
    }

    async fn undo(&self, input: &RestartInput, site: &Site<'_>) -> Result<Vec<Action>, BoxError> {
        undo_of(input.version.branch.clone(), site).await
    }

    /// Each part of it looks at what is there: doing it again goes on where it stopped.
    async fn already(&self, _: &RestartInput, _: &OrderKey, _: &Site<'_>) -> Already<Restarted> {
        Already::NotDone
    }
}

fn restart(here: &Here, input: &RestartInput, order: &OrderKey) -> Result<Restarted, BoxError> {
    let VersionInput { branch, remote, tag_prefix, path, .. } = &input.version;
    let git = Git::new(here);
    let candidate = Candidate::of(&git, branch, order)?;
    let mut candidate =
        candidate.ok_or_else(|| format!("nothing was prepared for `{branch}` by this run"))?;
    let base = find_base(here, branch, remote.as_deref(), true)?.commit;
    if candidate.record().base != base {
        here.progress.step(format!("starting again on {}", base.get(..12).unwrap_or(&base)), None);
        candidate.without_release(&git)?;
        candidate.replay(here, &base, order)?;
    }
    if !candidate.record().steps.iter().any(|step| step.kind == Kind::Commit) {
        let found = find(here, &input.version, &order.run)?;
        if found.version != input.expected || found.nothing_new {
            return Err(format!(
                "`{branch}` moved, and what came makes it version {} instead of {}; nothing was published; run again to release that",
                found.version, input.expected
            )
            .into());
        }
        let line = Line { prefix: tag_prefix.clone(), path: path.clone() };
        let of = Released { branch, remote: remote.as_deref(), including: &[] };
        let history = History::new(&git, &of, line, Some(&order.run))?;
        let changes = written(&input.changelog, &history, input.date.clone())?;
        if !changes.is_empty() {
            commit_on(here, &mut candidate, order, &message(&input.changelog)?, &changes)?;
        }
    }
    let commit = candidate.tip().to_owned();
    let message = format!("Release {}", input.tags.first().map_or("nothing", String::as_str));
    let tags = TagInput { tags: input.tags.clone(), branch: branch.clone(), message, remote: remote.clone() };
    put(here, &tags, &commit, order)?;
    Ok(Restarted { base, commit })
}
