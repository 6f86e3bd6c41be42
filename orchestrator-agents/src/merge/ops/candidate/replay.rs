//! The same candidate on another base: what a run does when its branch moved before it could land.

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;

use super::super::tree::{Sides, merge_tree, names};
use super::open::Candidate;
use super::{NewCommit, commit_tree};
use crate::merge::record::{Kind, Record, Step};
use crate::ops::git::Git;
use crate::ops::here::Here;
use crate::said;

/// Why it is not there.
#[derive(Debug, thiserror::Error)]
enum ReplayError {
    #[error(
        "on {base}, the new tip of `{branch}`, `{what}` conflicts in {}; nothing was changed",
        said::some(files)
    )]
    Conflict { branch: String, base: String, what: String, files: Vec<String> },
}

impl Candidate {
    /// Makes each step anew on another base, and moves the candidate there when all are made.
    pub(in crate::merge) fn replay(
        &mut self,
        here: &Here,
        onto: &str,
        order: &OrderKey,
    ) -> Result<(), BoxError> {
        let git = Git::new(here);
        let mut record = Record::new(order.run.clone(), onto.to_owned());
        for step in self.record().steps.clone() {
            here.go_on()?;
            let to = self.again(&git, &record.tip, onto, &step)?;
            let from = record.tip.clone();
            record.push(Step { from, to, ..step });
        }
        self.replace(&git, record)
    }

    fn again(&self, git: &Git<'_>, tip: &str, onto: &str, step: &Step) -> Result<String, BoxError> {
        let Step { kind, merged, message, trailers, from, to, branch, .. } = step;
        let (sides, parents) = match (kind, merged) {
            (Kind::Merge, Some(merged)) => {
                if git.is_ancestor(merged, tip)? {
                    return Ok(tip.to_owned());
                }
                (Sides { ours: tip, theirs: merged, base: None }, vec![tip, merged])
            }
            _ => (Sides { ours: tip, theirs: to, base: Some(from) }, vec![tip]),
        };
        let merged = merge_tree(git, sides)?;
        if !merged.entries.is_empty() {
            let what =
                branch.clone().unwrap_or_else(|| message.lines().next().unwrap_or_default().to_owned());
            let (branch, base) = (self.branch().to_owned(), onto.to_owned());
            return Err(ReplayError::Conflict { branch, base, what, files: names(&merged.entries) }.into());
        }
        let new = NewCommit { tree: &merged.tree, parents: &parents, message, trailers, author: &[] };
        commit_tree(git, &new)
    }
}
