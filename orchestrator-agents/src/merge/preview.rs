//! `preview-merge`: whether branches would merge, also in a dry run.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::main_branch;
use super::ops::{BranchPreviewed, FilePreviewed, PreviewBranch, PreviewInput, PreviewMerges, Previewed};
use super::rules::{BuiltIn, Rule, Rules};
use crate::said;

/// Tells whether branches would merge, where they conflict, and which rules would be tried. It never fails for what it finds.
#[derive(Debug, Clone, Copy)]
pub struct PreviewMerge;

/// Config of [`PreviewMerge`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewMergeConfig {
    /// The branches, in the order in which they are to be merged.
    pub branches: Vec<PreviewBranch>,
    /// The branch that they are to go into; the main branch by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// The remote whose tip of that branch counts, as far as it was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// Rules for paths that conflict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Which of the built-in rules count; all by default.
    #[serde(default)]
    pub builtin: BuiltIn,
}

impl Agent for PreviewMerge {
    const NAME: &'static str = "preview-merge";
    const ABOUT: &'static str =
        "Tells whether branches would merge, and which rules would solve what conflicts.";
    type Config = PreviewMergeConfig;
    type Output = Previewed;

    async fn plan(&self, task: &Task<PreviewMergeConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let PreviewMergeConfig { branches, into, remote, rules, builtin } = task.config.clone();
        let into = into.map_or_else(|| main_branch(look), Ok)?;
        let rules = Rules { rules, builtin };
        Ok(vec![PreviewMerges::action(&PreviewInput { into, remote, branches, rules })?])
    }

    fn conclude(
        &self,
        _: &Task<PreviewMergeConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Previewed>, BoxError> {
        let seen: Previewed = match said::output(receipts)? {
            Ok(seen) => seen,
            Err(why) => return Ok(Verdict::failed(why)),
        };
        let summary = seen.branches.iter().map(told).collect::<Vec<_>>().join("; ");
        let findings: Vec<Finding> = seen.branches.iter().flat_map(findings).collect();
        Ok(Verdict::Passed(Conclusion::new(summary, seen).findings(findings)))
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(PreviewMerges)?])
    }
}

fn told(seen: &BranchPreviewed) -> String {
    let BranchPreviewed { branch, fails, already_so, files } = seen;
    match (fails, files.len()) {
        (Some(why), _) => format!("{branch} cannot be merged: {why}"),
        (None, 0) if *already_so => format!("{branch} is merged already"),
        (None, 0) => format!("{branch} merges without conflict"),
        (None, n) => {
            let conflicts = said::count(n as u64, "conflict");
            format!("{branch} has {conflicts}: {}", solvers(files))
        }
    }
}

/// Who would solve them: what only may know how to is not promised.
fn solvers(files: &[FilePreviewed]) -> String {
    let of = |wanted: fn(&str) -> bool| {
        files.iter().filter(|file| file.rule.as_deref().is_some_and(wanted)).collect::<Vec<_>>()
    };
    let (tried, ruled) = (of(may_fail), of(|rule| !may_fail(rule)));
    let person = files.len() - tried.len() - ruled.len();
    let mut parts = Vec::new();
    if !ruled.is_empty() {
        parts.push(format!("{} by rule", ruled.len()));
    }
    if let Some(rule) = tried.first().and_then(|file| file.rule.as_deref()) {
        parts.push(format!("{} for a person unless {rule} solves it", tried.len()));
    }
    if person > 0 {
        parts.push(format!("{person} for a person"));
    }
    parts.join(", ")
}

fn may_fail(rule: &str) -> bool {
    ["rerere", "mergiraf"].iter().any(|name| rule.starts_with(name))
}

fn findings(seen: &BranchPreviewed) -> Vec<Finding> {
    let BranchPreviewed { branch, fails, already_so: _, files } = seen;
    let failed = fails.iter().map(|why| {
        Finding::new("merge-preview", Severity::Warning, format!("`{branch}` cannot be merged: {why}"))
    });
    let conflicts = files.iter().map(|FilePreviewed { path, kind, rule }| {
        let (severity, what) = match rule {
            Some(rule) => (Severity::Note, format!("{rule} would be tried")),
            None => (Severity::Warning, "a person would have to solve it".to_owned()),
        };
        Finding::new("merge-preview", severity, format!("`{branch}` conflicts ({kind}): {what}"))
            .at(path, None)
    });
    failed.chain(conflicts).collect()
}
