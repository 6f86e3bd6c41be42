//! `e2e_passing`: a command that tests the whole passes; its tests are counted where its runner is known.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, CommandLine, EnvValue, Run};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::Evidence;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ended::ended;
use crate::validation::{TestCounts, recognized, text};

/// Config of `e2e_passing`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct E2eConfig {
    /// The command: a list is argv, a string is a shell line.
    pub target: CommandLine,
    /// How far it reaches; a dry run performs it only if it `reads`.
    #[serde(default)]
    pub effect: Effect,
    /// Where to run it, relative to the root.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
    /// Environment variables besides the allow-list; `{secret: NAME}` for a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct E2eResult {
    /// The runner whose summary was found.
    pub runner: Option<String>,
    /// The counts; none where the output is of no known runner.
    pub tests: Option<TestCounts>,
}

/// Runs a command that tests the whole.
#[derive(Debug, Clone, Copy, Default)]
pub struct E2ePassing;

impl Agent for E2ePassing {
    const NAME: &'static str = "e2e_passing";
    const ABOUT: &'static str = "Runs the command that tests the whole and counts its tests";
    type Config = E2eConfig;
    type Output = E2eResult;

    async fn plan(&self, task: &Task<E2eConfig>, _: &Workspace) -> Result<Vec<Action>, BoxError> {
        let E2eConfig { target, effect, cwd, env } = &task.config;
        let empty = match target {
            CommandLine::Argv(argv) => argv.first().is_none_or(String::is_empty),
            CommandLine::Shell(line) => line.trim().is_empty(),
        };
        if empty {
            return Err("`target` is empty: give the command that tests the whole".into());
        }
        let mut run = Run::line(*effect, target.clone());
        run.cwd = cwd.clone();
        // Test runners neither watch nor ask where CI is set.
        run.env.insert("CI".into(), EnvValue::Plain("1".into()));
        run.env.insert("NO_COLOR".into(), EnvValue::Plain("1".into()));
        run.env.extend(env.clone());
        Ok(vec![run.into()])
    }

    fn conclude(
        &self,
        task: &Task<E2eConfig>,
        receipts: &[Receipt],
        artifacts: &Artifacts<'_>,
    ) -> Result<Verdict<E2eResult>, BoxError> {
        let command = task.config.target.to_string();
        let Some(receipt) = receipts.first() else {
            return Ok(Verdict::failed(format!("not measured: `{command}` was not run")));
        };
        let stdout = text::plain(&artifacts.text(receipt.stdout.as_ref())?);
        let stderr = text::plain(&artifacts.text(receipt.stderr.as_ref())?);
        let Some((runner, counts)) = recognized(&stdout, &stderr) else {
            if !receipt.ok() {
                return Ok(Verdict::failed(ended(&command, &receipt.status)));
            }
            let summary = format!("`{command}` passed; its tests are not counted: unknown runner");
            return Ok(Verdict::passed(summary, E2eResult { runner: None, tests: None }));
        };
        let output = receipt.stdout.as_ref().or(receipt.stderr.as_ref());
        let metrics = counts.metrics_of(&Evidence::of(runner).command(&command).artifact(output));
        let bad = counts.failed + counts.errors;
        let failed =
            |summary: String| Ok(Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics.clone())));
        if !receipt.ok() {
            let ended = ended(&command, &receipt.status);
            return failed(format!(
                "{ended}: {bad} of {} failed ({runner})",
                text::count(counts.ran(), "test")
            ));
        }
        if bad > 0 {
            return failed(format!(
                "`{command}` ended well, and yet {bad} of {} failed ({runner})",
                text::count(counts.ran(), "test")
            ));
        }
        if counts.ran() == 0 {
            return failed(format!("no test ran ({runner}): `{command}` tested nothing"));
        }
        let summary = format!("{} passed ({runner})", text::count(counts.passed, "test"));
        let output = E2eResult { runner: Some(runner.to_owned()), tests: Some(counts) };
        Ok(Verdict::Passed(Conclusion::new(summary, output).metrics(metrics)))
    }
}
