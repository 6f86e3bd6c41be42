//! `cargo-build`: builds, and says which programs came of it.

use std::collections::BTreeMap;

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
    /// Config of `cargo-build`.
    CargoBuildConfig {
        /// The profile: `dev`, `release` or one of the manifest's own.
        profile: String = "dev".into(),
        /// Build every package of the workspace.
        workspace: bool = true,
    }
}

/// What `cargo-build` gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Built {
    /// Programs that were built.
    pub executables: Vec<Executable>,
    /// Where each lies, by the name of its target: `{from: TASK/programs/NAME}`.
    #[serde(default)]
    pub programs: BTreeMap<String, String>,
    /// The profile that they were built with.
    pub profile: String,
    /// Warnings of the compiler.
    pub warnings: u64,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Executable {
    /// Name of its target.
    pub name: String,
    /// Where it is: relative to the root, or absolute where the target folder lies outside of it.
    pub path: String,
}

/// Builds with Cargo.
#[derive(Debug, Clone, Copy, Default)]
pub struct CargoBuild;

impl Tool for CargoBuild {
    const NAME: &'static str = "cargo-build";
    const ABOUT: &'static str = "Builds with Cargo; gives the programs that were built";
    const TOOL: &'static str = "cargo build";
    const PRINTS_ROOT: bool = true;
    type Config = CargoBuildConfig;
    type Output = Built;

    fn wants(&self, _: &CargoBuildConfig) -> Wants {
        cargo()
    }

    /// Its purpose is what it makes.
    fn depends_on(&self, _: &CargoBuildConfig) -> Option<Dependencies> {
        None
    }

    fn effect(&self, config: &CargoBuildConfig, look: &Workspace) -> Effect {
        super::effect(&config.cwd, look)
    }

    fn argv(&self, config: &CargoBuildConfig) -> Vec<String> {
        argv(&["build", "--profile", &config.profile], config.workspace, &config.args)
    }

    fn env(&self) -> &'static [(&'static str, &'static str)] {
        super::ENV
    }

    fn read(&self, config: &CargoBuildConfig, ran: &Ran<'_>) -> Verdict<Built> {
        let messages = Messages::of(ran);
        let (warnings, errors) = (messages.count(Severity::Warning), messages.count(Severity::Error));
        if !ran.ok() {
            let summary = match errors {
                0 => ran.why(),
                n => format!("the build failed with {}", text::count(n, "error")),
            };
            let metrics = [ran.metric("build.errors", errors), ran.metric("build.warnings", warnings)];
            let metrics = metrics.into_iter().filter(|_| messages.success.is_some());
            return Verdict::Failed(
                Conclusion::new(summary, ()).metrics(metrics).findings(messages.findings),
            );
        }
        if ran.is_cut() || messages.broken > 0 || messages.success.is_none() {
            return Verdict::failed(format!(
                "{}, but what it built is not known: its output is not whole",
                ran.ended()
            ));
        }
        let executables: Vec<Executable> = messages
            .executables
            .into_iter()
            .map(|(name, path)| Executable { name, path: ran.relative(&path) })
            .collect();
        let programs = executables.iter().map(|found| (found.name.clone(), found.path.clone())).collect();
        let n = executables.len() as u64;
        let summary = match warnings {
            0 => format!("{} built", text::count(n, "program")),
            w => format!("{} built, {}", text::count(n, "program"), text::count(w, "warning")),
        };
        let metrics = [ran.metric("build.executables", n), ran.metric("build.warnings", warnings)];
        let output = Built { executables, programs, profile: config.profile.clone(), warnings };
        Verdict::Passed(Conclusion::new(summary, output).metrics(metrics).findings(messages.findings))
    }
}
