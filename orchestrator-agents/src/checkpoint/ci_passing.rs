//! `ci_passing`: whether CI passes, by GitHub's own word or, offline, by what the workflow's commands do here.
//!
//! GitHub's word is about a commit. Where the tree has changes on top of it, no run has seen them, so they are run here.

mod local;
mod remote;
mod workflow;

use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, EnvValue, Run};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::{Evidence, Finding, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{AskCi, AskCiInput, CiRun, CiRuns};
use crate::ended::ended;
use crate::said;
use crate::secret::SecretName;
use local::Local;
#[cfg(test)]
pub(super) use remote::repository;

/// Config of `ci_passing`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CiConfig {
    /// The workflow's file; by default `.github/workflows/ci.yml`, or the only one that there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<RelPath>,
    /// Who is asked.
    pub how: How,
    /// The jobs that count; all by default. Only where the commands are run here.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<String>,
    /// Pass although some of the workflow cannot be run here; what was not run is said.
    pub allow_partial: bool,
    /// How far the workflow's commands reach when they are run here.
    pub effect: Effect,
    /// `owner/name` on GitHub; by default as the remote `origin` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The secret with a token for GitHub: `{secret: NAME}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretName>,
    /// Where GitHub's API is.
    pub api: String,
}

impl Default for CiConfig {
    fn default() -> Self {
        let api = "https://api.github.com".to_owned();
        let (how, effect) = (How::Auto, Effect::Writes);
        Self {
            target: None,
            how,
            jobs: Vec::new(),
            allow_partial: false,
            effect,
            repository: None,
            token: None,
            api,
        }
    }
}

/// Who is asked whether CI passes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// `gh` where it is installed and logged in, else the API where there is a token, else the commands are run here.
    #[default]
    Auto,
    /// GitHub's command line.
    Gh,
    /// GitHub's API.
    Api,
    /// The workflow's commands, run here.
    Local,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CiState {
    /// Who was asked.
    pub how: How,
    /// The runs that GitHub told of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<CiRun>,
    /// The steps that were run here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ran: Vec<String>,
    /// What was not run here, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_run: Vec<String>,
}

/// What the survey gives, and which way is taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Seen {
    commit: Option<String>,
    repository: Option<String>,
    workflow: Result<RelPath, String>,
    local: Result<Local, String>,
    /// The way that is taken, then those that follow where it cannot be.
    ways: Vec<How>,
    /// Why others were not taken.
    passed_over: Vec<String>,
}

/// Tells whether CI passes.
#[derive(Debug, Clone, Copy, Default)]
pub struct CiPassing;

impl Agent for CiPassing {
    const NAME: &'static str = "ci_passing";
    const ABOUT: &'static str =
        "Whether CI passes, by gh, by GitHub's API, or by running the workflow's commands here";
    type Config = CiConfig;
    type Output = CiState;

    async fn survey(&self, task: &Task<CiConfig>, look: &Workspace) -> Result<Json, BoxError> {
        Ok(Json::of(&survey(&task.config, look))?)
    }

    async fn plan(&self, task: &Task<CiConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let seen: Option<Seen> = task.carried.parse()?;
        let seen = seen.unwrap_or_else(|| survey(&task.config, look));
        actions(&task.config, &seen)
    }

    fn conclude(
        &self,
        task: &Task<CiConfig>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<CiState>, BoxError> {
        let seen: Option<Seen> = task.carried.parse()?;
        let seen = seen.ok_or("what was seen of the workflow is not known")?;
        let config = &task.config;
        let why = match seen.ways.first() {
            Some(How::Gh) => match gh_said(receipts, artifacts)? {
                Ok(runs) => remote::verdict(How::Gh, &runs, &seen),
                Err(why) => Err(why),
            },
            Some(How::Api) => match said::output::<CiRuns>(receipts)? {
                Ok(CiRuns { runs }) => remote::verdict(How::Api, &runs, &seen),
                Err(why) => Err(why),
            },
            Some(How::Local) => return here(config, &seen, receipts),
            Some(How::Auto) | None => Err("there is no way to ask".to_owned()),
        };
        let why = match why {
            Ok(verdict) => return Ok(verdict),
            Err(why) => why,
        };
        let mut next = seen.clone();
        let way = next.ways.remove(0);
        next.passed_over.push(format!("{}: {why}", name(way)));
        if next.ways.is_empty() {
            return Ok(Verdict::failed(format!("not measured: {}", next.passed_over.join("; "))));
        }
        Ok(Verdict::More { actions: actions(config, &next)?, carried: Json::of(&next)? })
    }

    fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
        Ok(vec![dyn_operation(AskCi)?])
    }
}

fn name(how: How) -> &'static str {
    match how {
        How::Auto => "auto",
        How::Gh => "gh",
        How::Api => "GitHub's API",
        How::Local => "here",
    }
}

fn survey(config: &CiConfig, look: &Workspace) -> Seen {
    let CiConfig { target, how, jobs, repository, token, .. } = config;
    let workflow = workflow::find(target.as_ref(), look);
    let local = match &workflow {
        Ok(path) => local::read(path, jobs, look),
        Err(why) => Err(why.clone()),
    };
    let commit = look.git(&["rev-parse", "--verify", "HEAD"]).ok();
    let changed = look.git(&["status", "--porcelain"]).is_ok_and(|changes| !changes.is_empty());
    let own = look.git(&["remote", "get-url", "origin"]).ok();
    let repository = repository.clone().or_else(|| remote::repository(&own?));
    let mut passed_over = Vec::new();
    let ways = match how {
        How::Auto if changed => {
            passed_over.push("GitHub: no run has seen the changes in the tree".to_owned());
            vec![How::Local]
        }
        How::Auto if commit.is_none() => {
            passed_over.push("GitHub: there is no commit yet".to_owned());
            vec![How::Local]
        }
        How::Auto => {
            let mut ways = Vec::new();
            match look.tool_version("gh") {
                Some(_) => ways.push(How::Gh),
                None => passed_over.push("gh: it is not installed".to_owned()),
            }
            match token {
                Some(_) if repository.is_some() => ways.push(How::Api),
                Some(_) => passed_over.push("GitHub's API: the remote `origin` is none on GitHub".to_owned()),
                None => passed_over.push("GitHub's API: no `token` is given".to_owned()),
            }
            ways.push(How::Local);
            ways
        }
        how => vec![*how],
    };
    Seen { commit, repository, workflow, local, ways, passed_over }
}

fn actions(config: &CiConfig, seen: &Seen) -> Result<Vec<Action>, BoxError> {
    match seen.ways.first() {
        Some(How::Gh) => {
            let commit =
                seen.commit.as_ref().ok_or("there is no commit yet, so no run of CI is about one")?;
            let fields = "databaseId,workflowName,status,conclusion,headSha,url";
            let mut argv = vec!["gh", "run", "list", "--commit", commit, "--limit", "100", "--json", fields];
            if let Some(target) = &config.target {
                argv.extend(["--workflow", file_name(target)]);
            }
            let mut run = Run::new(Effect::Reads, argv);
            run.env.insert("GH_PROMPT_DISABLED".into(), EnvValue::Plain("1".into()));
            run.env.insert("NO_COLOR".into(), EnvValue::Plain("1".into()));
            if let Some(SecretName { secret }) = &config.token {
                run.env.insert("GH_TOKEN".into(), EnvValue::Secret { secret: secret.clone() });
            }
            if let Some(repository) = &config.repository {
                run.env.insert("GH_REPO".into(), EnvValue::Plain(repository.clone()));
            }
            Ok(vec![Action::from(run).keep_going()])
        }
        Some(How::Api) => {
            let commit = seen.commit.clone().ok_or("there is no commit yet, so no run of CI is about one")?;
            let repository = seen.repository.clone();
            let repository =
                repository.ok_or("the remote `origin` is none on GitHub: give `repository: owner/name`")?;
            let token = config.token.as_ref().map(|token| token.secret.clone());
            let workflow = config.target.as_ref().map(|path| file_name(path).to_owned());
            let input = AskCiInput { api: config.api.clone(), repository, commit, workflow, token };
            Ok(vec![AskCi::action(&input)?.keep_going()])
        }
        _ => match &seen.local {
            Ok(local) if !local.can_pass(config.allow_partial) => Ok(Vec::new()),
            Ok(local) => Ok(local.steps.iter().map(|step| step.action(config.effect)).collect()),
            Err(_) => Ok(Vec::new()),
        },
    }
}

fn file_name(path: &RelPath) -> &str {
    path.as_str().rsplit('/').next().unwrap_or_default()
}

/// The runs that `gh` printed, or why it did not.
fn gh_said(receipts: &[Receipt], artifacts: &Artifacts<'_>) -> Result<Result<Vec<CiRun>, String>, BoxError> {
    let Some(receipt) = receipts.first() else { return Ok(Err("it was not run".into())) };
    if !receipt.ok() {
        let said = artifacts.text(receipt.stderr.as_ref())?;
        let said = said.trim().lines().next().map(crate::validation::text::line).unwrap_or_default();
        return Ok(Err(format!("{}: {said}", ended("gh run list", &receipt.status))));
    }
    let printed = artifacts.text(receipt.stdout.as_ref())?;
    Ok(serde_json::from_str(&printed).map_err(|error| format!("gh printed what is no list of runs: {error}")))
}

/// What the commands that were run here say.
fn here(config: &CiConfig, seen: &Seen, receipts: &[Receipt]) -> Result<Verdict<CiState>, BoxError> {
    let passed_over = match &seen.passed_over[..] {
        [] => String::new(),
        all => format!(" ({})", all.join("; ")),
    };
    let (local, workflow) = match (&seen.local, &seen.workflow) {
        (Ok(local), Ok(workflow)) => (local, workflow),
        (Err(why), _) | (_, Err(why)) => {
            return Ok(Verdict::failed(format!("not measured: {why}{passed_over}")));
        }
    };
    let not_run: Vec<Finding> = local
        .not_run
        .iter()
        .map(|what| Finding::new("ci-not-run", Severity::Warning, what.clone()).at(workflow.as_str(), None))
        .collect();
    let failed = |summary: String, more: Option<Finding>| {
        let conclusion = Conclusion::new(summary, ());
        Ok(Verdict::Failed(conclusion.findings(not_run.iter().cloned().chain(more))))
    };
    if !local.can_pass(config.allow_partial) {
        let why = if local.steps.is_empty() {
            "nothing of it can be run here"
        } else {
            "some of it cannot be run here"
        };
        let what = said::some(&local.not_run);
        let next = if local.steps.is_empty() {
            "ask GitHub with `how: gh` or `how: api`"
        } else {
            "pick what counts with `jobs`, or say `allow_partial: true`"
        };
        return failed(format!("not measured by `{workflow}`: {why}: {what}; {next}{passed_over}"), None);
    }
    let mut ran = Vec::new();
    for (at, step) in local.steps.iter().enumerate() {
        let name = step.name();
        let Some(receipt) = receipts.get(at) else {
            return failed(format!("{name} was not run here{passed_over}"), None);
        };
        if !receipt.ok() && !step.tolerated {
            let left = local.steps.len() - at - 1;
            let ended = ended(&step.first_line(), &receipt.status);
            let last = receipt.tail.lines().map(str::trim).rfind(|line| !line.is_empty());
            let last =
                last.map(|line| format!(": {}", crate::validation::text::line(line))).unwrap_or_default();
            let left = if left == 0 {
                String::new()
            } else {
                format!("; {} after it not run", said::count(left as u64, "step"))
            };
            let finding = Finding::new("ci-step-failed", Severity::Error, format!("{name}: {ended}"))
                .at(workflow.as_str(), None);
            return failed(
                format!("run here, {name} failed: {ended}{last}{left}{passed_over}"),
                Some(finding),
            );
        }
        ran.push(name);
    }
    let mut summary =
        format!("{} of `{workflow}` passed here{passed_over}", said::count(ran.len() as u64, "step"));
    if !local.not_run.is_empty() {
        summary = format!("{summary}; not run: {}", said::some(&local.not_run));
    }
    if !local.left_out.is_empty() {
        summary = format!("{summary}; left out: {}", said::some(&local.left_out));
    }
    let mut evidence = Evidence::of(format!("the commands of {workflow}"));
    evidence.artifact = Some(local.digest);
    let metrics = [("ci.steps.passed", ran.len()), ("ci.steps.not_run", local.not_run.len())]
        .map(|(name, n)| orchestrator_core::evidence::Metric::new(name, n as f64, "count", evidence.clone()));
    let output = CiState { how: How::Local, runs: Vec::new(), ran, not_run: local.not_run.clone() };
    Ok(Verdict::Passed(Conclusion::new(summary, output).metrics(metrics).findings(not_run)))
}
