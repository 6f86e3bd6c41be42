//! `coverage_threshold` and `python_coverage`: how much of the code tests cover, by a report that is there or is made now,
//! against a number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::action::{Action, CommandLine, Run};
use orchestrator_core::agent::{Agent, Conclusion, Task, Verdict};
use orchestrator_core::effect::Effect;
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use orchestrator_core::id::NameError;
use orchestrator_core::json::Json;
use orchestrator_core::operation::{DynOperation, Operation, dyn_operation};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::path::RelPath;
use orchestrator_core::workspace::Workspace;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ops::{MeasureCoverage, MeasureInput, Measured, Reported};
use super::{Counts, Measure, Percent, Totals};
use crate::ended::ended;
use crate::said;

/// Config of `coverage_threshold` and `python_coverage`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CoverageConfig {
    /// What must be reached: `80`, `79.5` or `"80%"`. Nothing is rounded.
    pub target: Percent,
    /// The report, or a glob of several that are added up; by default the one at a usual place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What is counted; lines by default.
    #[serde(default)]
    pub metric: Measure,
    /// What makes the report: it is run first. A list is argv, a string is a shell line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandLine>,
    /// How far that command reaches.
    #[serde(default)]
    pub effect: Effect,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coverage {
    /// All counts.
    pub totals: Totals,
    /// The reports that they are from.
    pub reports: Vec<Reported>,
}

/// Measures coverage by lcov, Cobertura or Istanbul reports against a number.
#[derive(Debug, Clone, Copy, Default)]
pub struct CoverageThreshold;

/// Measures coverage by coverage.py's reports against a number.
#[derive(Debug, Clone, Copy, Default)]
pub struct PythonCoverage;

/// Where a kind of project has its reports, and what makes them.
struct Usual {
    places: &'static [&'static str],
    manifests: &'static [&'static str],
    /// Tools by the word that tells of them in a manifest, with the command that makes a report.
    makers: &'static [(&'static str, &'static str)],
    /// What is said where none of them is known.
    advice: &'static str,
    /// coverage.py's own data is read where there is no report.
    converts: bool,
}

const ANY: Usual = Usual {
    places: &[
        "coverage/lcov.info",
        "lcov.info",
        "coverage/cobertura-coverage.xml",
        "cobertura.xml",
        "coverage.xml",
        "coverage/coverage-summary.json",
        "coverage/coverage-final.json",
        "coverage.json",
        "coverage.lcov",
    ],
    manifests: &["package.json", "pyproject.toml", "Cargo.toml", "setup.cfg", "setup.py"],
    makers: &[
        ("vitest", "npx vitest run --coverage --coverage.reporter=lcov"),
        ("jest", "npx jest --coverage --coverageReporters=lcov"),
        ("pytest", "python3 -m pytest --cov --cov-report=lcov"),
        ("[package]", "cargo llvm-cov --lcov --output-path lcov.info"),
    ],
    advice: "the project's tests with coverage, or say with `command` what makes the report",
    converts: false,
};

const PYTHON: Usual = Usual {
    places: &["coverage.xml", "coverage.json", "coverage.lcov"],
    manifests: &["pyproject.toml", "setup.cfg", "setup.py", "requirements.txt", "tox.ini"],
    makers: &[("pytest-cov", "python3 -m pytest --cov --cov-report=json")],
    advice: "python3 -m coverage run -m pytest && python3 -m coverage json",
    converts: true,
};

/// The most folders that are looked at.
const FOLDERS: usize = 200;

/// What the survey gives.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Seen {
    /// What people may run to get a report.
    make: String,
    /// Folders that have a manifest.
    folders: Vec<RelPath>,
}

macro_rules! coverage_agent {
    ($agent:ident, $name:literal, $about:literal, $usual:expr) => {
        impl Agent for $agent {
            const NAME: &'static str = $name;
            const ABOUT: &'static str = $about;
            type Config = CoverageConfig;
            type Output = Coverage;

            async fn survey(&self, task: &Task<CoverageConfig>, look: &Workspace) -> Result<Json, BoxError> {
                Ok(Json::of(&survey(&task.config, look, &$usual)?)?)
            }

            async fn plan(
                &self,
                task: &Task<CoverageConfig>,
                look: &Workspace,
            ) -> Result<Vec<Action>, BoxError> {
                let seen: Option<Seen> = task.carried.parse()?;
                let seen = seen.map_or_else(|| survey(&task.config, look, &$usual), Ok)?;
                plan(&task.config, &seen, look, &$usual)
            }

            fn conclude(
                &self,
                task: &Task<CoverageConfig>,
                receipts: &[Receipt],
                _: &Artifacts<'_>,
            ) -> Result<Verdict<Coverage>, BoxError> {
                let seen: Option<Seen> = task.carried.parse()?;
                conclude(&task.config, &seen.unwrap_or_default(), receipts)
            }

            fn operations(&self) -> Result<Vec<Arc<dyn DynOperation>>, NameError> {
                Ok(vec![dyn_operation(MeasureCoverage)?])
            }
        }
    };
}
coverage_agent!(
    CoverageThreshold,
    "coverage_threshold",
    "Measures coverage by lcov, Cobertura or Istanbul reports against a number",
    ANY
);
coverage_agent!(
    PythonCoverage,
    "python_coverage",
    "Measures coverage by coverage.py's reports against a number",
    PYTHON
);

fn survey(config: &CoverageConfig, look: &Workspace, usual: &Usual) -> Result<Seen, BoxError> {
    let mut folders: BTreeSet<RelPath> = BTreeSet::from([RelPath::root()]);
    let mut make = config.command.as_ref().map(ToString::to_string);
    if make.is_none() || config.file.is_none() {
        for path in look.files(&RelPath::root()) {
            let (folder, name) = path.as_str().rsplit_once('/').unwrap_or((".", path.as_str()));
            if folders.len() == FOLDERS {
                break;
            }
            // Python needs no manifest: a folder of the root with code in it may be a project.
            if usual.converts && name.strip_suffix(".py").is_some() {
                folders.insert(RelPath::new(folder.split('/').next().unwrap_or(folder))?);
            }
            if !usual.manifests.contains(&name) {
                continue;
            }
            folders.insert(RelPath::new(folder)?);
            if make.is_none() {
                make = maker(&path, look, usual);
            }
        }
    }
    let make = make.unwrap_or_else(|| usual.advice.to_owned());
    // The root first: its report is the whole.
    let rest = folders.into_iter().filter(|folder| !folder.is_root());
    Ok(Seen { make, folders: std::iter::once(RelPath::root()).chain(rest).collect() })
}

fn maker(manifest: &RelPath, look: &Workspace, usual: &Usual) -> Option<String> {
    let text = look.read_text(manifest).ok()??;
    let (_, make) = usual.makers.iter().find(|(word, _)| text.contains(word))?;
    Some(match manifest.as_str().rsplit_once('/') {
        Some((folder, _)) => format!("cd {folder} && {make}"),
        None => (*make).to_owned(),
    })
}

fn plan(
    config: &CoverageConfig,
    seen: &Seen,
    look: &Workspace,
    usual: &Usual,
) -> Result<Vec<Action>, BoxError> {
    let CoverageConfig { target: _, file, metric, command, effect } = config;
    let mut actions = Vec::new();
    if let Some(command) = command {
        let mut run = Run::line(*effect, command.clone());
        run.collect = match file {
            Some(file) => vec![file.clone()],
            None => usual.places.iter().map(|place| (*place).to_owned()).collect(),
        };
        actions.push(run.into());
    }
    let mut input = MeasureInput { file: file.clone(), metric: *metric, ..MeasureInput::default() };
    if file.is_none() {
        input.folders.clone_from(&seen.folders);
        input.places = usual.places.iter().map(|place| (*place).to_owned()).collect();
        if usual.converts {
            input.convert = converters(&seen.folders, command.is_some(), look)?;
        }
    }
    actions.push(MeasureCoverage::action(&input)?);
    Ok(actions)
}

/// Folders with coverage.py's data (or a command that may make it), and coverage.py in a virtual environment there or at
/// the root.
fn converters(
    folders: &[RelPath],
    is_made: bool,
    look: &Workspace,
) -> Result<BTreeMap<RelPath, RelPath>, BoxError> {
    let mut found = BTreeMap::new();
    for folder in folders {
        if !is_made && !look.exists(&folder.join(".coverage")?) {
            continue;
        }
        for home in [folder, &RelPath::root()] {
            let program = home.join(".venv/bin/coverage")?;
            if look.exists(&program) {
                found.insert(folder.clone(), program);
                break;
            }
        }
    }
    Ok(found)
}

fn conclude(
    config: &CoverageConfig,
    seen: &Seen,
    receipts: &[Receipt],
) -> Result<Verdict<Coverage>, BoxError> {
    let CoverageConfig { target, file: _, metric, command, effect: _ } = config;
    let unmeasured = |why: &str| {
        Ok(Verdict::failed(format!("{metric} are not measured: {why}; run {}", ticked(&seen.make))))
    };
    let mut receipts = receipts;
    let mut collected = &[][..];
    if let Some(command) = command {
        match receipts.split_first() {
            Some((made, rest)) if made.ok() => (receipts, collected) = (rest, &made.artifacts[..]),
            Some((made, _)) => {
                let why = ended(&command.to_string(), &made.status);
                return Ok(Verdict::failed(format!("{metric} are not measured: {why}")));
            }
            None => {
                return Ok(Verdict::failed(format!("{metric} are not measured: `{command}` was not run")));
            }
        }
    }
    let measured: Measured = match said::output(receipts)? {
        Ok(measured) => measured,
        Err(why) => return unmeasured(&why),
    };
    if let Some(stale) = &measured.stale {
        let why = format!("`{}` is older than `{}`, which it is about", stale.report, stale.source);
        return unmeasured(&why);
    }
    let Some(counts) = measured.totals.of(*metric) else {
        let formats: BTreeSet<&str> = measured.reports.iter().map(|report| report.format.as_str()).collect();
        let formats = formats.into_iter().collect::<Vec<_>>().join(" and ");
        return unmeasured(&format!("the report ({formats}) does not count them"));
    };
    let Some(percent) = counts.percent() else {
        return unmeasured("the report counts none at all");
    };
    let from: Vec<String> = measured.reports.iter().map(from).collect();
    let evidence = |report: Option<&Reported>| evidence(report, command.as_ref(), collected);
    let whole = match &measured.reports[..] {
        [report] => evidence(Some(report)),
        reports => Evidence { tool: format!("{} coverage reports", reports.len()), ..evidence(None) },
    };
    let mut metrics = metrics(&measured.totals, &whole);
    if measured.reports.len() > 1 {
        for report in &measured.reports {
            let Some(percent) = report.totals.of(*metric).and_then(Counts::percent) else { continue };
            let name = format!("coverage.{metric} of {}", report.path);
            metrics.push(Metric::new(name, percent, "%", evidence(Some(report))));
        }
    }
    let Counts { covered, total } = counts;
    let from = said::some(&from);
    let mut findings = Vec::new();
    if measured.missing > 0 {
        let missing = said::count(measured.missing, "source");
        let message = format!("the reports name {missing} that the checkout does not have");
        findings.push(Finding::new("coverage-of-missing-files", Severity::Warning, message));
    }
    if target.is_reached(covered, total) {
        let summary =
            format!("{percent}% of {metric} covered ({covered} of {total}), target {target}; from {from}");
        let output = Coverage { totals: measured.totals, reports: measured.reports };
        return Ok(Verdict::Passed(Conclusion::new(summary, output).metrics(metrics).findings(findings)));
    }
    let more = target.needed(total) - covered;
    let summary = format!(
        "{percent}% of {metric} covered ({covered} of {total}), {more} too few for the target {target}; from {from}"
    );
    for least in &measured.least {
        let Counts { covered, total } = least.counts;
        let message = format!("{} of {total} {metric} not covered", total - covered);
        findings.push(Finding::new("coverage", Severity::Warning, message).at(&least.source, None));
    }
    Ok(Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics).findings(findings)))
}

/// A command in ticks; advice as it is.
fn ticked(make: &str) -> String {
    if [ANY.advice].contains(&make) { make.to_owned() } else { format!("`{make}`") }
}

/// "`coverage/lcov.info` (lcov, 2026-11-21T06:10:51Z)".
fn from(report: &Reported) -> String {
    let Reported { path, format, written, .. } = report;
    format!("`{path}` ({format}, {written})")
}

fn evidence(
    report: Option<&Reported>,
    command: Option<&CommandLine>,
    collected: &[orchestrator_core::order::Artifact],
) -> Evidence {
    let mut evidence = Evidence::of(report.map(from).unwrap_or_default());
    evidence.command = command.map(ToString::to_string);
    if let Some(report) = report {
        evidence.artifact = Some(report.digest);
        let kept = collected.iter().find(|artifact| artifact.digest == report.digest);
        evidence.place = kept.map(|artifact| artifact.place.clone());
    }
    evidence
}

fn metrics(totals: &Totals, evidence: &Evidence) -> Vec<Metric> {
    let mut metrics = Vec::new();
    for measure in Measure::ALL {
        let Some(counts) = totals.of(measure) else { continue };
        let Some(percent) = counts.percent() else { continue };
        let name = |part: &str| format!("coverage.{measure}{part}");
        metrics.push(Metric::new(name(""), percent, "%", evidence.clone()));
        metrics.push(Metric::new(name(".covered"), counts.covered as f64, "count", evidence.clone()));
        metrics.push(Metric::new(name(".total"), counts.total as f64, "count", evidence.clone()));
    }
    metrics
}
