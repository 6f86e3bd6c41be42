//! `ruff`: what the linter finds; `ruff-format`: is every file as it formats it?

use orchestrator_core::action::Run;
use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::settings::Remedies;
use serde::Deserialize;

use crate::environment::remedy::Remedy;
use crate::validation::cargo::{Formatted, Linted};
use crate::validation::config::tool_config;
use crate::validation::ran::Ran;
use crate::validation::text;
use crate::validation::tool::{Tool, Wants};

tool_config! {
    /// Config of `ruff`.
    RuffConfig {
        /// The program and its first arguments, such as `[uv, run, ruff]`.
        ruff: Vec<String> = vec!["ruff".into()],
    }
}

/// Runs `ruff check`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ruff;

tool_config! {
    /// Config of `ruff-format`.
    RuffFormatConfig {
        /// The program and its first arguments, such as `[uv, run, ruff]`.
        ruff: Vec<String> = vec!["ruff".into()],
        /// What happens to files that are not formatted: they are, a person is asked, or nothing.
        remedy: Remedies = Remedies::Auto,
    }
}

/// Runs `ruff format --check`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuffFormat;

/// Format: <https://docs.astral.sh/ruff/settings/#output-format>, `json`.
#[derive(Deserialize)]
struct Violation {
    code: Option<String>,
    message: String,
    filename: String,
    location: Option<Location>,
}

#[derive(Deserialize)]
struct Location {
    row: u32,
    column: u32,
}

impl Tool for Ruff {
    const NAME: &'static str = "ruff";
    const ABOUT: &'static str = "Runs ruff's linter and reads its findings";
    const TOOL: &'static str = "ruff";
    const PRINTS_ROOT: bool = true;
    type Config = RuffConfig;
    type Output = Linted;

    fn wants(&self, config: &RuffConfig) -> Wants {
        Wants::new(config.ruff.first().map_or("ruff", String::as_str), "python3 -m pip install ruff")
    }

    fn argv(&self, config: &RuffConfig) -> Vec<String> {
        let mut argv = config.ruff.clone();
        argv.extend(["check".into(), "--output-format=json".into(), "--no-fix".into()]);
        argv.extend_from_slice(&config.args);
        argv
    }

    fn env(&self) -> &'static [(&'static str, &'static str)] {
        &[("RUFF_NO_CACHE", "true")]
    }

    fn read(&self, _: &RuffConfig, ran: &Ran<'_>) -> Verdict<Linted> {
        let violations: Vec<Violation> = match serde_json::from_str(&ran.stdout) {
            Ok(violations) => violations,
            Err(_) if !ran.ok() => return ran.failed(Vec::new()),
            Err(error) => {
                return Verdict::failed(format!("{}, but its output is not whole: {error}", ran.ended()));
            }
        };
        let findings: Vec<Finding> = violations
            .into_iter()
            .map(|Violation { code, message, filename, location }| {
                let rule = code.unwrap_or_else(|| "invalid-syntax".into());
                let finding = Finding::new(rule, Severity::Error, text::line(&message));
                let mut finding = finding.at(ran.relative(&filename), location.as_ref().map(|at| at.row));
                finding.column = location.map(|at| at.column);
                finding
            })
            .collect();
        let errors = findings.len() as u64;
        let metrics = [ran.metric("lint.errors", errors)];
        if ran.ok() {
            // Nothing to look at is no clean result: ruff says so on standard error and exits with 0.
            let none = ran.stderr.lines().find(|line| line.contains("No Python files found"));
            if none.is_some() {
                return Verdict::Passed(Conclusion {
                    summary: "not run: there is no Python file".into(),
                    ..Conclusion::default()
                });
            }
            let summary = if errors == 0 { "no findings".to_owned() } else { text::count(errors, "finding") };
            let output = Linted { warnings: 0, errors };
            return Verdict::Passed(Conclusion::new(summary, output).metrics(metrics).findings(findings));
        }
        if findings.is_empty() {
            return ran.failed(findings);
        }
        let summary = text::count(errors, "finding");
        Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics).findings(findings))
    }
}

impl Tool for RuffFormat {
    const NAME: &'static str = "ruff-format";
    const ABOUT: &'static str = "Checks that Python sources are formatted; formats them where it may";
    const TOOL: &'static str = "ruff format";
    type Config = RuffFormatConfig;
    type Output = Formatted;

    fn wants(&self, config: &RuffFormatConfig) -> Wants {
        Wants::new(config.ruff.first().map_or("ruff", String::as_str), "python3 -m pip install ruff")
    }

    fn argv(&self, config: &RuffFormatConfig) -> Vec<String> {
        format_argv(config, &["--check"])
    }

    fn env(&self) -> &'static [(&'static str, &'static str)] {
        &[("RUFF_NO_CACHE", "true")]
    }

    /// The exit code is 1 where a file would be formatted, 2 where one cannot be read.
    fn read(&self, _: &RuffFormatConfig, ran: &Ran<'_>) -> Verdict<Formatted> {
        match ran.code() {
            Some(0) => Verdict::passed("every file is formatted", Formatted::default()),
            Some(1) => Verdict::failed("files are not formatted"),
            _ => ran.failed(Vec::new()),
        }
    }

    fn remedies(&self, config: &RuffFormatConfig) -> Remedies {
        config.remedy
    }

    fn remedy(&self, config: &RuffFormatConfig, ran: &Ran<'_>) -> Option<Remedy> {
        let mut run = Run::new(Effect::Writes, format_argv(config, &["--quiet"]));
        run.cwd.clone_from(&config.cwd);
        run.env.clone_from(&config.env);
        let remedy = Remedy::new("format the sources", "the sources were formatted", vec![run.into()]);
        (ran.code() == Some(1)).then_some(remedy)
    }
}

fn format_argv(config: &RuffFormatConfig, flags: &[&str]) -> Vec<String> {
    let words = ["format"].into_iter().chain(flags.iter().copied()).map(str::to_owned);
    config.ruff.iter().cloned().chain(words).chain(config.args.iter().cloned()).collect()
}
