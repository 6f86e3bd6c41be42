//! `test_generation`: surveys, and says what came of it.

use std::fmt::Write as _;

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{LanguageName, TestGenerationConfig};
use super::language::{Printed, Runner, Source};
use super::trial::{Running, Stage, Trial, cases, first};
use crate::editing::formatter::formatter;
use crate::editing::generated::base;
use crate::ended::ended;

/// The most bytes of a source file.
const LIMIT: usize = 4 << 20;

/// Generates tests that are true of a source file, runs them once, and keeps them if they pass.
#[derive(Debug, Clone, Copy, Default)]
pub struct TestGeneration;

/// What `test_generation` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GeneratedTests {
    /// The test file.
    pub test_file: RelPath,
    /// Names of its cases, as the runner tells them.
    pub cases: Vec<String>,
    /// What no true case could be made for.
    pub needs_person: Vec<Person>,
    /// Whether the file was run, and passed, in this task.
    pub ran: bool,
    /// How many cases somebody expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated: Option<u32>,
}

/// Something that a person is to write a test for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Person {
    /// What it is called in the source, or the name of a case that did not pass.
    pub what: String,
    /// Its line in the source, from 1; 0 where it has none.
    pub line: u32,
    /// Why.
    pub why: String,
}

impl Agent for TestGeneration {
    const NAME: &'static str = "test_generation";
    const ABOUT: &'static str = "Generates tests that are true of a source file, and keeps them if they pass";
    const PLANS_LONG: bool = true;
    type Config = TestGenerationConfig;
    type Output = GeneratedTests;

    async fn survey(&self, task: &Task<TestGenerationConfig>, look: &Workspace) -> Result<Json, BoxError> {
        Ok(Json::of(&surveyed(&task.config, look)?)?)
    }

    async fn plan(
        &self,
        task: &Task<TestGenerationConfig>,
        look: &Workspace,
    ) -> Result<Vec<Action>, BoxError> {
        let carried: Option<Trial> = task.carried.parse()?;
        match carried {
            Some(trial) => trial.actions(),
            None => surveyed(&task.config, look)?.actions(),
        }
    }

    fn touches(&self, config: &TestGenerationConfig) -> Vec<RelPath> {
        config.test_file.iter().cloned().collect()
    }

    fn conclude(
        &self,
        task: &Task<TestGenerationConfig>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<GeneratedTests>, BoxError> {
        let carried: Option<Trial> = task.carried.parse()?;
        let mut trial = carried.ok_or("what the survey saw was not carried")?;
        let config = &task.config;
        match &trial.stage {
            Stage::Formatting => match printed(&trial, receipts, artifacts)? {
                Err(why) => return Ok(failed(config, &trial, why)),
                Ok(text) => trial.formatted(text),
            },
            Stage::Trying { .. } => {
                let (wrote, last) =
                    receipts.split_at(receipts.len() - usize::from(trial.runner.is_ok()).min(receipts.len()));
                let unwritten = wrote.iter().chain(last).find(|receipt| is_file(receipt) && !receipt.ok());
                if let Some(receipt) = unwritten {
                    let path = &trial.path;
                    return Ok(failed(
                        config,
                        &trial,
                        format!("`{path}` could not be written: {}", receipt.status),
                    ));
                }
                let (Ok(runner), Some(receipt)) = (&trial.runner, last.first()) else {
                    return Ok(kept(config, &trial, false));
                };
                let (stdout, stderr) =
                    (artifacts.text(receipt.stdout.as_ref())?, artifacts.text(receipt.stderr.as_ref())?);
                let printed = Printed { ok: receipt.ok(), stdout: &stdout, stderr: &stderr };
                let mut ran = trial.language.ran(&runner.tool, &printed);
                if ran.said.trim().is_empty() {
                    ran.said = format!("{}\n{}", ended(&runner.tool, &receipt.status), receipt.tail);
                }
                if trial.ran(receipt.ok(), &ran).is_none() {
                    return Ok(kept(config, &trial, true));
                }
            }
            Stage::Restoring { why, wrote: _ } => {
                let path = &trial.path;
                let back = match (receipts.iter().find(|receipt| !receipt.ok()), &trial.stands) {
                    (Some(receipt), _) => {
                        format!(
                            "but it was left as it is, since it could not be put back: {}",
                            receipt.status
                        )
                    }
                    (None, Some(_)) => "so what stood was put back".to_owned(),
                    (None, None) => "so it was removed".to_owned(),
                };
                return Ok(failed(config, &trial, format!("`{path}` is not kept, {back}; {why}")));
            }
            Stage::Nothing | Stage::AlreadySo { .. } | Stage::Conflict(_) => {}
        }
        let actions = trial.actions()?;
        if !actions.is_empty() {
            return Ok(Verdict::More { actions, carried: Json::of(&trial)? });
        }
        Ok(at_rest(config, &trial))
    }
}

fn surveyed(config: &TestGenerationConfig, look: &Workspace) -> Result<Trial, BoxError> {
    let target = &config.target;
    let language = config.language.map_or_else(|| LanguageName::of(target), Ok)?;
    let Some(text) = look.read_text(target)? else {
        return Err(format!(
            "there is no `{target}` to generate tests for; name a source file that is there"
        )
        .into());
    };
    if text.len() > LIMIT {
        return Err(format!("`{target}` has {} bytes, over the limit of {LIMIT}", text.len()).into());
    }
    let path = match &config.test_file {
        Some(path) => path.clone(),
        None => language.test_file(target, look),
    };
    if path == *target {
        return Err(format!("`test_file` is `{path}`, the target itself; name another file").into());
    }
    let templates =
        if config.templates.is_empty() { language.templates().to_vec() } else { config.templates.clone() };
    let templates: Vec<_> =
        templates.into_iter().filter(|template| template.fits(config.test_type)).collect();
    if templates.is_empty() {
        return Err(
            "none of `templates` makes tests of that `test_type`: `route` is for `integration`, the others \
                    are for `unit`"
                .into(),
        );
    }
    let source = Source {
        path: target,
        text: &text,
        test_file: &path,
        templates: &templates,
        template_folder: &config.template_folder,
        look,
    };
    let generated = language.read_and_write(&source)?;
    let runner = language.runner(&path, look).map(|Runner { tool, argv, cwd }| Running {
        tool: tool.to_owned(),
        argv,
        cwd,
    });
    let runner = runner.ok_or_else(|| language.missing(&path, look));
    let (stands, base) = (look.read_text(&path)?, look.read_text(&base(&path)?)?);
    let formatter = formatter(&path, look);
    let trial = Trial {
        path,
        language,
        generated,
        left_out: Vec::new(),
        stands,
        base,
        formatter,
        runner,
        stage: Stage::Formatting,
    };
    Ok(trial.begin())
}

/// What the formatter printed, or why that cannot be used.
fn printed(
    trial: &Trial,
    receipts: &[Receipt],
    artifacts: &Artifacts<'_>,
) -> Result<Result<String, String>, BoxError> {
    let command = trial.formatter.as_ref().map_or(String::new(), |argv| argv.join(" "));
    let Some(receipt) = receipts.first() else { return Ok(Err(format!("`{command}` was not run"))) };
    let text = artifacts.text(receipt.stdout.as_ref())?;
    Ok(match (receipt.ok(), text.is_empty()) {
        (false, _) => Err(format!("{}: {}", ended(&command, &receipt.status), first(&receipt.tail))),
        (true, true) => {
            Err(format!("`{command}` printed nothing; a formatter reads standard input and prints"))
        }
        (true, false) => Ok(text),
    })
}

/// Whether it is the receipt of a file, and not of a command.
fn is_file(receipt: &Receipt) -> bool {
    use orchestrator_core::order::Status;
    !matches!(receipt.status, Status::Exited(_) | Status::Signaled(_) | Status::TimedOut)
}

/// What is concluded where nothing is left to do.
fn at_rest(config: &TestGenerationConfig, trial: &Trial) -> Verdict<GeneratedTests> {
    let (path, n) = (&trial.path, cases(trial.generated.cases.len()));
    match &trial.stage {
        Stage::Conflict(why) => failed(config, trial, format!("`{path}`: {why}")),
        Stage::AlreadySo { edited } => {
            let edited = if *edited { ", with edits by hand" } else { "" };
            passed(config, trial, format!("already so: {n} in `{path}`{edited}"), false)
        }
        _ => {
            let what = match trial.generated.person.len() + trial.left_out.len() {
                0 => format!("`{}` has nothing that tests are generated for", config.target),
                1 => format!("no case could be made for `{}`; 1 thing in it needs a person", config.target),
                n => format!("no case could be made for `{}`; {n} things in it need a person", config.target),
            };
            failed(config, trial, format!("{what}; nothing was written"))
        }
    }
}

fn kept(config: &TestGenerationConfig, trial: &Trial, ran: bool) -> Verdict<GeneratedTests> {
    let (path, n) = (&trial.path, cases(trial.generated.cases.len()));
    let how = match &trial.runner {
        Ok(runner) if ran => format!("they pass under {}", runner.tool),
        Ok(runner) => format!("not run: {} did not start", runner.tool),
        Err(missing) => format!("not run: {missing}"),
    };
    passed(config, trial, format!("{n} in `{path}`; {how}"), ran)
}

fn passed(
    config: &TestGenerationConfig,
    trial: &Trial,
    mut summary: String,
    ran: bool,
) -> Verdict<GeneratedTests> {
    let needs_person = people(trial);
    if let Some(estimated) = config.estimated_cases {
        write!(summary, "; {estimated} were estimated").expect("a string takes everything");
    }
    if !needs_person.is_empty() {
        let (n, need) = (needs_person.len(), if needs_person.len() == 1 { "needs" } else { "need" });
        write!(summary, "; {n} {need} a person").expect("a string takes everything");
    }
    let (cases, people) = (trial.generated.cases.clone(), needs_person.len());
    let metric =
        |name: &str, n: usize| Metric::new(name, n as f64, "count", Evidence::of(TestGeneration::NAME));
    let metrics = [metric("tests.generated", cases.len()), metric("tests.needs_person", people)];
    let findings = findings(config, &needs_person);
    let test_file = trial.path.clone();
    let output = GeneratedTests { test_file, cases, needs_person, ran, estimated: config.estimated_cases };
    Verdict::Passed(Conclusion::new(summary, output).metrics(metrics).findings(findings))
}

fn failed(config: &TestGenerationConfig, trial: &Trial, why: String) -> Verdict<GeneratedTests> {
    Verdict::Failed(Conclusion::new(why, ()).findings(findings(config, &people(trial))))
}

fn people(trial: &Trial) -> Vec<Person> {
    let sources = trial.generated.person.iter();
    let sources = sources.map(|it| Person { what: it.what.clone(), line: it.line, why: it.why.clone() });
    let out = trial.left_out.iter();
    sources.chain(out.map(|(what, why)| Person { what: what.clone(), line: 0, why: why.clone() })).collect()
}

fn findings(config: &TestGenerationConfig, people: &[Person]) -> Vec<Finding> {
    let finding = |Person { what, line, why }: &Person| {
        let message = format!("`{what}` needs a person: {why}");
        let line = Some(*line).filter(|line| *line > 0);
        Finding::new("needs-a-person", Severity::Note, message).at(config.target.as_str(), line)
    };
    people.iter().map(finding).collect()
}
