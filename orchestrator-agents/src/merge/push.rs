//! `push`: the release goes out, whole or not at all; where the branch moved meanwhile, it is prepared and checked anew first.

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::input::Input;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt, Status};
use orchestrator_core::units;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::changelog::ChangelogConfig;
use super::checking::{self, Validate};
use super::history::main_branch;
use super::ops::{
    CheckOut, CheckedOut, Proposed, PushInput, PushRelease, Pushed, RecordChecked, RestartInput,
    RestartRelease, VersionInput,
};
use super::record::Record;
use super::tag::names;
use super::version::VersionConfig;
use crate::said;

/// Pushes a branch and tags in one atomic step, never by force.
#[derive(Debug, Clone, Copy)]
pub struct Push;

/// How a release goes out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Directly; where the branch takes no direct pushes, as a branch that asks to be merged.
    #[default]
    Auto,
    /// Directly, or not at all.
    Direct,
    /// As a branch that asks to be merged; tags follow in the run after that.
    PullRequest,
}

/// Config of [`Push`].
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushConfig {
    /// The remote; `origin` by default.
    #[serde(default = "origin")]
    pub remote: String,
    /// The branch; the main branch by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Tags to push with it.
    #[serde(default)]
    pub tags: Vec<Input<String>>,
    /// How it goes out.
    #[serde(default)]
    pub mode: Mode,
    /// How often it is tried where the branch moves meanwhile; 3 by default.
    #[serde(default = "attempts")]
    pub attempts: u32,
    /// The longest that git may talk with the remote, such as `10m`; that by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// What was run on what goes out; empty where nothing is to be. Without it, a branch that moved meanwhile is a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate: Option<Vec<Validate>>,
    /// How the release is prepared anew where the branch moved; without it, that is a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
}

/// How a release is prepared anew.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Restart {
    /// How its version is found.
    pub version: VersionConfig,
    /// How its changelog is written.
    pub changelog: ChangelogConfig,
}

pub(super) fn origin() -> String {
    "origin".to_owned()
}

pub(super) fn attempts() -> u32 {
    3
}

/// What is carried from round to round.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Carried {
    branch: String,
    commit: Option<String>,
    date: String,
    /// Which attempt this is, from 1.
    attempt: u32,
    stage: Stage,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// The push alone, or after a restart without checks.
    Push { restarted: bool },
    /// A restart and its checkout, for commands.
    Restart,
    /// The commands in it, and the push.
    Check,
}

impl PushConfig {
    fn commands(&self) -> &[Validate] {
        self.validate.as_deref().unwrap_or_default()
    }

    fn push(&self, branch: &str, commit: Option<String>) -> Result<Action, BoxError> {
        let limit = self.limit.as_deref().map(units::duration).transpose()?;
        let limit_ms = limit.map(|limit| u64::try_from(limit.as_millis())).transpose()?;
        PushRelease::action(&PushInput {
            remote: self.remote.clone(),
            branch: branch.to_owned(),
            tags: names(&self.tags)?,
            commit,
            checked: !self.commands().is_empty(),
            mode: self.mode,
            limit_ms,
        })
    }
}

impl Agent for Push {
    const NAME: &'static str = "push";
    const ABOUT: &'static str = "Pushes a branch and tags atomically.";
    type Config = PushConfig;
    type Output = Pushed;

    async fn survey(&self, task: &Task<PushConfig>, look: &Workspace) -> Result<Json, BoxError> {
        let branch = task.config.branch.clone().map_or_else(|| main_branch(look), Ok)?;
        let record = Record::read(look, &branch)?.filter(|(_, record)| Some(&record.run) == look.run());
        let commit = record.map(|(_, record)| record.tip);
        let date = look.started().strftime("%Y-%m-%d").to_string();
        let stage = Stage::Push { restarted: false };
        Ok(Json::of(&Carried { branch, commit, date, attempt: 1, stage })?)
    }

    async fn plan(&self, task: &Task<PushConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let seen = if task.carried.is_null() { self.survey(task, look).await? } else { task.carried.clone() };
        let Carried { branch, commit, .. } = seen.parse()?;
        Ok(vec![task.config.push(&branch, commit)?])
    }

    fn conclude(
        &self,
        task: &Task<PushConfig>,
        receipts: &[Receipt],
        _: &Artifacts<'_>,
    ) -> Result<Verdict<Pushed>, BoxError> {
        let config = &task.config;
        let carried: Carried = task.carried.parse()?;
        match carried.stage.clone() {
            Stage::Push { restarted } => {
                if let Some(failed) =
                    receipts.iter().take(usize::from(restarted)).find(|receipt| !receipt.ok())
                {
                    return Ok(Verdict::failed(failed.status.to_string()));
                }
                pushed(config, carried, &receipts[usize::from(restarted).min(receipts.len())..])
            }
            Stage::Restart => {
                if let Some(failed) = receipts.iter().find(|receipt| !receipt.ok()) {
                    return Ok(Verdict::failed(failed.status.to_string()));
                }
                let checkout: CheckedOut = match said::output(receipts.get(1..).unwrap_or_default())? {
                    Ok(checkout) => checkout,
                    Err(why) => return Ok(Verdict::failed(why)),
                };
                let mut actions = checking::commands(config.commands(), &checkout)?;
                actions.push(checking::record(&checkout)?);
                actions.push(config.push(&carried.branch, Some(checkout.commit.clone()))?);
                let commit = Some(checkout.commit);
                let carried = Json::of(&Carried { commit, stage: Stage::Check, ..carried })?;
                Ok(Verdict::More { actions, carried })
            }
            Stage::Check => {
                if let Err(broken) = checking::read(config.commands(), receipts) {
                    let why = format!(
                        "with what others pushed meanwhile it does not pass, nothing was published: {}",
                        broken.shown()
                    );
                    return Ok(Verdict::failed(why));
                }
                let rest = receipts.get(config.commands().len()..).unwrap_or_default();
                match rest.split_first() {
                    Some((recorded, rest)) if recorded.ok() => pushed(config, carried, rest),
                    Some((recorded, _)) => Ok(Verdict::failed(recorded.status.to_string())),
                    None => Ok(Verdict::failed("what was checked was not recorded")),
                }
            }
        }
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![
            dyn_operation(PushRelease)?,
            dyn_operation(RestartRelease)?,
            dyn_operation(CheckOut)?,
            dyn_operation(RecordChecked)?,
        ])
    }
}

/// What came of a push: it is out, or it begins again.
fn pushed(config: &PushConfig, carried: Carried, receipts: &[Receipt]) -> Result<Verdict<Pushed>, BoxError> {
    let remote = &config.remote;
    if receipts.first().is_some_and(|receipt| receipt.status == Status::AssumedDone) {
        let summary = format!("Pushed to {remote}, as a person said");
        return Ok(Verdict::passed(summary, Pushed::default()));
    }
    let pushed: Pushed = match said::output(receipts)? {
        Ok(pushed) => pushed,
        Err(why) => return Ok(Verdict::failed(why)),
    };
    if let Some(moved) = &pushed.moved {
        return again(config, carried, moved);
    }
    if let Some(Proposed { branch, page, why }) = &pushed.proposed {
        let next = page.as_ref().map_or_else(
            || format!("ask for it to be merged into {}", carried.branch),
            |page| format!("ask for its merge at {page}"),
        );
        let summary = format!(
            "Pushed to {remote} as branch {branch}, nothing is released yet: {next}, then run again for the tags"
        );
        let why = why.as_ref().map(|why| Finding::new("protected-branch", Severity::Warning, why.clone()));
        return Ok(Verdict::Passed(Conclusion::new(summary, pushed.clone()).findings(why)));
    }
    let refs: Vec<&str> = pushed.refs.keys().map(|name| name.splitn(3, '/').nth(2).unwrap_or(name)).collect();
    let how = if pushed.already_so { "There already, at" } else { "Pushed to" };
    Ok(Verdict::passed(format!("{how} {remote}: {}", refs.join(", ")), pushed))
}

/// The branch moved: what was prepared starts from there, is checked again, and pushed again; a few times at most.
fn again(config: &PushConfig, carried: Carried, moved: &str) -> Result<Verdict<Pushed>, BoxError> {
    let Carried { branch, attempt, .. } = &carried;
    let to = moved.get(..12).unwrap_or(moved);
    let remote = &config.remote;
    let Some(Restart { version, changelog }) = &config.restart else {
        return Ok(Verdict::failed(format!(
            "`{branch}` of `{remote}` moved to {to} meanwhile, nothing was published; fetch and merge what others pushed, then run again"
        )));
    };
    if config.validate.is_none() {
        return Ok(Verdict::failed(format!(
            "`{branch}` of `{remote}` moved to {to} meanwhile, and nothing says how that is checked: nothing was published; name \
             `validate: [cargo test]` or the like (`validate: []` if no check is meant), or fetch and merge it, then run again"
        )));
    }
    if *attempt >= config.attempts {
        return Ok(Verdict::failed(format!(
            "`{branch}` of `{remote}` moved {} while the release was prepared, last to {to}; nothing was published; run again when it is quiet, \
             or raise `attempts`",
            said::count(u64::from(*attempt), "time")
        )));
    }
    let input = RestartInput {
        version: VersionInput {
            including: Vec::new(),
            ..version.asked(branch.clone(), carried.date.replace('-', "") + "-000000")
        },
        expected: changelog.version.value()?.clone(),
        changelog: changelog.clone(),
        date: carried.date.clone(),
        tags: names(&config.tags)?,
    };
    let mut actions = vec![RestartRelease::action(&input)?];
    let stage = if config.commands().is_empty() {
        actions.push(config.push(branch, None)?);
        Stage::Push { restarted: true }
    } else {
        actions.push(checking::check_out(branch, None, config.commands())?);
        Stage::Restart
    };
    let carried = Json::of(&Carried { attempt: attempt + 1, stage, commit: None, ..carried })?;
    Ok(Verdict::More { actions, carried })
}
