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
}

impl Unchecked {
    pub(super) fn seen(record: &Record, look: &Workspace) -> Result<Self, BoxError> {
        let tree = look.git(&["rev-parse", "--verify", &format!("{}^{{tree}}", record.tip)])?;
        let merges = record.steps.iter().filter(|step| step.kind != Kind::Commit && step.from != step.to);
        let status = look.git(&["diff", "--name-only", "-z", "HEAD", "--"]).unwrap_or_default();
        Ok(Self {
            commit: record.tip.clone(),
            tree,
            base: record.base.clone(),
            merged: merges.filter_map(|step| step.branch.clone()).collect(),
            head: look.git(&["rev-parse", "--quiet", "--verify", "HEAD^{commit}"]).ok(),
            dirty: status
                .split('\0')
                .filter(|path| !path.is_empty())
                .map(|path| format!("`{path}`"))
                .collect(),
        })
    }

    fn output(&self) -> CheckedMerged {
        let (commit, tree) = (Some(self.commit.clone()), Some(self.tree.clone()));
        CheckedMerged { commit, tree, ran: Vec::new() }
    }
}

/// The verdict without commands; `meant` says that an empty list was given on purpose.
pub(super) fn conclude(seen: Option<&Unchecked>, meant: bool) -> Verdict<CheckedMerged> {
    let Some(seen) = seen else {
        return Verdict::passed("Not run: nothing is prepared yet", CheckedMerged::default());
    };
    let warning = |text: String| Finding::new(RULE, Severity::Warning, text);
    let passed = |summary: &str, findings: Vec<Finding>| {
        Verdict::Passed(Conclusion::new(summary, seen.output()).findings(findings))
    };
    if meant {
        return passed(
            "Not run: `validate` is empty",
            vec![warning("what lands was not checked: `validate` is empty".into())],
        );
    }
    if !seen.merged.is_empty() {
        let what =
            format!("{} was merged and not checked: name commands in `validate`", said::some(&seen.merged));
        return passed("Not run: name commands in `validate`", vec![warning(what)]);
    }
    if seen.head.as_deref() != Some(&*seen.base) {
        let head = seen.head.as_deref().map_or("nothing", short);
        return Verdict::failed(format!(
            "{head} is checked out, and what is released starts from {}, which this run did not check: check that out, or name commands in \
             `validate`; nothing landed",
            short(&seen.base)
        ));
    }
    let mut findings = Vec::new();
    if !seen.dirty.is_empty() {
        findings.push(warning(format!(
            "{} differ from the commit that is released, so what this run checked is not quite what lands: commit or stash them",
            said::some(&seen.dirty)
        )));
    }
    passed("Not run: name commands in `validate`; what is released is what is checked out", findings)
}
