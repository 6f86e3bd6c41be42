//! `version`: what this release is called.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Metric};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::main_branch;
use super::ops::{NextVersion, VersionFound, VersionInput};
use crate::said;

/// Finds the next version from conventional commits since the last tag `vX.Y.Z`.
#[derive(Debug, Clone, Copy)]
pub struct Version;

/// Config of [`Version`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct VersionConfig {
    /// The branch that is released; the main branch by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The remote whose tip of that branch counts; none where the local branch alone does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Branches that are merged into it before: a dry run, which does not merge, counts their commits too.
    pub including: Vec<String>,
    /// The version, where a person chose it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What a pre-release is called: `rc` gives `1.2.0-rc.1`, then `1.2.0-rc.2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prerelease: Option<String>,
    /// How tags of releases begin; `v` by default.
    pub tag_prefix: String,
    /// The folder that is released, where it is not the whole repository: commits elsewhere do not count.
    #[serde(skip_serializing_if = "RelPath::is_root")]
    pub path: RelPath,
}

impl Default for VersionConfig {
    fn default() -> Self {
        Self {
            branch: None,
            remote: None,
            including: Vec::new(),
            version: None,
            prerelease: None,
            tag_prefix: tag_prefix(),
            path: RelPath::root(),
        }
    }
}

impl VersionConfig {
    /// What is asked for on a branch; the second tag ends with `stamp`.
    pub(super) fn asked(&self, branch: String, stamp: String) -> VersionInput {
        let Self { branch: _, remote, including, version, prerelease, tag_prefix, path } = self.clone();
        VersionInput { branch, remote, including, version, stamp, prerelease, tag_prefix, path }
    }
}

/// How tags of releases begin.
pub(super) fn tag_prefix() -> String {
    "v".to_owned()
}

impl Agent for Version {
    const NAME: &'static str = "version";
    const ABOUT: &'static str = "Finds the next version from the commits since the last release.";
    type Config = VersionConfig;
    type Output = VersionFound;

    async fn plan(&self, task: &Task<VersionConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let branch = task.config.branch.clone().map_or_else(|| main_branch(look), Ok)?;
        let stamp = look.started().strftime("%Y%m%d-%H%M%S").to_string();
        let input = task.config.asked(branch, stamp);
        Ok(vec![NextVersion::action(&input)?])
    }

    fn conclude(
        &self,
        _: &Task<VersionConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<VersionFound>, BoxError> {
        let found: VersionFound = match said::output(receipts)? {
            Ok(found) => found,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let commits = said::count(found.commits, "commit");
        let since = found.previous.as_ref().map_or_else(String::new, |tag| format!(" since {tag}"));
        let metric = Metric::new(
            "release.commits",
            found.commits as f64,
            "count",
            Evidence::of("git").command("git log --no-merges"),
        );
        let summary = if found.nothing_new {
            format!("Nothing new since {}: it stays the version", found.release)
        } else {
            format!("Version {} ({commits}{since})", found.version)
        };
        Ok(Verdict::Passed(Conclusion::new(summary, found).metrics([metric])))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(NextVersion)?])
    }
}
