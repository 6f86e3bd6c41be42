//! `changelog`: changelog, release notes and version fields, committed to what is to be released.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Task, Verdict};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::forge::Forge;
use super::history::{History, Line, Released, main_branch};
use super::hunks::FileChange;
use super::manifests;
use super::notes::Release;
use super::ops::{Committed, ReleaseCommit, ReleaseInput, RestoreCandidate};
use super::version::tag_prefix;
use crate::said;

/// Writes the changelog and the release notes of a version, and commits them to what is released.
#[derive(Debug, Clone, Copy)]
pub struct Changelog;

/// Config of [`Changelog`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangelogConfig {
    /// The version.
    pub version: Input<String>,
    /// Whether that version is out and nothing came since: then nothing is written.
    #[serde(default)]
    pub nothing_new: Input<bool>,
    /// The branch that is released; the main branch by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The remote whose tip of that branch counts, and whose address leads to the pages that are linked; none where the local
    /// branch alone does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Branches that are merged into it before, for dry runs.
    #[serde(default)]
    pub including: Vec<String>,
    /// The changelog; `CHANGELOG.md` by default.
    #[serde(default = "changelog")]
    pub changelog: RelPath,
    /// The folder of release notes; `docs/releases` by default.
    #[serde(default = "notes")]
    pub notes: RelPath,
    /// Whether version fields of manifests and lock files are brought to the version.
    #[serde(default)]
    pub bump: bool,
    /// How tags of releases begin; `v` by default.
    #[serde(default = "tag_prefix")]
    pub tag_prefix: String,
    /// The folder that is released, where it is not the whole repository; the other paths are relative to it.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub path: RelPath,
    /// What the host of the remote is, where its name does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forge: Option<Forge>,
}

fn changelog() -> RelPath {
    RelPath::new("CHANGELOG.md").expect("a valid path")
}

fn notes() -> RelPath {
    RelPath::new("docs/releases").expect("a valid path")
}

impl ChangelogConfig {
    /// The usual files for a version.
    pub fn of(version: impl Into<Input<String>>) -> Self {
        Self {
            version: version.into(),
            nothing_new: Input::default(),
            branch: None,
            remote: None,
            including: Vec::new(),
            changelog: changelog(),
            notes: notes(),
            bump: false,
            tag_prefix: tag_prefix(),
            path: RelPath::root(),
            forge: None,
        }
    }

    fn changelog_file(&self) -> Result<RelPath, BoxError> {
        Ok(self.path.join(self.changelog.as_str())?)
    }

    fn notes_file(&self) -> Result<RelPath, BoxError> {
        let folder = self.path.join(self.notes.as_str())?;
        Ok(folder.join(format!("v{}.md", self.version.value()?))?)
    }
}

/// Output of [`Changelog`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ChangelogWritten {
    /// The changelog.
    pub changelog: RelPath,
    /// The release notes.
    pub notes: RelPath,
    /// The commit that holds them; none where everything was written before.
    pub commit: Option<String>,
}

/// The message of the release commit.
pub(super) fn message(config: &ChangelogConfig) -> Result<String, BoxError> {
    Ok(format!("chore(release): {}{}", config.tag_prefix, config.version.value()?))
}

/// What is to be written for a version on a branch: nothing where all of it is there.
pub(super) fn written(
    config: &ChangelogConfig,
    history: &History<'_>,
    date: String,
) -> Result<Vec<FileChange>, BoxError> {
    if *config.nothing_new.value()? {
        return Ok(Vec::new());
    }
    let version = config.version.value()?;
    let this = semver::Version::parse(version)?;
    let previous = history.before(&this)?;
    let release = Release {
        version,
        tag: history.line().tag(&this),
        date,
        previous: previous.as_ref().map(|version| history.line().tag(version)),
        changes: &history.since(previous.as_ref())?,
        pages: history.pages(config.remote.as_deref(), config.forge),
    };
    let path = config.changelog_file()?;
    let old = history.file(&path)?;
    let changelog = release.changelog(old.as_deref());
    let mut changes: Vec<FileChange> =
        FileChange::between(path, old.as_deref(), &changelog).into_iter().collect();
    let notes = config.notes_file()?;
    // Notes that a person may have worked on since are kept.
    if history.file(&notes)?.is_none() {
        changes.extend(FileChange::between(notes, None, &release.notes(&changelog)));
    }
    if config.bump {
        changes.extend(manifests::bump(history, version)?);
    }
    Ok(changes)
}

impl Agent for Changelog {
    const NAME: &'static str = "changelog";
    const ABOUT: &'static str = "Writes changelog and release notes and commits them.";
    type Config = ChangelogConfig;
    type Output = ChangelogWritten;

    async fn plan(&self, task: &Task<ChangelogConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let config = &task.config;
        let branch = config.branch.clone().map_or_else(|| main_branch(look), Ok)?;
        let line = Line { prefix: config.tag_prefix.clone(), path: config.path.clone() };
        let remote = config.remote.clone();
        let of = Released { branch: &branch, remote: remote.as_deref(), including: &config.including };
        let history = History::new(look, &of, line, look.run())?;
        let date = look.started().strftime("%Y-%m-%d").to_string();
        let changes = written(config, &history, date)?;
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let message = message(config)?;
        Ok(vec![ReleaseCommit::action(&ReleaseInput { branch, remote, message, changes })?])
    }

    fn conclude(
        &self,
        task: &Task<ChangelogConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<ChangelogWritten>, BoxError> {
        let version = task.config.version.value()?;
        let (changelog, notes) = (task.config.changelog_file()?, task.config.notes_file()?);
        if receipts.is_empty() {
            let summary = format!("Changelog has {version} already");
            return Ok(Verdict::passed(summary, ChangelogWritten { changelog, notes, commit: None }));
        }
        let committed: Committed = match said::output(receipts)? {
            Ok(committed) => committed,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let commit = Some(committed.commit);
        let summary = format!("Changelog and release notes of {version} committed");
        Ok(Verdict::passed(summary, ChangelogWritten { changelog, notes, commit }))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(ReleaseCommit)?, dyn_operation(RestoreCandidate)?])
    }
}
