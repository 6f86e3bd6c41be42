//! `all_critical_tested`: each task that matters most has a file with real tests, and these run and pass.

mod files;
mod results;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, EnvValue, Run};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ended::ended;
use crate::said;
use crate::validation::text;
use files::{Batch, Kind, Looked};

/// Config of `all_critical_tested`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CriticalConfig {
    /// The tasks that must be tested; a roadmap fills in those with `priority: critical`.
    #[serde(default)]
    pub critical: Vec<Critical>,
}

/// A task that must be tested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Critical {
    /// Which task.
    pub task: String,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The file with its tests; without it, `target` itself if that is a file of tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_file: Option<RelPath>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CriticalTested {
    /// The tasks whose tests passed.
    pub tasks: Vec<String>,
    /// How many tests passed.
    pub passed: u64,
}

/// Runs the tests of the tasks that matter most.
#[derive(Debug, Clone, Copy, Default)]
pub struct AllCriticalTested;

impl Agent for AllCriticalTested {
    const NAME: &'static str = "all_critical_tested";
    const ABOUT: &'static str = "Each critical task has a file with real tests, which run and pass";
    type Config = CriticalConfig;
    type Output = CriticalTested;

    async fn survey(&self, task: &Task<CriticalConfig>, look: &Workspace) -> Result<Json, BoxError> {
        Ok(Json::of(&files::look(&task.config.critical, look)?)?)
    }

    async fn plan(&self, task: &Task<CriticalConfig>, look: &Workspace) -> Result<Vec<Action>, BoxError> {
        let critical = &task.config.critical;
        if critical.is_empty() {
            return Err("nothing is marked critical, so nothing can be said of it; give tasks `priority: critical`, or leave this check out".into());
        }
        let looked: Option<Looked> = task.carried.parse()?;
        let looked = looked.map_or_else(|| files::look(critical, look), Ok)?;
        Ok(looked.batches.iter().map(action).collect())
    }

    fn conclude(
        &self,
        task: &Task<CriticalConfig>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<CriticalTested>, BoxError> {
        let looked: Option<Looked> = task.carried.parse()?;
        let Looked { batches, problems } = looked.ok_or("what was seen of the tests is not known")?;
        let error = |message: String| Finding::new("critical-not-tested", Severity::Error, message);
        let mut findings: Vec<Finding> = problems.iter().map(|problem| error(problem.clone())).collect();
        let (mut metrics, mut passed) = (Vec::new(), 0);
        for (at, batch) in batches.iter().enumerate() {
            let command = batch.argv.join(" ");
            let Some(receipt) = receipts.get(at) else {
                findings.push(error(format!("not measured: `{command}` was not run")));
                continue;
            };
            let stdout = text::plain(&artifacts.text(receipt.stdout.as_ref())?);
            let stderr = text::plain(&artifacts.text(receipt.stderr.as_ref())?);
            let before = findings.len();
            let results = results::read(batch, &stdout);
            for (at, (file, result)) in batch.files.iter().zip(results).enumerate() {
                let tasks = file.tasks.join(", ");
                let message = match result {
                    Ok(counts) if counts.failed > 0 => {
                        format!("{tasks}: {} of {} failed", counts.failed, text::count(counts.ran, "test"))
                    }
                    Ok(counts) if counts.ran == 0 => format!("{tasks}: no test ran"),
                    Ok(counts) => {
                        let evidence = Evidence::of(batch.kind.as_str())
                            .command(&command)
                            .artifact(receipt.stdout.as_ref());
                        // Rust's harness counts for all files of the batch at once.
                        passed += if at == 0 || batch.kind != Kind::Cargo { counts.ran } else { 0 };
                        metrics.push(Metric::new(
                            format!("tests.passed of {}", file.path),
                            counts.ran as f64,
                            "count",
                            evidence,
                        ));
                        continue;
                    }
                    Err(why) => format!("{tasks}: not measured: {why}"),
                };
                findings.push(error(message).at(file.path.as_str(), None));
            }
            if !receipt.ok() && findings.len() == before {
                let said = stderr.lines().chain(stdout.lines()).map(str::trim).rfind(|line| !line.is_empty());
                let said = said.map(text::line).unwrap_or_default();
                findings.push(error(format!("{}: {said}", ended(&command, &receipt.status))));
            }
        }
        if !findings.is_empty() {
            let all: Vec<String> = findings
                .iter()
                .map(|finding| match &finding.file {
                    Some(file) => format!("`{file}`: {}", finding.message),
                    None => finding.message.clone(),
                })
                .collect();
            let conclusion = Conclusion::new(said::some(&all), ());
            return Ok(Verdict::Failed(conclusion.metrics(metrics).findings(findings)));
        }
        let mut tasks: Vec<String> =
            task.config.critical.iter().map(|critical| critical.task.clone()).collect();
        tasks.sort();
        tasks.dedup();
        let summary = format!(
            "{} passed in {} for {}",
            said::count(passed, "test"),
            said::count(batches.iter().map(|batch| batch.files.len() as u64).sum(), "file"),
            said::count(tasks.len() as u64, "critical task"),
        );
        Ok(Verdict::Passed(Conclusion::new(summary, CriticalTested { tasks, passed }).metrics(metrics)))
    }
}

fn action(batch: &Batch) -> Action {
    let mut run = Run::new(Effect::Reads, batch.argv.clone());
    run.cwd = batch.folder.clone();
    let env =
        [("CI", "1"), ("NO_COLOR", "1"), ("PYTHONDONTWRITEBYTECODE", "1"), ("CARGO_TERM_COLOR", "never")];
    run.env = env.map(|(name, value)| (name.to_owned(), EnvValue::Plain(value.to_owned()))).into();
    Action::from(run).keep_going()
}
