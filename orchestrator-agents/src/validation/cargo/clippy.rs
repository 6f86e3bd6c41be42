//! `cargo-clippy`: what the linter finds.

use orchestrator_core::agent::{Conclusion, Dependencies, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::Severity;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::messages::Messages;
use super::{Wants, argv, cargo};
use crate::validation::config::tool_config;
use crate::validation::ran::Ran;
use crate::validation::text;
use crate::validation::tool::Tool;

tool_config! {
    /// Config of `cargo-clippy`.
    CargoClippyConfig {
        /// Fail on warnings. Read from the findings and not passed as `-D warnings`, which would stop at the first crate.
        deny_warnings: bool = true,
        /// Look at every package of the workspace.
        workspace: bool = true,
        /// Look at tests, examples and benches too.
        all_targets: bool = true,
    }
}

/// What a linter gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Linted {
    /// Warnings.
    pub warnings: u64,
    /// Errors.
    pub errors: u64,
}

/// Runs clippy.
#[derive(Debug, Clone, Copy, Default)]
pub struct CargoClippy;

impl Tool for CargoClippy {
    const NAME: &'static str = "cargo-clippy";
    const ABOUT: &'static str = "Runs clippy and reads its findings";
    const TOOL: &'static str = "cargo clippy";
    type Config = CargoClippyConfig;
    type Output = Linted;

    fn wants(&self, _: &CargoClippyConfig) -> Wants {
        Wants { program: "cargo-clippy".into(), install: "rustup component add clippy", ..cargo() }
            .called("cargo clippy")
    }

    fn effect(&self, config: &CargoClippyConfig, look: &Workspace) -> Effect {
        super::effect(&config.cwd, look)
    }

    fn depends_on(&self, config: &CargoClippyConfig) -> Option<Dependencies> {
        Some(super::depends_on(&self.wants(config).program, &config.cwd))
    }

    fn argv(&self, config: &CargoClippyConfig) -> Vec<String> {
        let targets = config.all_targets.then_some("--all-targets");
        let command: Vec<&str> = ["clippy"].into_iter().chain(targets).collect();
        argv(&command, config.workspace, &config.args)
    }

    fn env(&self) -> &'static [(&'static str, &'static str)] {
        super::ENV
    }

    fn read(&self, config: &CargoClippyConfig, ran: &Ran<'_>) -> Verdict<Linted> {
        let messages = Messages::of(ran);
        let (warnings, errors) = (messages.count(Severity::Warning), messages.count(Severity::Error));
        if ran.is_cut() || messages.broken > 0 || messages.success.is_none() {
            if !ran.ok() {
                return ran.failed(messages.findings);
            }
            return Verdict::failed(format!("{}, but its output is not whole: not linted", ran.ended()));
        }
        let metrics = [ran.metric("lint.warnings", warnings), ran.metric("lint.errors", errors)];
        let summary = match (errors, warnings) {
            (0, 0) if ran.ok() => "no warnings".to_owned(),
            (0, 0) => ran.why(),
            (0, _) => text::count(warnings, "warning"),
            (_, 0) => text::count(errors, "error"),
            _ => format!("{}, {}", text::count(errors, "error"), text::count(warnings, "warning")),
        };
        if ran.ok() && errors == 0 && (warnings == 0 || !config.deny_warnings) {
            let output = Linted { warnings, errors };
            let conclusion = Conclusion::new(summary, output);
            return Verdict::Passed(conclusion.metrics(metrics).findings(messages.findings));
        }
        Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics).findings(messages.findings))
    }
}
