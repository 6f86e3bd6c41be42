//! The same candidate on another base: what a run does when its branch moved before it could land.

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;

use super::super::picks::{Pick, copy};
use super::super::tree::{Sides, merge_tree, names};
use super::open::Candidate;
use super::{NewCommit, commit_tree, signs};
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
    #[error(
        "`{branch}` cannot be fast-forwarded any more: it does not start at {onto}; rebase it, or choose another strategy"
    )]
    Forward { branch: String, onto: String },
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

    /// The commits of a step on another tip; their messages say already whose they are.
    fn again(&self, git: &Git<'_>, tip: &str, onto: &str, step: &Step) -> Result<String, BoxError> {
        let Step { kind, merged, from, to, branch, .. } = step;
        if merged.as_ref().is_some_and(|merged| git.is_ancestor(merged, tip).unwrap_or(false)) {
            return Ok(tip.to_owned());
        }
        if *kind == Kind::FastForward {
            let branch = branch.clone().unwrap_or_default();
            return Err(ReplayError::Forward { branch, onto: onto.to_owned() }.into());
        }
        let not = format!("^{from}");
        let list = git.text(["rev-list", "--reverse", "--first-parent", to, &not, "--"])?;
        let mut tip = tip.to_owned();
        for commit in list.lines() {
            tip =
                self.again_one(git, &tip, onto, commit, merged.as_deref().filter(|_| *kind == Kind::Merge))?;
        }
        Ok(tip)
    }

    /// One commit on another tip; `merged` is its second parent.
    fn again_one(
        &self,
        git: &Git<'_>,
        tip: &str,
        onto: &str,
        commit: &str,
        merged: Option<&str>,
    ) -> Result<String, BoxError> {
        let parent = format!("{commit}^1");
        let change = Sides { ours: tip, theirs: commit, base: Some(&parent) };
        let mut tree = match merged {
            Some(merged) => merge_tree(git, Sides { ours: tip, theirs: merged, base: None })?,
            None => merge_tree(git, change)?,
        };
        if !tree.clean && merged.is_some() {
            // What a rule, or a person, made of it is part of the change that the commit made.
            tree = merge_tree(git, change)?;
        }
        let Pick { message, author, .. } = copy(git, commit, &parent)?;
        if !tree.clean {
            let what = message.lines().next().unwrap_or_default().to_owned();
            let (branch, base) = (self.branch().to_owned(), onto.to_owned());
            return Err(ReplayError::Conflict { branch, base, what, files: names(&tree.entries) }.into());
        }
        let parents: Vec<&str> = std::iter::once(tip).chain(merged).collect();
        let new = NewCommit {
            tree: &tree.tree,
            parents: &parents,
            message: &message,
            trailers: &[],
            author: &author,
        };
        commit_tree(git, &new, signs(git)?)
    }
}
