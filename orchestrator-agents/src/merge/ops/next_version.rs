//! Finds the next version from the history.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::operation::{Already, Operation, Site};
use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::merge::commits::next;
use crate::merge::history::{History, ReadGit, Released};
use crate::merge::manifests;
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

impl ReadGit for Git<'_> {
    fn read(&self, args: &[&str]) -> Result<String, BoxError> {
        Ok(self.text(args)?)
    }
}

/// Finds the next version from conventional commits since the last release.
#[derive(Debug, Clone, Copy)]
pub struct NextVersion;

/// Of what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VersionInput {
    /// The branch that is released.
    pub branch: String,
    /// The remote whose tip of that branch counts; none where the local branch alone does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Branches that will have been merged into it.
    #[serde(default)]
    pub including: Vec<String>,
    /// The version, where a person chose it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the second tag ends with: when the run began.
    pub stamp: String,
}

/// The next version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionFound {
    /// `0.2.0`.
    pub version: String,
    /// `v0.2.0`.
    pub release: String,
    /// `v0.2.0-20261120-234433`.
    pub tag: String,
    /// Tag of the release before; none before the first.
    pub previous: Option<String>,
    /// Commits since then, merges not counted.
    pub commits: u64,
}

#[async_trait]
impl Operation for NextVersion {
    const NAME: &'static str = "next-version";
    const EFFECT: Effect = Effect::Reads;
    type Input = VersionInput;
    type Output = VersionFound;

    async fn call(
        &self,
        input: VersionInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<VersionFound, BoxError> {
        let run = order.run.clone();
        blocking(site, move |here| find(here, &input, &run)).await
    }

    async fn already(&self, _: &VersionInput, _: &OrderKey, _: &Site<'_>) -> Already<VersionFound> {
        Already::NotDone
    }
}

fn find(here: &Here, input: &VersionInput, run: &RunId) -> Result<VersionFound, BoxError> {
    let git = Git::new(here);
    let VersionInput { branch, remote, including, .. } = input;
    let of = Released { branch, remote: remote.as_deref(), including };
    let history = History::new(&git, &of, Some(run))?;
    let previous = history.last_release(None)?;
    let changes = history.since(previous.as_ref())?;
    let version = match (&input.version, &previous) {
        (Some(given), _) => {
            let given = given.strip_prefix('v').unwrap_or(given);
            Version::parse(given).map_err(|error| format!("`{given}` is not a version: {error}"))?
        }
        (None, Some(previous)) => next(previous, &changes),
        (None, None) => manifests::version(&history)?.unwrap_or(Version::new(0, 1, 0)),
    };
    let release = format!("v{version}");
    let stamped = finished(&git, &history, &release)?;
    Ok(VersionFound {
        tag: stamped.unwrap_or_else(|| format!("{release}-{}", input.stamp)),
        release,
        version: version.to_string(),
        previous: previous.map(|previous| format!("v{previous}")),
        commits: changes.len() as u64,
    })
}

/// The stamped tag of a release that is tagged already, so that a run after one that died finishes the same release.
fn finished(git: &Git<'_>, history: &History<'_>, release: &str) -> Result<Option<String>, BoxError> {
    let pattern = format!("{release}-*");
    let at = format!("--points-at={}", history.tip());
    let tags = git.read(&["tag", "--list", &at, &pattern])?;
    let stamp = |tag: &str| {
        let digits = tag.strip_prefix(release)?.strip_prefix('-')?.split_once('-')?;
        let all = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        (digits.0.len() == 8 && digits.1.len() == 6 && all(digits.0) && all(digits.1)).then_some(())
    };
    Ok(tags.lines().find(|tag| stamp(tag).is_some()).map(str::to_owned))
}
