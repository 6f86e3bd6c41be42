//! `check-merged`: the commands of the pipeline are run on the very tree that is to land; of several branches, the one that
//! breaks them is found by halving.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::checking::{self, Broken, Ran, Validate};
use super::history::main_branch;
use super::ops::{CheckOut, CheckedOut, RecordChecked};
use super::record::Record;
use crate::said;

mod halving;
mod unchecked;

use halving::Halving;
use unchecked::Unchecked;

/// Runs commands on what is to land.
#[derive(Debug, Clone, Copy)]
pub struct CheckMerged;

/// Config of [`CheckMerged`].
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckMergedConfig {
    /// The branch that is released; the main branch by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// What must succeed, in this order. An empty list says that nothing is to be checked. Without one, nothing may be merged, and the
    /// commit that is checked out must be what is released, without changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate: Option<Vec<Validate>>,
}

/// Output of [`CheckMerged`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedMerged {
    /// The commit that is to land; none where nothing is prepared yet.
    pub commit: Option<String>,
    /// Its tree.
    pub tree: Option<String>,
    /// What was run on it.
    pub ran: Vec<Ran>,
}

/// What is carried from round to round.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
enum Stage {
    /// What was seen before the first round.
    Seen { branch: String, commit: Option<String>, unchecked: Option<Unchecked> },
    /// The commands run on what is to land.
    Tip { checkout: CheckedOut },
    /// The tree did not pass; who broke it is looked for.
    Halving { checkout: CheckedOut, broken: Broken, halving: Halving },
}

impl CheckMergedConfig {
    fn commands(&self) -> &[Validate] {
        self.validate.as_deref().unwrap_or_default()
    }
}

impl Agent for CheckMerged {
    const NAME: &'static str = "check-merged";
    const ABOUT: &'static str = "Runs commands on what is to land, and finds the branch that breaks them.";
    type Config = CheckMergedConfig;
    type Output = CheckedMerged;

    async fn survey(&self, task: &Task<CheckMergedConfig>, look: &Workspace) -> Result<Json, BoxError> {
        let branch = task.config.branch.clone().map_or_else(|| main_branch(look), Ok)?;
        let record = Record::read(look, &branch)?.map(|(_, record)| record);
        let record = record.filter(|record| Some(&record.run) == look.run());
        let unchecked = match &record {
            Some(record) if task.config.commands().is_empty() => Some(Unchecked::seen(record, look)?),
            _ => None,
        };
        let commit = record.map(|record| record.tip);
        Ok(Json::of(&Stage::Seen { branch, commit, unchecked })?)
    }

    async fn plan(&self, task: &Task<CheckMergedConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        if task.config.commands().is_empty() {
            return Ok(Vec::new());
        }
        let seen = if task.carried.is_null() { self.survey(task, look).await? } else { task.carried.clone() };
        let Stage::Seen { branch, commit, .. } = seen.parse()? else { return Ok(Vec::new()) };
        Ok(vec![checking::check_out(&branch, commit, task.config.commands())?])
    }

    fn conclude(
        &self,
        task: &Task<CheckMergedConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<CheckedMerged>, BoxError> {
        let commands = task.config.commands();
        match task.carried.parse()? {
            Stage::Seen { unchecked, .. } if commands.is_empty() => {
                Ok(unchecked::conclude(unchecked.as_ref(), task.config.validate.is_some()))
            }
            Stage::Seen { .. } => {
                let checkout: CheckedOut = match said::output(receipts)? {
                    Ok(checkout) => checkout,
                    Err(why) => return Ok(Verdict::failed(why)),
                };
                let mut actions = checking::commands(commands, &checkout)?;
                actions.push(checking::record(&checkout)?);
                Ok(Verdict::More { actions, carried: Json::of(&Stage::Tip { checkout })? })
            }
            Stage::Tip { checkout } => tip(commands, checkout, receipts),
            Stage::Halving { checkout, broken, halving } => {
                let passed = match halving::passed(commands, receipts) {
                    Ok(passed) => passed,
                    Err(why) => return Ok(failed(&broken, &checkout, vec![note(why)])),
                };
                next(commands, checkout, broken, halving.after(passed))
            }
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(CheckOut)?, dyn_operation(RecordChecked)?])
    }
}

/// What the commands say of what is to land.
fn tip(
    commands: &[Validate],
    checkout: CheckedOut,
    receipts: &[Receipt],
) -> Result<Verdict<CheckedMerged>, BoxError> {
    match checking::read(commands, receipts) {
        Ok(ran) => {
            let Some(recorded) = receipts.get(commands.len()).filter(|receipt| receipt.ok()) else {
                let why = receipts.get(commands.len()).map(|receipt| receipt.status.to_string());
                return Ok(Verdict::failed(
                    why.unwrap_or_else(|| "what was checked was not recorded".to_owned()),
                ));
            };
            let took: f64 = ran.iter().map(|ran| ran.took_ms).sum();
            let summary = format!(
                "{} passed on tree {} in {}",
                said::count(ran.len() as u64, "command"),
                short(&checkout.tree),
                said::duration(took)
            );
            let evidence = Evidence::of("orchestrate")
                .command(commands.iter().map(Validate::shown).collect::<Vec<_>>().join("; "));
            let metric = Metric::new("merged.check_time", took + recorded.took_ms, "ms", evidence);
            let (commit, tree) = (Some(checkout.commit), Some(checkout.tree));
            let output = CheckedMerged { commit, tree, ran };
            Ok(Verdict::Passed(Conclusion::new(summary, output).metrics([metric])))
        }
        Err(broken) => {
            let halving = Halving::over(&checkout);
            next(commands, checkout, broken, halving)
        }
    }
}

/// The next commit to look at, or who it was.
fn next(
    commands: &[Validate],
    checkout: CheckedOut,
    broken: Broken,
    halving: Halving,
) -> Result<Verdict<CheckedMerged>, BoxError> {
    match halving.next() {
        Some(commit) => {
            let mut actions = vec![checking::check_out(&checkout.branch, Some(commit.to_owned()), commands)?];
            actions.extend(checking::commands(commands, &checkout)?);
            let carried = Json::of(&Stage::Halving { checkout, broken, halving })?;
            Ok(Verdict::More { actions, carried })
        }
        None => {
            let culprit = halving.culprit();
            Ok(failed(&broken, &checkout, vec![Finding::new("merge-culprit", Severity::Error, culprit)]))
        }
    }
}

fn failed(broken: &Broken, checkout: &CheckedOut, findings: Vec<Finding>) -> Verdict<CheckedMerged> {
    let who = findings.first().map_or_else(String::new, |finding| format!("; {}", finding.message));
    let summary = format!("What is to land does not pass, nothing landed: {}{who}", broken.shown());
    let place = format!(
        "commit {}, tree {}; its checkout is `{}`",
        short(&checkout.commit),
        short(&checkout.tree),
        checkout.folder
    );
    let evidence = Finding::new("merged-check", Severity::Error, format!("{} ({place})", broken.shown()));
    Verdict::Failed(Conclusion::new(summary, ()).findings(std::iter::once(evidence).chain(findings)))
}

fn note(why: String) -> Finding {
    Finding::new("merge-culprit", Severity::Note, format!("who broke it was not found: {why}"))
}

fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}
