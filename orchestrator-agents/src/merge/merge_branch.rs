//! `merge-branch`: a branch goes into the candidate of another, or nothing changes. `land` and `push` let it out.

use std::fmt::Write as _;
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, Await};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::id::{MAX_NAME, NameError, SignalName, TaskId};
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::Digest;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::history::main_branch;
use super::ops::{Conflict, DropConflict, DropInput, MergeInput, MergeIntoBranch, Merged, RestoreCandidate};
use super::rules::{BuiltIn, Rule, Rules};
use crate::said;

/// Merges a branch into what is prepared for another. What no rule solves waits for a person.
#[derive(Debug, Clone, Copy)]
pub struct MergeBranch;

/// How the signals begin that answer a conflict: `conflict.TASK`.
pub const SIGNAL: &str = "conflict";
/// How often a person may say that a conflict is solved.
const MAX_ANSWERS: u32 = 100;
/// How many files a question names.
const SHOWN: usize = 20;

/// Config of [`MergeBranch`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeBranchConfig {
    /// The branch to merge: a local one, or `origin/x`.
    pub branch: String,
    /// The branch that it is to go into; the main branch by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
    /// The remote whose tip of that branch counts; none where the local branch alone does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// How.
    #[serde(default)]
    pub strategy: Strategy,
    /// The commit message; `Merge branch 'x'` by default, for a squash that of the weightiest commit with a list of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Rules for paths that conflict; the first that matches counts, before the built-in ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// Which of the built-in rules count; all by default.
    #[serde(default)]
    pub builtin: BuiltIn,
}

/// How branches are merged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// By a merge commit, also where a fast-forward were possible.
    #[default]
    Merge,
    /// By one commit with all that the branch changed.
    Squash,
    /// By the branch's commits, each made anew on top; its merges are left out.
    Rebase,
    /// By the branch's own commits; fails where the branch does not start at the tip.
    FastForward,
}

impl Strategy {
    /// As configs have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Squash => "squash",
            Self::Rebase => "rebase",
            Self::FastForward => "fast-forward",
        }
    }
}

impl MergeBranchConfig {
    /// A branch that goes into the main branch.
    pub fn new(branch: impl Into<String>) -> Self {
        let (branch, strategy) = (branch.into(), Strategy::default());
        let (rules, builtin) = (Vec::new(), BuiltIn::default());
        Self { branch, into: None, remote: None, strategy, message: None, rules, builtin }
    }

    fn solving(&self) -> Rules {
        Rules { rules: self.rules.clone(), builtin: self.builtin }
    }
}

/// The signal that answers a conflict of a task. The name of a task that is too long for it is shortened, and told apart by a digest.
pub fn signal_of(task: &TaskId) -> Result<SignalName, NameError> {
    let room = MAX_NAME - SIGNAL.len() - 1;
    let task = task.as_str();
    if task.len() <= room {
        return SignalName::new(format!("{SIGNAL}.{task}"));
    }
    let digest = Digest::of(task.as_bytes()).to_string();
    SignalName::new(format!("{SIGNAL}.{}-{}", &task[..room - 17], &digest[..16]))
}

/// What is carried from round to round.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// Where it goes into was found.
    Begun { into: String, answers: u32 },
    /// A person was asked.
    Asked { into: String, answers: u32 },
    /// A person refused; the worktree goes.
    Refused { by: String },
}

fn merge(config: &MergeBranchConfig, into: &str) -> Result<Action, BoxError> {
    let rules = config.solving();
    let MergeBranchConfig { branch, remote, strategy, message, .. } = config.clone();
    MergeIntoBranch::action(&MergeInput { branch, into: into.to_owned(), remote, strategy, message, rules })
}

impl Agent for MergeBranch {
    const NAME: &'static str = "merge-branch";
    const ABOUT: &'static str = "Merges a branch into another, outside the user's tree.";
    type Config = MergeBranchConfig;
    type Output = Merged;

    async fn survey(&self, task: &Task<MergeBranchConfig>, look: &Workspace) -> Result<Json, BoxError> {
        task.config.solving().check()?;
        let into = task.config.into.clone().map_or_else(|| main_branch(look), Ok)?;
        Ok(Json::of(&Stage::Begun { into, answers: 0 })?)
    }

    async fn plan(&self, task: &Task<MergeBranchConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let into = task.config.into.clone().map_or_else(|| main_branch(look), Ok)?;
        Ok(vec![merge(&task.config, &into)?])
    }

    fn conclude(
        &self,
        task: &Task<MergeBranchConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Merged>, BoxError> {
        let config = &task.config;
        match task.carried.parse()? {
            Stage::Refused { by } => {
                let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
                Ok(Verdict::failed(format!("the conflict of {} was left unsolved{by}", config.branch)))
            }
            Stage::Asked { into, answers } => {
                let Some(answer) = receipts.first() else { return Ok(Verdict::failed("nobody was asked")) };
                if refuses(&answer.output) {
                    let drop = DropInput { branch: config.branch.clone(), into };
                    let actions = vec![DropConflict::action(&drop)?];
                    let carried = Json::of(&Stage::Refused { by: answer.tail.trim().to_owned() })?;
                    return Ok(Verdict::More { actions, carried });
                }
                let actions = vec![merge(config, &into)?];
                let carried = Json::of(&Stage::Begun { into, answers: answers + 1 })?;
                Ok(Verdict::More { actions, carried })
            }
            Stage::Begun { into, answers } => {
                let merged: Merged = match said::output(receipts)? {
                    Ok(merged) => merged,
                    Err(why) => return Ok(Verdict::failed(why)),
                };
                match &merged.conflict {
                    Some(conflict) if answers < MAX_ANSWERS => ask(task, into, answers, conflict),
                    Some(conflict) => Ok(Verdict::failed(question(config, &into, conflict))),
                    None => Ok(passed(config, merged)),
                }
            }
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![
            dyn_operation(MergeIntoBranch)?,
            dyn_operation(RestoreCandidate)?,
            dyn_operation(DropConflict)?,
        ])
    }
}

/// `{"agree": false}` refuses; anything else that comes by that signal says that it is solved.
fn refuses(answer: &Json) -> bool {
    answer.value().get("agree").and_then(serde_json::Value::as_bool) == Some(false)
}

fn ask(
    task: &Task<MergeBranchConfig>,
    into: String,
    answers: u32,
    conflict: &Conflict,
) -> Result<Verdict<Merged>, BoxError> {
    let message = question(&task.config, &into, conflict);
    let signal = Some(signal_of(&task.id)?);
    let actions = vec![Await { signal, seconds: None, message }.into()];
    Ok(Verdict::More { actions, carried: Json::of(&Stage::Asked { into, answers })? })
}

/// What a person reads: the files, why no rule solved them, where and how it is done.
fn question(config: &MergeBranchConfig, into: &str, conflict: &Conflict) -> String {
    let Conflict { folder, commit, files, said } = conflict;
    let of = commit
        .as_ref()
        .map_or_else(String::new, |commit| format!(" at its commit {}", commit.get(..12).unwrap_or(commit)));
    let mut text = format!("merging {} into {into} conflicts{of}", config.branch);
    for note in said {
        text.push_str("\n  ");
        text.push_str(note);
    }
    for file in files.iter().take(SHOWN) {
        let path = file.path.replace(|c: char| c.is_control(), "?");
        let _ = write!(text, "\n  {path} ({}): {}", file.kind, file.why);
    }
    if files.len() > SHOWN {
        let _ = write!(text, "\n  and {} more", files.len() - SHOWN);
    }
    text + &format!("\nsolve it in {folder}: edit, then `git add` or `git rm` each file there")
}

fn passed(config: &MergeBranchConfig, merged: Merged) -> Verdict<Merged> {
    let MergeBranchConfig { branch, strategy, into, .. } = config;
    let into = into.as_ref().map_or_else(String::new, |into| format!(" into {into}"));
    let did = match strategy {
        Strategy::Merge => "merged",
        Strategy::Squash => "squashed",
        Strategy::Rebase => "rebased",
        Strategy::FastForward => "fast-forwarded",
    };
    let solved = match merged.solved.len() {
        0 => String::new(),
        n => format!(", {} solved", said::count(n as u64, "conflict")),
    };
    let summary = if merged.already_so {
        format!("Branch {branch} was merged before")
    } else {
        format!("Branch {branch} {did}{into}{solved}")
    };
    let finding = |path: &str, rule: &str| {
        let by = if rule == "person" { "a person".to_owned() } else { format!("the rule `{rule}`") };
        Finding::new("merge-conflict", Severity::Note, format!("solved by {by}")).at(path, None)
    };
    let findings: Vec<Finding> =
        merged.solved.iter().map(|solved| finding(&solved.path, &solved.rule)).collect();
    Verdict::Passed(Conclusion::new(summary, merged).findings(findings))
}
