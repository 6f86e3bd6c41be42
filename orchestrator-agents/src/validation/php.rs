//! PHP: scripts of `composer.json`, and `PHPUnit`.

use std::collections::BTreeMap;

use orchestrator_core::action::EnvValue;
use orchestrator_core::agent::{Dependencies, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::{AsCommon, Common, tool_config};
use super::counts::{FailedTest, Read, TestCounts, Tests};
use super::ran::Ran;
use super::tool::{Tool, Wants, everything, is_check};

/// Config of `composer-script`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComposerScriptConfig {
    /// The script, as `composer.json` names it.
    pub script: String,
    /// How far it reaches; a script that changes files which git sees must say `writes`.
    #[serde(default = "reads")]
    pub effect: Effect,
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

impl AsCommon for ComposerScriptConfig {
    fn common(&self) -> Common<'_> {
        let Self { cwd, args, env, .. } = self;
        Common { cwd, args, env }
    }
}

/// What `composer-script` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Composed {
    /// The script that ended well.
    pub script: String,
}

/// The whole tree, PHP, and what is installed; that is ignored, so it is named.
fn depends_on(program: &str, cwd: &RelPath) -> Dependencies {
    let mut all = everything(program, cwd);
    all.files.extend(cwd.join("vendor/composer/installed.json").map(|installed| installed.to_string()));
    all.tools.push("php".into());
    all
}

/// Runs a script of `composer.json`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ComposerScript;

impl Tool for ComposerScript {
    const NAME: &'static str = "composer-script";
    const ABOUT: &'static str = "Runs a script of composer.json";
    const TOOL: &'static str = "composer run-script";
    type Config = ComposerScriptConfig;
    type Output = Composed;

    fn wants(&self, _: &ComposerScriptConfig) -> Wants {
        Wants::new("composer", "see https://getcomposer.org")
    }

    /// What checks and says so by its name; a script that makes something is not reused.
    fn depends_on(&self, config: &ComposerScriptConfig) -> Option<Dependencies> {
        let checks = config.effect == Effect::Reads && is_check(&config.script);
        checks.then(|| depends_on("composer", &config.cwd))
    }

    fn argv(&self, config: &ComposerScriptConfig) -> Vec<String> {
        let mut argv: Vec<String> =
            ["composer", "--no-interaction", "run-script", "--no-ansi"].map(Into::into).into();
        argv.push(config.script.clone());
        if !config.args.is_empty() {
            argv.push("--".into());
            argv.extend_from_slice(&config.args);
        }
        argv
    }

    fn effect(&self, config: &ComposerScriptConfig, _look: &Workspace) -> Effect {
        config.effect
    }

    fn read(&self, config: &ComposerScriptConfig, ran: &Ran<'_>) -> Verdict<Composed> {
        if ran.ok() {
            let script = config.script.clone();
            Verdict::passed(format!("`{script}` ended well"), Composed { script })
        } else {
            ran.failed(Vec::new())
        }
    }
}

tool_config! {
    /// Config of `phpunit`.
    PhpunitConfig {
        /// Where `PHPUnit` is.
        phpunit: String = "vendor/bin/phpunit".into(),
        /// Fail where no test ran.
        require_tests: bool = false,
    }
}

/// Runs `PHPUnit`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Phpunit;

impl Tool for Phpunit {
    const NAME: &'static str = "phpunit";
    const ABOUT: &'static str = "Runs PHPUnit and counts the tests";
    const TOOL: &'static str = "phpunit";
    type Config = PhpunitConfig;
    type Output = Tests;

    fn wants(&self, config: &PhpunitConfig) -> Wants {
        Wants::new(&config.phpunit, "composer install")
    }

    fn depends_on(&self, config: &PhpunitConfig) -> Option<Dependencies> {
        Some(depends_on(&config.phpunit, &config.cwd))
    }

    fn argv(&self, config: &PhpunitConfig) -> Vec<String> {
        let argv = [config.phpunit.as_str(), "--colors=never", "--do-not-cache-result"];
        argv.iter().map(|&word| word.to_owned()).chain(config.args.iter().cloned()).collect()
    }

    fn read(&self, config: &PhpunitConfig, ran: &Ran<'_>) -> Verdict<Tests> {
        let Some(counts) = counts(&ran.stdout) else {
            return Read::nothing("PHPUnit printed no summary").verdict(ran, config.require_tests);
        };
        // `1) App\FooTest::testBar` heads each failed test.
        let failed = ran.stdout.lines().filter_map(|line| {
            let (n, name) = line.split_once(") ")?;
            (n.parse::<u64>().is_ok() && name.contains("::")).then(|| name.to_owned())
        });
        let mut failures: Vec<_> = failed.map(|name| FailedTest { name, ..FailedTest::default() }).collect();
        failures.truncate((counts.failed + counts.errors) as usize);
        let mut read = Read::new(counts, failures);
        // PHPUnit 10 and later end with 1 where there is no test, earlier ones with 0.
        read.none = Some(1);
        read.verdict(ran, config.require_tests)
    }
}

/// `OK (3 tests, 4 assertions)`, `Tests: 3, Assertions: 4, Errors: 1, Failures: 1, Skipped: 1.`, `No tests executed!`.
fn counts(stdout: &str) -> Option<TestCounts> {
    let number = |text: &str| text.trim().trim_end_matches('.').parse::<u64>().ok();
    for line in stdout.lines().rev() {
        if let Some(rest) = line.strip_prefix("OK (") {
            let passed = number(rest.split(' ').next()?)?;
            return Some(TestCounts { passed, ..TestCounts::default() });
        }
        if line.starts_with("No tests executed!") {
            return Some(TestCounts::default());
        }
        if line.starts_with("Tests: ") {
            let of = |what: &str| {
                let named = line.split(", ").find_map(|part| part.strip_prefix(what)?.strip_prefix(": "));
                named.and_then(number).unwrap_or(0)
            };
            let (failed, errors) = (of("Failures"), of("Errors"));
            let ignored = of("Skipped") + of("Incomplete");
            let passed = of("Tests").saturating_sub(failed + errors + ignored);
            return Some(TestCounts { passed, failed, ignored, errors, ..TestCounts::default() });
        }
    }
    None
}
