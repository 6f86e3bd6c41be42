//! MERGE & INTEGRATION: branches merged, a version found, its changelog committed, tags made, all of it pushed at once.
//! All is made on a candidate, beside the user's tree and branches; the local branch follows when it has gone out.

mod candidate;
mod changelog;
mod check_merged;
mod checking;
mod commits;
mod default_checks;
mod forge;
mod history;
mod hunks;
mod land;
mod manifests;
mod markdown;
mod merge_branch;
mod next;
mod notes;
pub mod ops;
mod preview;
mod push;
mod record;
mod rules;
mod sections;
mod tag;
mod union;
mod version;

#[cfg(test)]
mod tests;

use orchestrator_core::BoxError;
use orchestrator_core::id::{GroupName, PhaseName, TaskId};
use orchestrator_core::path::RelPath;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::pipeline::{GroupSpec, TaskSpec};
use orchestrator_core::project::{Git, Project};
use serde::Deserialize;

pub use candidate::{Candidate, CandidateConfig};
pub use changelog::{Changelog, ChangelogConfig, ChangelogWritten};
pub use check_merged::{CheckMerged, CheckMergedConfig, CheckedMerged};
pub use checking::{Ran, Validate, ValidateCommand};
pub use forge::Forge;
pub use hunks::{FileChange, Hunk};
pub use land::{Land, LandConfig};
pub use merge_branch::{MergeBranch, MergeBranchConfig, SIGNAL, Strategy, signal_of};
pub use preview::{PreviewMerge, PreviewMergeConfig};
pub use push::{Mode, Push, PushConfig, Restart};
pub use rules::{BuiltIn, Rule, Rules, Use};
pub use tag::{Tag, TagConfig};
pub use version::{Version, VersionConfig};

/// The phase `merge_integration`.
#[derive(Debug, Clone, Copy)]
pub struct MergeIntegration;

/// What the phase may be given in `with:`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct With {
    /// Branches to merge, in this order; none by default.
    branches: Vec<Branch>,
    /// How they are merged, where a branch does not say; `merge` by default.
    strategy: Strategy,
    /// Rules for paths that conflict, before the built-in ones.
    rules: Vec<Rule>,
    /// Which of the built-in rules count; all by default.
    builtin: BuiltIn,
    /// The branch that they go into and that is released; the main branch by default.
    into: Option<String>,
    /// The remote to push to; `origin` by default.
    remote: Option<String>,
    /// Whether version fields of manifests are brought to the new version.
    bump: bool,
    /// The version; found from the commits by default.
    version: Option<String>,
    /// What a pre-release is called, such as `rc`; none is made by default.
    prerelease: Option<String>,
    /// How tags of releases begin; `v` by default.
    tag_prefix: Option<String>,
    /// The folder that is released; the whole repository by default.
    path: Option<RelPath>,
    /// The changelog; `CHANGELOG.md` by default.
    changelog: Option<RelPath>,
    /// The folder of release notes; `docs/releases` by default.
    notes: Option<RelPath>,
    /// What the host of the remote is, where its name does not tell.
    forge: Option<Forge>,
    /// What must succeed on the very tree that is to land; where branches are merged, the tests of known stacks by default.
    validate: Option<Vec<Validate>>,
    /// How it goes out.
    push: PushWith,
}

/// How a release goes out, as `push:` says it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PushWith {
    /// Directly, or as a branch that asks to be merged.
    mode: Mode,
    /// How often it is tried where the branch moves meanwhile.
    attempts: u32,
    /// The longest that git may talk with the remote.
    limit: Option<String>,
}

impl Default for PushWith {
    fn default() -> Self {
        Self { mode: Mode::Auto, attempts: push::attempts(), limit: None }
    }
}

impl With {
    fn version(
        &self,
        branch: Option<String>,
        remote: Option<String>,
        including: Vec<String>,
    ) -> VersionConfig {
        let usual = VersionConfig::default();
        VersionConfig {
            branch,
            remote,
            including,
            version: self.version.clone(),
            prerelease: self.prerelease.clone(),
            tag_prefix: self.tag_prefix.clone().unwrap_or(usual.tag_prefix),
            path: self.path.clone().unwrap_or(usual.path),
        }
    }

    fn changelog(&self, version: &TaskSpec, of: &VersionConfig) -> ChangelogConfig {
        let usual = ChangelogConfig::of(version.output("version"));
        ChangelogConfig {
            nothing_new: version.output("nothing_new"),
            branch: of.branch.clone(),
            remote: of.remote.clone(),
            including: of.including.clone(),
            bump: self.bump,
            changelog: self.changelog.clone().unwrap_or(usual.changelog),
            notes: self.notes.clone().unwrap_or(usual.notes),
            tag_prefix: of.tag_prefix.clone(),
            path: of.path.clone(),
            forge: self.forge,
            version: usual.version,
        }
    }
}

/// A branch to merge: its name, or how it is merged.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "a branch, or `branch`, `strategy` and `message` of one")]
enum Branch {
    /// Its name.
    Name(String),
    /// Its name, and how.
    Given(Given),
}

/// A branch, and how it is merged.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// Its name: a local one, or `origin/x`.
    branch: String,
    /// How; as the phase says by default.
    strategy: Option<Strategy>,
    /// The commit message.
    message: Option<String>,
}

impl With {
    fn branches(&self) -> impl Iterator<Item = Given> + '_ {
        self.branches.iter().map(|branch| match branch {
            Branch::Name(name) => Given { branch: name.clone(), strategy: None, message: None },
            Branch::Given(given) => given.clone(),
        })
    }
}

impl Phase for MergeIntegration {
    fn name(&self) -> PhaseName {
        PhaseName::new("merge_integration").expect("a valid name")
    }

    fn title(&self) -> &'static str {
        "MERGE & INTEGRATION"
    }

    fn draft(&self, project: &Project, draft: &mut Draft<'_>) -> Result<(), BoxError> {
        let mut with: With = draft.with()?;
        let Some(git) = &project.git else {
            draft.note("not a git repository: nothing to merge, tag or push");
            return Ok(());
        };
        if git.head.is_none() {
            draft.note("the repository has no commit yet: nothing to merge, tag or push");
            return Ok(());
        }
        if with.validate.is_none() && !with.branches.is_empty() {
            with.validate = default_checks::drafted(project, draft);
        }
        let remote = with.remote.clone().unwrap_or_else(|| "origin".to_owned());
        let has_remote = git.remotes.contains_key(&remote);
        *draft.group("release")? = release(&with, git, has_remote.then_some(&*remote))?;
        if !has_remote {
            draft.note(format!("there is no remote `{remote}`: the release is not pushed"));
        }
        Ok(())
    }
}

fn release(with: &With, git: &Git, remote: Option<&str>) -> Result<GroupSpec, BoxError> {
    let branch = with.into.clone().or_else(|| git.main.clone());
    let mut group = GroupSpec::new(GroupName::new("release")?).sequential();
    let remote = remote.map(str::to_owned);
    if !with.branches.is_empty() {
        let branches = with.branches().map(|Given { branch, strategy, message: _ }| ops::PreviewBranch {
            branch,
            strategy: strategy.unwrap_or(with.strategy),
        });
        let config = PreviewMergeConfig {
            branches: branches.collect(),
            into: branch.clone(),
            remote: remote.clone(),
            rules: with.rules.clone(),
            builtin: with.builtin,
        };
        group = group.task(TaskSpec::of::<PreviewMerge>("preview-merge", &config)?);
    }
    let config = CandidateConfig { branch: branch.clone(), remote: remote.clone() };
    let candidate = TaskSpec::of::<Candidate>("candidate", &config)?;
    let mut made: TaskId = candidate.id.clone();
    group = group.task(candidate);
    let including: Vec<String> = with.branches().map(|given| given.branch).collect();
    for Given { branch: name, strategy, message } in with.branches() {
        let config = MergeBranchConfig {
            into: branch.clone(),
            remote: remote.clone(),
            strategy: strategy.unwrap_or(with.strategy),
            message,
            rules: with.rules.clone(),
            builtin: with.builtin,
            ..MergeBranchConfig::new(&name)
        };
        let task = TaskSpec::of::<MergeBranch>(&format!("merge-{}", in_id(&name)), &config)?.needs([made]);
        made = task.id.clone();
        group = group.task(task);
    }
    let asked = with.version(branch.clone(), remote.clone(), including);
    let version = TaskSpec::of::<Version>("version", &asked)?.needs([made]);
    let written = with.changelog(&version, &asked);
    let changelog = TaskSpec::of::<Changelog>("changelog", &written)?;
    let validate = with.validate.clone();
    let config = CheckMergedConfig { branch: branch.clone(), validate };
    let check = TaskSpec::of::<CheckMerged>("check-merged", &config)?.needs([changelog.id.clone()]);
    let tags = || vec![version.output("release"), version.output("tag")];
    let nothing_new = version.output("nothing_new");
    let config = TagConfig { tags: tags(), branch: branch.clone(), nothing_new, remote: remote.clone() };
    let tag = TaskSpec::of::<Tag>("tag", &config)?.needs([check.id.clone()]);
    let mut last = tag.id.clone();
    let push = match &remote {
        Some(remote) => {
            let PushWith { mode, attempts, limit } = with.push.clone();
            let (remote, branch, tags) = (remote.clone(), branch.clone(), tags());
            let validate = with.validate.clone();
            let restart = Some(Restart { version: asked, changelog: written });
            let config = PushConfig { remote, branch, tags, mode, attempts, limit, validate, restart };
            let push = TaskSpec::of::<Push>("push", &config)?.needs([last]);
            last = push.id.clone();
            Some(push)
        }
        None => None,
    };
    let land = TaskSpec::of::<Land>("land", &LandConfig { branch, remote })?.needs([last]);
    let group = group.task(version.clone()).task(changelog).task(check).task(tag);
    Ok(push.into_iter().chain([land]).fold(group, GroupSpec::task))
}

/// A branch's name as part of a task's id.
pub(crate) fn in_id(branch: &str) -> String {
    branch
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' })
        .collect()
}
