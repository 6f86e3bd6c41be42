//! Which of several merges broke what worked before: by halving, along first parents.

use orchestrator_core::order::{Receipt, Status};
use serde::{Deserialize, Serialize};

use crate::merge::checking::{self, Validate};
use crate::merge::ops::CheckedOut;

/// Commits from the base to what is to land, each with what it brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Halving {
    /// The base first, what failed last.
    commits: Vec<(String, String)>,
    /// How many from the start are known to pass.
    good: usize,
    /// The first that is known to fail.
    bad: usize,
}

impl Halving {
    /// Over what a candidate is made of.
    pub(super) fn over(checkout: &CheckedOut) -> Self {
        let base = (checkout.base.clone(), "the base itself".to_owned());
        let steps = checkout.steps.iter().map(|step| {
            let what = step
                .branch
                .as_ref()
                .map_or_else(|| "the release commit".to_owned(), |branch| format!("branch `{branch}`"));
            (step.commit.clone(), what)
        });
        let mut commits: Vec<(String, String)> = std::iter::once(base).chain(steps).collect();
        // A step that brought nothing is no suspect.
        commits.dedup_by(|later, earlier| later.0 == earlier.0);
        let bad = commits.len() - 1;
        Self { commits, good: 0, bad }
    }

    /// The commit to look at; none once it is known who it was. The base first: nobody broke what never worked.
    pub(super) fn next(&self) -> Option<&str> {
        let at = if self.good == 0 { 0 } else { usize::midpoint(self.good, self.bad) };
        (self.good < self.bad).then(|| &*self.commits[at].0)
    }

    /// What is known after that commit was looked at.
    pub(super) fn after(mut self, passed: bool) -> Self {
        let at = if self.good == 0 { 0 } else { usize::midpoint(self.good, self.bad) };
        if passed {
            self.good = at + 1;
        } else {
            self.bad = at;
        }
        self
    }

    /// Who it was.
    pub(super) fn culprit(&self) -> String {
        let (commit, what) = &self.commits[self.bad];
        let commit = commit.get(..12).unwrap_or(commit);
        match self.bad {
            0 if self.commits.len() > 1 => format!("{what} ({commit}) does not pass: no branch is to blame"),
            0 => format!("{what} ({commit}) does not pass"),
            _ => format!(
                "it is {what} that breaks it: with all before it, it passes ({commit} is the first that does not)"
            ),
        }
    }
}

/// Whether a commit passed, from the receipts of its checkout and the commands; or why that is not known.
pub(super) fn passed(commands: &[Validate], receipts: &[Receipt]) -> Result<bool, String> {
    let Some((checkout, rest)) = receipts.split_first() else {
        return Err("nothing was looked at".into());
    };
    if !checkout.ok() {
        return Err(checkout.status.to_string());
    }
    let unknown = rest.iter().find(|receipt| {
        matches!(receipt.status, Status::TimedOut | Status::Signaled(_) | Status::Failed { .. })
    });
    match unknown {
        Some(receipt) => Err(receipt.status.to_string()),
        None => Ok(checking::read(commands, rest).is_ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks until it is known, with all commits from one on bad; what it says and how often it looked.
    fn found(commits: usize, first_bad: usize) -> (String, usize) {
        let commits = (0..commits).map(|at| (format!("{at}"), format!("branch {at}"))).collect::<Vec<_>>();
        let bad = commits.len() - 1;
        let mut halving = Halving { commits, good: 0, bad };
        let mut looks = 0;
        while let Some(commit) = halving.next() {
            let passes = commit.parse::<usize>().unwrap() < first_bad;
            halving = halving.after(passes);
            looks += 1;
        }
        (halving.culprit(), looks)
    }

    #[test]
    fn the_first_that_breaks_is_found_in_few_looks() {
        for commits in 1..40 {
            for bad in 0..commits {
                let (culprit, looks) = found(commits, bad);
                assert!(culprit.contains(&format!("branch {bad} ")), "{commits} {bad}: {culprit}");
                assert!(looks <= 2 + commits.ilog2() as usize, "{commits} {bad}: {looks}");
            }
        }
    }
}
