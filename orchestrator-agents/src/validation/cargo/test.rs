//! `cargo-test`: builds and runs the tests; a build that failed is told apart from tests that failed.

use orchestrator_core::agent::{Conclusion, Dependencies, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::Severity;
use orchestrator_core::workspace::Workspace;

use super::libtest::Sections;
use super::messages::Messages;
use super::{Wants, argv, cargo};
use crate::validation::config::tool_config;
use crate::validation::counts::{Read, Tests};
use crate::validation::ran::Ran;
use crate::validation::text;
use crate::validation::tool::Tool;

tool_config! {
    /// Config of `cargo-test`. Arguments for the test binaries come after `--` in `args`.
    CargoTestConfig {
        /// Test every package of the workspace.
        workspace: bool = true,
        /// Fail where no test ran.
        require_tests: bool = false,
    }
}

/// Runs the tests of a Cargo project.
#[derive(Debug, Clone, Copy, Default)]
pub struct CargoTest;

impl Tool for CargoTest {
    const NAME: &'static str = "cargo-test";
    const ABOUT: &'static str = "Runs the tests of a Cargo project, doctests included, and counts them";
    const TOOL: &'static str = "cargo test";
    type Config = CargoTestConfig;
    type Output = Tests;

    fn wants(&self, _: &CargoTestConfig) -> Wants {
        cargo()
    }

    fn effect(&self, config: &CargoTestConfig, look: &Workspace) -> Effect {
        super::effect(&config.cwd, look)
    }

    fn depends_on(&self, config: &CargoTestConfig) -> Option<Dependencies> {
        Some(super::depends_on(&self.wants(config).program, &config.cwd))
    }

    fn argv(&self, config: &CargoTestConfig) -> Vec<String> {
        argv(&["test", "--no-fail-fast"], config.workspace, &config.args)
    }

    fn env(&self) -> &'static [(&'static str, &'static str)] {
        super::ENV
    }

    fn read(&self, config: &CargoTestConfig, ran: &Ran<'_>) -> Verdict<Tests> {
        let messages = Messages::of(ran);
        if messages.success != Some(true) && !ran.ok() {
            return not_built(ran, messages);
        }
        let mut sections = Sections::of(&ran.stdout);
        for failure in &mut sections.failures {
            if let Some((file, _)) = &mut failure.place {
                *file = ran.relative(file);
            }
        }
        if sections.begun == 0 {
            return Read::nothing("no test harness said how many tests it ran")
                .verdict(ran, config.require_tests);
        }
        let dead = sections.begun - sections.ended;
        let mut read = Read::new(sections.counts, sections.failures);
        if dead > 0 {
            let why = ran.stderr.lines().map(str::trim).find_map(|line| {
                let (_, why) = line.strip_prefix("process didn't exit successfully: ")?.rsplit_once("` ")?;
                Some(format!(" {why}"))
            });
            let whole = text::count(sections.begun, "test binary").replace("binarys", "binaries");
            read.torn = Some(format!("{dead} of {whole} ended without a result{}", why.unwrap_or_default()));
        }
        read.verdict(ran, config.require_tests)
    }
}

/// The build failed, or cargo did not get that far; no test ran.
fn not_built(ran: &Ran<'_>, messages: Messages) -> Verdict<Tests> {
    match messages.count(Severity::Error) {
        0 => ran.failed(messages.findings),
        n => {
            let summary = format!("the build failed with {}: no test ran", text::count(n, "error"));
            let metric = ran.metric("build.errors", n);
            Verdict::Failed(Conclusion::new(summary, ()).metrics([metric]).findings(messages.findings))
        }
    }
}
