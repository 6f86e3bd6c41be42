//! `npm-script`: runs a script of `package.json`, and counts tests where a known runner summed them up.

use orchestrator_core::action::EnvValue;
use orchestrator_core::agent::{Conclusion, Dependencies, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::Manager;
use super::runners::{self, Found};
use crate::validation::config::{AsCommon, Common};
use crate::validation::counts::{Read, TestCounts, Tests};
use crate::validation::ran::Ran;
use crate::validation::tool::{Tool, Wants, everything, is_check};

/// Config of `npm-script`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NpmScriptConfig {
    /// The script, as `package.json` names it.
    pub script: String,
    /// Which package manager.
    #[serde(default)]
    pub manager: Manager,
    /// How far it reaches; a script that changes files which git sees must say `writes`.
    #[serde(default = "reads")]
    pub effect: Effect,
    /// It runs tests: say so where they cannot be counted.
    #[serde(default)]
    pub tests: bool,
    /// Fail where no test ran.
    #[serde(default)]
    pub require_tests: bool,
    /// Where to run it, relative to the root.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
    /// Arguments for the script.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Environment variables besides the allow-list; `{secret: NAME}` for a secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
}

fn reads() -> Effect {
    Effect::Reads
}

impl NpmScriptConfig {
    /// A script that npm runs in a folder.
    pub fn new(script: impl Into<String>, manager: Manager, cwd: RelPath) -> Self {
        let (args, env) = (Vec::new(), BTreeMap::new());
        let script = script.into();
        Self { script, manager, effect: Effect::Reads, tests: false, require_tests: false, cwd, args, env }
    }
}

impl AsCommon for NpmScriptConfig {
    fn common(&self) -> Common<'_> {
        let Self { cwd, args, env, .. } = self;
        Common { cwd, args, env }
    }
}

/// What `npm-script` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scripted {
    /// The runner whose summary was found.
    pub runner: Option<String>,
    /// The counts; none where they were not measured.
    pub tests: Option<TestCounts>,
    /// Why the counts were not measured, for a script that runs tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
}

/// Runs a script of `package.json`.
#[derive(Debug, Clone, Copy, Default)]
pub struct NpmScript;

impl Tool for NpmScript {
    const NAME: &'static str = "npm-script";
    const ABOUT: &'static str =
        "Runs a script of package.json with npm, pnpm or yarn; counts tests of known runners";
    const TOOL: &'static str = "npm run";
    type Config = NpmScriptConfig;
    type Output = Scripted;

    fn wants(&self, config: &NpmScriptConfig) -> Wants {
        config.manager.wants()
    }

    /// What checks and says so by its name; a script that makes something is not reused.
    fn depends_on(&self, config: &NpmScriptConfig) -> Option<Dependencies> {
        if config.effect > Effect::Reads || !(config.tests || is_check(&config.script)) {
            return None;
        }
        let mut all = everything(config.manager.program(), &config.cwd);
        // What is installed; it is ignored, so it is named.
        all.files.extend(config.cwd.join("node_modules/.package-lock.json").map(|lock| lock.to_string()));
        all.tools.push("node".into());
        Some(all)
    }

    fn argv(&self, config: &NpmScriptConfig) -> Vec<String> {
        let mut argv = vec![config.manager.program().to_owned(), "run".into(), config.script.clone()];
        if !config.args.is_empty() && config.manager == Manager::Npm {
            argv.push("--".into());
        }
        argv.extend_from_slice(&config.args);
        argv
    }

    fn effect(&self, config: &NpmScriptConfig, _look: &Workspace) -> Effect {
        config.effect
    }

    // Test runners neither watch nor ask where CI is set.
    fn env(&self) -> &'static [(&'static str, &'static str)] {
        &[("CI", "1")]
    }

    fn read(&self, config: &NpmScriptConfig, ran: &Ran<'_>) -> Verdict<Scripted> {
        let found = runners::find(&ran.stdout, &ran.stderr);
        let Some(found) = found else {
            if !ran.ok() {
                return ran.failed(Vec::new());
            }
            let why = "unknown runner".to_owned();
            return match (config.require_tests, config.tests) {
                (true, _) => Verdict::failed(format!("counts not measured: {why}")),
                (false, true) => Verdict::passed(
                    format!("`{}` ended well; counts not measured: {why}", config.script),
                    Scripted { not_measured: Some(why), ..Scripted::default() },
                ),
                (false, false) => {
                    Verdict::passed(format!("`{}` ended well", config.script), Scripted::default())
                }
            };
        };
        let Found { runner, counts, failures, on_stderr } = found;
        let mut read = Read::new(counts, failures);
        read.on_stderr = on_stderr;
        match read.verdict(ran, config.require_tests) {
            Verdict::Passed(Conclusion { output, summary, metrics, findings }) => {
                let runner = Some(runner.to_owned());
                let output =
                    output.map(|Tests { tests, not_measured }| Scripted { runner, tests, not_measured });
                Verdict::Passed(Conclusion { output, summary, metrics, findings })
            }
            Verdict::Failed(conclusion) => Verdict::Failed(conclusion),
            Verdict::Skipped(conclusion) => Verdict::Skipped(conclusion),
            Verdict::More { actions, carried } => Verdict::More { actions, carried },
        }
    }
}
