//! `check-tool`: is a program installed, and new enough?

use orchestrator_core::BoxError;
use orchestrator_core::action::Action;
use orchestrator_core::agent::{Conclusion, Dependencies, Fact};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::probe::{Answers, Probe, looks};
use super::remedy::Found;
use super::requirement::{Dialect, Requirement};
use super::system::System;
use super::tools::{self, Known};
use super::version::Version;
use crate::validation::ran::Ran;

/// Checks that a program is installed and new enough. Knows no remedy: installing programs is not its to do.
#[derive(Debug, Clone, Copy, Default)]
pub struct CheckTool;

/// Config of `check-tool`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckToolConfig {
    /// The program: `python`, `node`, `npm`, `php`, `go`, `rustc`, `git`, ..., or any that answers `--version`.
    pub tool: String,
    /// The oldest version that will do, in quotes: `"3.11"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Version>,
    /// The range of versions that the project asks for, as its manifest writes it: `>=3.9,<4`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires: Option<String>,
    /// Where that range stands, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<String>,
    /// How to install it, where you know better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<String>,
    /// Where to ask for the version, relative to the root: version managers answer by folder.
    #[serde(default, skip_serializing_if = "RelPath::is_root")]
    pub cwd: RelPath,
}

impl CheckToolConfig {
    /// Any version of a program.
    pub fn new(tool: impl Into<String>) -> Self {
        let (minimum, requires, declared, install) = (None, None, None, None);
        Self { tool: tool.into(), minimum, requires, declared, install, cwd: RelPath::root() }
    }

    fn known(&self) -> Option<&'static Known> {
        tools::find(&self.tool)
    }

    fn called(&self) -> &str {
        self.known().filter(|known| known.name == self.tool).map_or(&self.tool, |known| known.called)
    }

    /// The programs that may be asked: the named one, or those that go by that name.
    fn programs(&self) -> Vec<&str> {
        match self.known() {
            Some(known) if known.name == self.tool => known.programs.to_vec(),
            _ => vec![&self.tool],
        }
    }

    /// The one to ask: of several, the first that answers.
    fn program(&self, look: &Workspace) -> String {
        let programs = self.programs();
        let several = programs.len() > 1;
        let found = programs.iter().find(|program| several && look.tool_version(program).is_some());
        found.or(programs.first()).map_or_else(|| self.tool.clone(), |program| (*program).to_owned())
    }

    /// A program that is not known may do anything when it is started, whatever its arguments. Where no version is wanted,
    /// it is not.
    fn is_only_looked_for(&self) -> bool {
        self.known().is_none() && self.minimum.is_none() && self.requires.is_none()
    }

    /// What to install and how.
    fn install(&self, system: System) -> String {
        let wanted = match (&self.minimum, &self.requires) {
            (Some(minimum), _) => format!(" {minimum} or later"),
            (None, Some(range)) => format!(" {range}"),
            (None, None) => String::new(),
        };
        let how = match (&self.install, self.known()) {
            (Some(how), _) => format!(": {how}"),
            (None, Some(known)) => format!(": {}", known.install(system.is_macos())),
            (None, None) => " so that it is found on `PATH`".to_owned(),
        };
        format!("install {}{wanted}{how}", self.called())
    }
}

/// What `check-tool` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ToolFound {
    /// The program that answered.
    pub program: String,
    /// Its version; none where it does not say one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

/// Which program is asked, and where.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ToolSeen {
    #[serde(flatten)]
    system: System,
    program: String,
}

impl Probe for CheckTool {
    const NAME: &'static str = "check-tool";
    const ABOUT: &'static str = "Checks that a program is installed and new enough";
    type Config = CheckToolConfig;
    type Output = ToolFound;
    type Seen = ToolSeen;

    fn depends_on(&self, config: &CheckToolConfig) -> Option<Dependencies> {
        // A program that is not known is never asked for its version.
        let manager =
            matches!(config.tool.as_str(), "npm" | "pnpm" | "yarn" | "uv" | "poetry" | "pip" | "composer");
        let fact = Some(if manager { Fact::PackageManager } else { Fact::Toolchain });
        let tools = config.programs().into_iter().map(str::to_owned).collect();
        (!config.is_only_looked_for()).then(|| Dependencies { tools, fact, ..Dependencies::default() })
    }

    fn see(&self, config: &CheckToolConfig, look: &Workspace) -> Result<ToolSeen, BoxError> {
        Ok(ToolSeen { system: System::here(), program: config.program(look) })
    }

    fn actions(&self, config: &CheckToolConfig, seen: &ToolSeen) -> Result<Vec<Action>, BoxError> {
        // `go` only knows `go version`.
        let flag = if config.tool == "go" { "version" } else { "--version" };
        if config.tool.trim().is_empty() || config.tool.starts_with('-') {
            return Err(format!("`{}` is not the name of a program", config.tool).into());
        }
        if config.is_only_looked_for() {
            return Ok(vec![looks(["sh", "-c", "command -v -- \"$1\"", "sh", &config.tool], &config.cwd)]);
        }
        Ok(vec![looks([seen.program.as_str(), flag], &config.cwd)])
    }

    fn read(
        &self,
        config: &CheckToolConfig,
        seen: &ToolSeen,
        answers: &Answers<'_>,
    ) -> Result<Found<ToolFound>, BoxError> {
        let ToolSeen { system, program } = seen;
        let ran = answers.ran(0, program)?;
        if config.is_only_looked_for() {
            return Ok(looked_for(config, *system, &ran));
        }
        if !ran.ok() {
            let (called, install) = (config.called(), config.install(*system));
            let message = format!("{called} is not installed, or does not run: {install}");
            let finding = Finding::new("missing-tool", Severity::Error, format!("{message} ({})", ran.why()));
            return Ok(Found::bad(message, [finding]));
        }
        let known = config.known();
        let read =
            |printed: &str| known.map_or_else(|| tools::guess(printed), |known| known.version(printed));
        // Python 2 says it on standard error.
        let version = read(&ran.stdout).or_else(|| read(&ran.stderr));
        Ok(judged(config, *system, program, version, &ran))
    }
}

/// Whether a program of which nothing more is wanted is there.
fn looked_for(config: &CheckToolConfig, system: System, ran: &Ran<'_>) -> Found<ToolFound> {
    let tool = &config.tool;
    match ran.code() {
        Some(0) => {
            let output = ToolFound { program: ran.stdout.trim().to_owned(), version: None };
            Found::Good(Conclusion::new(format!("{tool} is there"), output))
        }
        Some(_) => {
            let message = format!("{tool} is not installed: {}", config.install(system));
            Found::bad(&message, [Finding::new("missing-tool", Severity::Error, message.clone())])
        }
        None => Found::bad(ran.why(), []),
    }
}

/// Whether a program that answered is the one that is wanted.
fn judged(
    config: &CheckToolConfig,
    system: System,
    program: &str,
    version: Option<Version>,
    ran: &Ran<'_>,
) -> Found<ToolFound> {
    let (called, install) = (config.called(), || config.install(system));
    let bad = |rule: &str, message: String| {
        Found::bad(&message, [Finding::new(rule, Severity::Error, message.clone())])
    };
    let dialect = config.known().map_or(Dialect::Npm, Known::dialect);
    let declared = config.declared.as_deref().unwrap_or("the project");
    let mut findings = Vec::new();
    let range = config.requires.as_deref().and_then(|range| match Requirement::parse(range, dialect) {
        Some(requirement) => Some((range, requirement)),
        None => {
            let message = format!(
                "not run: {declared} asks for {called} `{range}`, which is no range that is understood"
            );
            findings.push(Finding::new("not-run", Severity::Warning, message));
            None
        }
    });
    let Some(version) = version else {
        if config.minimum.is_some() || range.is_some() {
            let said = ran.stdout.lines().chain(ran.stderr.lines()).find(|line| !line.trim().is_empty());
            let said = said.map_or_else(
                || "nothing".to_owned(),
                |line| format!("`{}`", crate::validation::text::line(line)),
            );
            return bad(
                "unknown-version",
                format!("{called} does not say its version but {said}: {}", install()),
            );
        }
        let output = ToolFound { program: program.to_owned(), version };
        let conclusion = Conclusion::new(format!("{called} is there; it says no version"), output);
        return Found::Good(conclusion.findings(findings));
    };
    if let Some(minimum) = config.minimum.as_ref().filter(|minimum| version < **minimum) {
        let message = format!("{called} {version} is too old, {minimum} or later is wanted: {}", install());
        return bad("old-tool", message);
    }
    if let Some((range, _)) = range.as_ref().filter(|(_, requirement)| !requirement.holds(&version)) {
        let message = format!("{called} {version} is not what {declared} asks for, `{range}`: {}", install());
        return bad("wrong-tool", message);
    }
    let summary = format!("{called} {version}");
    let output = ToolFound { program: program.to_owned(), version: Some(version) };
    Found::Good(Conclusion::new(summary, output).findings(findings))
}
