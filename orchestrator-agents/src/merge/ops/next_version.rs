//! Finds the next version from the history.

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use semver::{BuildMetadata, Prerelease, Version};
use serde::{Deserialize, Serialize};

use super::published::Published;
use super::tag::is_ours;
use crate::merge::history::{History, Line, ReadGit, Released, is_stamped};
use crate::merge::version::tag_prefix;
use crate::merge::{manifests, next};
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
    /// What a pre-release is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prerelease: Option<String>,
    /// How tags of releases begin.
    #[serde(default = "tag_prefix")]
    pub tag_prefix: String,
    /// The folder that is released.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub path: RelPath,
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
    /// Whether there is nothing to release: the version is that of the release before.
    #[serde(default)]
    pub nothing_new: bool,
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

pub(super) fn find(here: &Here, input: &VersionInput, run: &RunId) -> Result<VersionFound, BoxError> {
    let git = Git::new(here);
    let line = Line { prefix: input.tag_prefix.clone(), path: input.path.clone() };
    let may_be = format!("refs/tags/{}1.0.0", line.prefix);
    if git.maybe(["check-ref-format", &may_be])?.is_none() || line.prefix.starts_with('-') {
        return Err(format!("`{}` cannot begin the names of tags", line.prefix).into());
    }
    let VersionInput { branch, remote, including, .. } = input;
    let of = Released { branch, remote: remote.as_deref(), including };
    let history = History::new(&git, &of, line, Some(run))?;
    let published =
        input.remote.as_ref().map(|remote| Published::ask(here, remote, history.line())).transpose()?;
    let releases = history.releases()?;
    let version = choose(input, &history, &releases)?;
    // The same one again: it is released, and nothing came since.
    let nothing_new = releases.contains(&version);
    let previous = if nothing_new { Some(version.clone()) } else { history.before(&version)? };
    let changes = history.since(previous.as_ref())?;
    let release = history.line().tag(&version);
    if let Some(published) = &published {
        published.allows(&git, &release, history.tip())?;
    }
    let stamped = stamped(&git, &release, nothing_new)?;
    let tag = match (stamped, nothing_new) {
        (Some(tag), _) => tag,
        (None, true) => release.clone(),
        (None, false) => format!("{release}-{}", input.stamp),
    };
    Ok(VersionFound {
        tag,
        release,
        version: version.to_string(),
        previous: previous.map(|previous| history.line().tag(&previous)),
        commits: changes.len() as u64,
        nothing_new,
    })
}

/// The version: the given one if it may follow, else what the commits ask for.
fn choose(input: &VersionInput, history: &History<'_>, releases: &[Version]) -> Result<Version, BoxError> {
    if let Some(text) = &input.version {
        if input.prerelease.is_some() {
            return Err(
                "`version` and `prerelease` are both given; the version says what the pre-release is".into(),
            );
        }
        let version = next::given(text)?;
        let commits = history.since(releases.last())?;
        // A run after one that was not told that it had finished.
        if releases.last() != Some(&version) || !commits.is_empty() {
            next::may_follow(&version, releases.last())?;
        }
        return Ok(version);
    }
    let last = releases.iter().rfind(|version| version.pre.is_empty());
    let changes = history.since(last)?;
    let version = match last {
        Some(last) => next::next(last, &changes),
        None => {
            let named = manifests::version(history)?.unwrap_or(Version::new(0, 1, 0));
            Version { pre: Prerelease::EMPTY, build: BuildMetadata::EMPTY, ..named }
        }
    };
    let Some(name) = &input.prerelease else { return Ok(version) };
    if last == Some(&version) {
        return Ok(version);
    }
    let latest =
        releases.last().filter(|latest| latest.pre.starts_with(&format!("{name}.")) && **latest < version);
    match latest {
        // Nothing came since the latest pre-release.
        Some(latest) if history.since(Some(latest))?.is_empty() => Ok(latest.clone()),
        _ => Ok(next::pre_release(&version, name, releases)?),
    }
}

/// The second tag that a run made for a release, so that a run after one that died finishes the same release. Of one that is
/// out, it must name the same commit.
fn stamped(git: &Git<'_>, release: &str, out: bool) -> Result<Option<String>, BoxError> {
    let at = format!("--points-at=refs/tags/{release}^{{commit}}");
    let pattern = format!("{release}-*");
    let mut args = vec!["tag", "--list", "--sort=-refname", &pattern];
    args.extend(out.then_some(&*at));
    let tags = git.read(&args)?;
    let named = |tag: &&str| tag.len() == release.len() + "-20261120-234433".len() && is_stamped(tag);
    for tag in tags.lines().filter(named) {
        if out || is_ours(git, tag)? {
            return Ok(Some(tag.to_owned()));
        }
    }
    Ok(None)
}
