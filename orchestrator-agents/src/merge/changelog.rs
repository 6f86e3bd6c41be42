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

use super::history::{History, Released, main_branch};
use super::hunks::FileChange;
use super::manifests;
use super::notes::Release;
use super::ops::{Committed, ReleaseCommit, ReleaseInput, RestoreCandidate};
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
    /// The branch that is released; the main branch by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The remote whose tip of that branch counts; none where the local branch alone does.
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
            branch: None,
            remote: None,
            including: Vec::new(),
            changelog: changelog(),
            notes: notes(),
            bump: false,
        }
    }

    fn notes_file(&self) -> Result<RelPath, BoxError> {
        Ok(self.notes.join(format!("v{}.md", self.version.value()?))?)
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

impl Agent for Changelog {
    const NAME: &'static str = "changelog";
    const ABOUT: &'static str = "Writes changelog and release notes and commits them.";
    type Config = ChangelogConfig;
    type Output = ChangelogWritten;

    async fn plan(&self, task: &Task<ChangelogConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let config = &task.config;
        let version = config.version.value()?;
        let branch = config.branch.clone().map_or_else(|| main_branch(look), Ok)?;
        let remote = config.remote.clone();
        let of = Released { branch: &branch, remote: remote.as_deref(), including: &config.including };
        let history = History::new(look, &of, look.run())?;
        let this = semver::Version::parse(version)?;
        let previous = history.last_release(Some(&this))?;
        let release = Release {
            version,
            date: look.started().strftime("%Y-%m-%d").to_string(),
            previous: previous.as_ref().map(|version| format!("v{version}")),
            changes: &history.since(previous.as_ref())?,
        };
        let mut changes = Vec::new();
        let old = history.file(&config.changelog)?;
        let new = release.changelog(old.as_deref());
        changes.extend(FileChange::between(config.changelog.clone(), old.as_deref(), &new));
        let notes = config.notes_file()?;
        // Notes that a person may have worked on since are kept.
        if history.file(&notes)?.is_none() {
            changes.extend(FileChange::between(notes, None, &release.notes()));
        }
        if config.bump {
            changes.extend(manifests::bump(&history, version)?);
        }
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let message = format!("chore(release): v{version}");
        Ok(vec![ReleaseCommit::action(&ReleaseInput { branch, remote, message, changes })?])
    }

    fn conclude(
        &self,
        task: &Task<ChangelogConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<ChangelogWritten>, BoxError> {
        let version = task.config.version.value()?;
        let (changelog, notes) = (task.config.changelog.clone(), task.config.notes_file()?);
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
