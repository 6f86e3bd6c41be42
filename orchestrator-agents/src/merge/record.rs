//! What a run prepares for a branch before anything lands, as a value: the base that it started from and each step on it.
//!
//! The ref `refs/orchestrate/candidate/<branch>` names a commit that says so: its tree is that of the candidate, its first
//! parent the candidate's tip, and the last line of its message this record as JSON. One ref, so that all of it moves at once.

use orchestrator_core::BoxError;
use orchestrator_core::id::RunId;
use serde::{Deserialize, Serialize};

use super::history::ReadGit;
use super::ops::Solved;

/// Where the candidates of branches are.
pub(crate) const REFS: &str = "refs/orchestrate/candidate/";

/// Trailer that names the tip of a branch that was merged, squashed or rebased.
pub(crate) const MERGED: &str = "Orchestrate-Merged";

/// The full name of the ref of a branch's candidate.
pub(crate) fn reference(branch: &str) -> String {
    format!("{REFS}{branch}")
}

/// A candidate, as it is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The run that works on it.
    pub(crate) run: RunId,
    /// The commit that it starts from.
    pub(crate) base: String,
    /// Its newest commit; the base where there is no step yet.
    pub(crate) tip: String,
    /// The steps on the base, in order.
    #[serde(default)]
    pub(crate) steps: Vec<Step>,
    /// Steps of an earlier run that may follow: taken over as long as this run asks for the same ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) earlier: Vec<Step>,
    /// The record before this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) previous: Option<String>,
    /// What was found good of it, where that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checked: Option<Checked>,
}

/// A commit that was found good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checked {
    /// The commit.
    pub(crate) commit: String,
    /// Its tree.
    pub(crate) tree: String,
}

/// What brought a candidate forward.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Digest of all that was asked for: a step with the same key on the same tip gives the same.
    pub(crate) key: String,
    /// The order that made it.
    pub(crate) order: String,
    /// What was done.
    pub(crate) kind: Kind,
    /// The branch that was merged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) branch: Option<String>,
    /// The tip of that branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) merged: Option<String>,
    /// The first line of its message.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    /// Conflicts that were solved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) solved: Vec<Solved>,
    /// The candidate's tip before.
    pub(crate) from: String,
    /// The candidate's tip after it.
    pub(crate) to: String,
}

/// Kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// A merge commit.
    Merge,
    /// One commit with all that a branch changed.
    Squash,
    /// The commits of a branch, each anew.
    Rebase,
    /// The commits of a branch as they are.
    FastForward,
    /// A commit of given changes.
    Commit,
}

impl Record {
    /// A candidate without steps.
    pub(crate) fn new(run: RunId, base: String) -> Self {
        let tip = base.clone();
        Self { run, base, tip, steps: Vec::new(), earlier: Vec::new(), previous: None, checked: None }
    }

    /// The same for another run on the same base: nothing of it counts until that run asks for it again.
    pub(crate) fn continued(self, run: RunId, own: String) -> Self {
        let Self { run: _, base, tip: _, steps, earlier, previous: _, checked: _ } = self;
        let earlier = steps.into_iter().chain(earlier).collect();
        Self { earlier, previous: Some(own), ..Self::new(run, base) }
    }

    /// The step of an earlier run that is asked for again, which counts from now on; whatever else it did is forgotten.
    pub(crate) fn take_over(&mut self, key: &str) -> Option<&Step> {
        let mut earlier = std::mem::take(&mut self.earlier).into_iter();
        let step = earlier.next().filter(|step| step.key == key && step.from == self.tip)?;
        self.earlier = earlier.collect();
        self.tip.clone_from(&step.to);
        self.steps.push(step);
        self.steps.last()
    }

    /// Adds a step.
    pub(crate) fn push(&mut self, step: Step) {
        self.earlier.clear();
        self.tip.clone_from(&step.to);
        self.steps.push(step);
    }

    /// The message of the commit that holds it.
    pub(crate) fn message(&self, branch: &str) -> Result<String, BoxError> {
        Ok(format!("candidate of {branch}\n\n{}\n", serde_json::to_string(self)?))
    }

    /// Reads it from such a message.
    pub(crate) fn parse(message: &str) -> Result<Self, BoxError> {
        let line = message.trim_end().lines().next_back().unwrap_or_default();
        Ok(serde_json::from_str(line)?)
    }

    /// What is recorded of a branch's candidate, with the commit that holds it; none where there is none.
    pub(crate) fn read(git: &dyn ReadGit, branch: &str) -> Result<Option<(String, Self)>, BoxError> {
        let args = ["log", "-1", "--encoding=UTF-8", "--format=%H%n%B", &reference(branch), "--"];
        let Ok(said) = git.read(&args) else { return Ok(None) };
        let (own, message) = said.split_once('\n').unwrap_or((&said, ""));
        Self::found(branch, own, message).map(Some)
    }

    /// What is recorded of a branch's candidate, in the message of the commit that its ref names.
    pub(crate) fn found(branch: &str, own: &str, message: &str) -> Result<(String, Self), BoxError> {
        let record = Self::parse(message);
        let record = record.map_err(|error| {
            format!("`{}` is no record of a candidate; delete that ref: {error}", reference(branch))
        })?;
        Ok((own.to_owned(), record))
    }
}

/// A message with trailers, in the paragraph of those that it has already.
pub(crate) fn with_trailers(message: &str, trailers: &[(String, String)]) -> String {
    let message = message.trim_end();
    if trailers.is_empty() {
        return format!("{message}\n");
    }
    let last = message.rsplit("\n\n").next().filter(|last| last.len() < message.len());
    let joins = last.is_some_and(|last| last.lines().all(is_trailer));
    let mut text = format!("{message}{}", if joins { "\n" } else { "\n\n" });
    for (key, value) in trailers {
        if text.lines().any(|line| line == format!("{key}: {value}")) {
            continue;
        }
        text.push_str(key);
        text.push_str(": ");
        text.push_str(&value.replace(['\n', '\r'], " "));
        text.push('\n');
    }
    text
}

fn is_trailer(line: &str) -> bool {
    line.split_once(": ")
        .is_some_and(|(key, _)| !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(key: &str, from: &str, to: &str) -> Step {
        let (key, from, to) = (key.to_owned(), from.to_owned(), to.to_owned());
        let (order, kind, message) = (String::new(), Kind::Merge, "x\n\ny".to_owned());
        let solved = Vec::new();
        Step { key, order, kind, branch: None, merged: None, message, solved, from, to }
    }

    #[test]
    fn another_run_takes_over_what_it_asks_for_again() {
        let run = RunId::new("20261120234433-00ff00ff").unwrap();
        let mut first = Record::new(run.clone(), "base".into());
        first.push(step("a", "base", "1"));
        first.push(step("b", "1", "2"));
        assert_eq!(Record::parse(&first.message("main").unwrap()).unwrap(), first);
        let continued = first.clone().continued(run.clone(), "own".into());
        assert_eq!((&*continued.tip, continued.steps.len(), continued.earlier.len()), ("base", 0, 2));
        let mut same = continued.clone();
        assert_eq!(same.take_over("a").unwrap().to, "1");
        // Killed again: what was not reached is still there.
        let mut again = same.continued(run, "own".into());
        assert!(again.take_over("a").is_some() && again.take_over("b").is_some());
        assert_eq!((&*again.tip, again.steps.len(), again.earlier.len()), ("2", 2, 0));
        let mut other = continued;
        assert_eq!(other.take_over("b"), None);
        assert_eq!((&*other.tip, other.earlier.len()), ("base", 0));
    }

    #[test]
    fn trailers_stand_with_trailers() {
        let trailers = [("Orchestrate-Order".to_owned(), "a\nb".to_owned())];
        let text = |message| with_trailers(message, &trailers);
        assert_eq!(text("one"), "one\n\nOrchestrate-Order: a b\n");
        assert_eq!(text("one: two"), "one: two\n\nOrchestrate-Order: a b\n");
        assert_eq!(text("one\n\nReviewed-by: A\n"), "one\n\nReviewed-by: A\nOrchestrate-Order: a b\n");
        assert_eq!(text("one\n\nlong text: x\n"), "one\n\nlong text: x\n\nOrchestrate-Order: a b\n");
    }
}
