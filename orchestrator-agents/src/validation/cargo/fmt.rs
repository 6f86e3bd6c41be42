//! `cargo-fmt`: is every file as rustfmt writes it?

use std::collections::BTreeMap;

use orchestrator_core::action::Run;
use orchestrator_core::agent::{Conclusion, Dependencies, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::settings::Remedies;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Wants, cargo};
use crate::environment::remedy::Remedy;
use crate::validation::config::tool_config;
use crate::validation::ran::Ran;
use crate::validation::text;
use crate::validation::tool::Tool;

tool_config! {
    /// Config of `cargo-fmt`.
    CargoFmtConfig {
        /// Look at every package of the workspace.
        workspace: bool = true,
        /// What happens to files that are not formatted: they are, a person is asked, or nothing.
        remedy: Remedies = Remedies::Auto,
    }
}

/// What `cargo-fmt` gives; it passes only where this is 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Formatted {
    /// Files that are not formatted.
    pub unformatted: u64,
}

/// Checks the format of Rust sources.
#[derive(Debug, Clone, Copy, Default)]
pub struct CargoFmt;

impl Tool for CargoFmt {
    const NAME: &'static str = "cargo-fmt";
    const ABOUT: &'static str = "Checks that Rust sources are formatted; formats them where it may";
    const TOOL: &'static str = "cargo fmt";
    const PRINTS_ROOT: bool = true;
    type Config = CargoFmtConfig;
    type Output = Formatted;

    fn wants(&self, _: &CargoFmtConfig) -> Wants {
        Wants { program: "cargo-fmt".into(), install: "rustup component add rustfmt", ..cargo() }
            .called("cargo fmt")
    }

    fn depends_on(&self, config: &CargoFmtConfig) -> Option<Dependencies> {
        Some(super::depends_on(&self.wants(config).program, &config.cwd))
    }

    fn argv(&self, config: &CargoFmtConfig) -> Vec<String> {
        argv(config, &["--check"])
    }

    fn remedies(&self, config: &CargoFmtConfig) -> Remedies {
        config.remedy
    }

    /// Where rustfmt can read the sources, it can format them.
    fn remedy(&self, config: &CargoFmtConfig, ran: &Ran<'_>) -> Option<Remedy> {
        if unformatted(ran).is_empty() {
            return None;
        }
        let mut run = Run::new(Effect::Writes, argv(config, &[]));
        run.cwd.clone_from(&config.cwd);
        run.env.clone_from(&config.env);
        Some(Remedy::new("format the sources", "the sources were formatted", vec![run.into()]))
    }

    fn env(&self) -> &'static [(&'static str, &'static str)] {
        super::ENV
    }

    fn read(&self, _: &CargoFmtConfig, ran: &Ran<'_>) -> Verdict<Formatted> {
        if ran.ok() {
            let metric = ran.metric("format.unformatted", 0);
            return Verdict::Passed(
                Conclusion::new("every file is formatted", Formatted::default()).metrics([metric]),
            );
        }
        let files = unformatted(ran);
        if files.is_empty() {
            return ran.failed(parse_errors(ran));
        }
        let n = files.len() as u64;
        let names = text::some(files.keys().map(String::as_str));
        let verb = if n == 1 { "is" } else { "are" };
        let summary = format!("{} {verb} not formatted: {names}", text::count(n, "file"));
        let findings = files
            .into_iter()
            .map(|(file, line)| Finding::new("rustfmt", Severity::Error, "not formatted").at(file, line));
        let conclusion = Conclusion::new(summary, ()).findings(findings);
        Verdict::Failed(conclusion.metrics([ran.metric("format.unformatted", n)]))
    }
}

fn argv(config: &CargoFmtConfig, flags: &[&str]) -> Vec<String> {
    let all = config.workspace.then_some("--all");
    let words = ["cargo", "fmt"].into_iter().chain(all).chain(flags.iter().copied()).map(str::to_owned);
    words.chain(config.args.iter().cloned()).collect()
}

/// The first line that is not formatted, by file.
fn unformatted(ran: &Ran<'_>) -> BTreeMap<String, Option<u32>> {
    // `Diff in PATH:LINE:` (older: `at line LINE:`) for each difference; a file may have several.
    let mut files = BTreeMap::new();
    for place in ran.stdout.lines().filter_map(|line| line.strip_prefix("Diff in ")) {
        let place = place.trim_end_matches(':').replace(" at line ", ":");
        if let Some((path, line)) = place.rsplit_once(':') {
            files.entry(ran.relative(path)).or_insert_with(|| line.parse().ok());
        }
    }
    files
}

/// Files that rustfmt cannot read: `error: MESSAGE`, then ` --> PATH:LINE:COLUMN`.
fn parse_errors(ran: &Ran<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut lines = ran.stderr.lines().peekable();
    while let Some(line) = lines.next() {
        let (Some(message), Some(next)) = (line.strip_prefix("error: "), lines.peek()) else { continue };
        let Some(place) = next.trim_start().strip_prefix("--> ") else { continue };
        let mut parts = place.rsplitn(3, ':');
        let (column, line, path) = (parts.next(), parts.next(), parts.next());
        let finding = Finding::new("syntax", Severity::Error, text::line(message));
        let line = line.and_then(|line| line.parse().ok());
        let mut finding = finding.at(ran.relative(path.unwrap_or(place)), line);
        finding.column = column.and_then(|column| column.parse().ok());
        findings.push(finding);
    }
    findings
}
