//! What can be said of what is to land where no command is named: whether it is what the rest of the run looked at.

use orchestrator_core::BoxError;
use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::workspace::Workspace;
use serde::{Deserialize, Serialize};

use super::{CheckedMerged, short};
use crate::merge::record::{Kind, Record};
use crate::said;

/// The rule of its findings.
const RULE: &str = "merged-check";

/// What to do about it.
const NEXT: &str = "name what must pass on the merged tree, such as `validate: [cargo test]`, or `validate: []` if no check is meant";

/// What was seen of checkout and candidate.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Unchecked {
    commit: String,
    tree: String,
    base: String,
    /// Branches that were merged.
    merged: Vec<String>,
    /// The commit that is checked out; none where there is none.
    head: Option<String>,
    /// Tracked files that differ from it.
    dirty: Vec<String>,
    /// Files that git neither has nor ignores.
    #[serde(default)]
    new: Vec<String>,
}

impl Unchecked {
    pub(super) fn seen(record: &Record, look: &Workspace) -> Result<Self, BoxError> {
        let tree = look.git(&["rev-parse", "--verify", &format!("{}^{{tree}}", record.tip)])?;
        let merges = record.steps.iter().filter(|step| step.kind != Kind::Commit && step.from != step.to);
        let files = |args: &[&str]| -> Vec<String> {
            let list = look.git(args).unwrap_or_default();
            list.split('\0').filter(|path| !path.is_empty()).map(|path| format!("`{path}`")).collect()
        };
        Ok(Self {
            commit: record.tip.clone(),
            tree,
            base: record.base.clone(),
            merged: merges.filter_map(|step| step.branch.clone()).collect(),
            head: look.git(&["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]).ok(),
            dirty: files(&["diff", "--name-only", "-z", "HEAD", "--"]),
            new: files(&["ls-files", "--others", "--exclude-standard", "-z"]),
        })
    }

    /// Why what lands is not what the rest of the run looked at, if it is not.
    fn differs(&self) -> Option<String> {
        let Self { commit: _, tree: _, base, merged, head, dirty, new: _ } = self;
        if !merged.is_empty() {
            return Some(format!("{} was merged, and nothing checks the merged tree", said::some(merged)));
        }
        if head.as_ref() != Some(base) {
            let head = head.as_deref().map_or("nothing", short);
            return Some(format!(
                "{head} is checked out, and what is released starts from {}, which this run did not check (check that out)",
                short(base)
            ));
        }
        (!dirty.is_empty()).then(|| {
            format!(
                "{} differ from the commit that is released, so this run did not check what lands (commit or stash them)",
                said::some(dirty)
            )
        })
    }

    fn output(&self) -> CheckedMerged {
        let (commit, tree) = (Some(self.commit.clone()), Some(self.tree.clone()));
        CheckedMerged { commit, tree, ran: Vec::new() }
    }
}

/// The verdict without commands; `meant` says that an empty list was given on purpose. What nobody looked at does not pass unasked.
pub(super) fn conclude(seen: Option<&Unchecked>, meant: bool) -> Verdict<CheckedMerged> {
    let warning = |text: String| Finding::new(RULE, Severity::Warning, text);
    let passed = |summary: String, output: CheckedMerged, findings: Vec<Finding>| {
        Verdict::Passed(Conclusion::new(summary, output).findings(findings))
    };
    if meant {
        let text = "what lands was not checked: `validate` is empty".to_owned();
        let output = seen.map(Unchecked::output).unwrap_or_default();
        return passed("Left out on purpose: `validate` is empty".to_owned(), output, vec![warning(text)]);
    }
    let Some(seen) = seen else {
        return Verdict::failed(format!(
            "nothing is prepared yet, so it is not known whether this run checks what lands; where it merges branches, {NEXT}"
        ));
    };
    if let Some(why) = seen.differs() {
        return Verdict::failed(format!("{why}; nothing landed: {NEXT}"));
    }
    let mut findings = Vec::new();
    if !seen.new.is_empty() {
        findings.push(warning(format!(
            "{} were there when this run checked, and are not in what lands: add or ignore them",
            said::some(&seen.new)
        )));
    }
    let summary = format!(
        "Relied on what this run checked of {}: it is checked out and what is released; `validate` runs commands on the release itself",
        short(&seen.base)
    );
    passed(summary, seen.output(), findings)
}
