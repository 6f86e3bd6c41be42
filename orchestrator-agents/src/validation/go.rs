//! Go: `go vet` and `go test`.

use std::collections::BTreeMap;

use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::evidence::{Finding, Metric, Severity};
use serde::Deserialize;

use super::cargo::Linted;
use super::config::tool_config;
use super::counts::{FailedTest, Read, TestCounts, Tests};
use super::ran::Ran;
use super::text;
use super::tool::{Tool, Wants};

tool_config! {
    /// Config of `go-vet` and `go-test`.
    GoConfig {
        /// Which packages.
        packages: Vec<String> = vec!["./...".into()],
        /// Fail where no test ran.
        require_tests: bool = false,
    }
}

fn go() -> Wants {
    Wants::new("go", "see https://go.dev/dl")
}

fn argv(command: &[&str], config: &GoConfig) -> Vec<String> {
    let command = command.iter().map(|&word| word.to_owned());
    command.chain(config.args.iter().cloned()).chain(config.packages.iter().cloned()).collect()
}

/// Runs `go vet`.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoVet;

impl Tool for GoVet {
    const NAME: &'static str = "go-vet";
    const ABOUT: &'static str = "Runs go vet and reads its findings";
    const TOOL: &'static str = "go vet";
    type Config = GoConfig;
    type Output = Linted;

    fn wants(&self, _: &GoConfig) -> Wants {
        go()
    }

    fn argv(&self, config: &GoConfig) -> Vec<String> {
        argv(&["go", "vet"], config)
    }

    /// `./a.go:7:2: unreachable code`, under a line `# PACKAGE`; `vet: ` before what does not compile.
    fn read(&self, _: &GoConfig, ran: &Ran<'_>) -> Verdict<Linted> {
        let findings: Vec<Finding> = ran.stderr.lines().filter_map(|line| remark(line, ran)).collect();
        let errors = findings.len() as u64;
        if ran.ok() {
            let metrics = [errors_metric(ran, errors)];
            return Verdict::Passed(Conclusion::new("no findings", Linted::default()).metrics(metrics));
        }
        if findings.is_empty() {
            return ran.failed(findings);
        }
        let summary = text::count(errors, "finding");
        let metrics = [errors_metric(ran, errors)];
        Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics).findings(findings))
    }
}

/// `go vet` prints to standard error.
fn errors_metric(ran: &Ran<'_>, errors: u64) -> Metric {
    let mut metric = ran.metric("lint.errors", errors);
    metric.evidence = ran.stderr_evidence();
    metric
}

fn remark(line: &str, ran: &Ran<'_>) -> Option<Finding> {
    let line = line.strip_prefix("vet: ").unwrap_or(line);
    let (place, message) = line.split_once(": ")?;
    let mut parts = place.splitn(3, ':');
    let (file, at, column) = (parts.next()?, parts.next()?.parse().ok()?, parts.next());
    let finding = Finding::new("vet", Severity::Error, text::line(message));
    let mut finding = finding.at(ran.relative(file), Some(at));
    finding.column = column.and_then(|column| column.parse().ok());
    Some(finding)
}

/// Runs `go test`.
#[derive(Debug, Clone, Copy, Default)]
pub struct GoTest;

/// Format: <https://pkg.go.dev/cmd/test2json>; `build-fail` since Go 1.24.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Event {
    action: String,
    #[serde(default)]
    package: String,
    test: Option<String>,
    #[serde(default)]
    output: String,
}

impl Tool for GoTest {
    const NAME: &'static str = "go-test";
    const ABOUT: &'static str = "Runs go test and counts the tests";
    const TOOL: &'static str = "go test";
    type Config = GoConfig;
    type Output = Tests;

    fn wants(&self, _: &GoConfig) -> Wants {
        go()
    }

    fn argv(&self, config: &GoConfig) -> Vec<String> {
        argv(&["go", "test", "-json"], config)
    }

    fn read(&self, config: &GoConfig, ran: &Ran<'_>) -> Verdict<Tests> {
        let events: Vec<Event> =
            ran.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if events.is_empty() {
            return Read::nothing("go test printed no events").verdict(ran, config.require_tests);
        }
        let mut counts = TestCounts::default();
        let (mut failures, mut said) = (Vec::new(), BTreeMap::<String, String>::new());
        let mut packages = BTreeMap::new();
        for Event { action, package, test, output } in events {
            // A package in which no test failed and which failed itself could not be built or died.
            let Some(test) = test else {
                if action == "fail" {
                    packages.insert(package, true);
                }
                continue;
            };
            let name = format!("{package}.{test}");
            match action.as_str() {
                "pass" => counts.passed += 1,
                "skip" => counts.ignored += 1,
                "fail" => {
                    counts.failed += 1;
                    let message = said.remove(&name).unwrap_or_default();
                    failures.push(FailedTest { name, message, place: None });
                }
                "output" if output.starts_with(' ') && !output.trim_start().starts_with("---") => {
                    said.entry(name).or_insert_with(|| text::line(&output));
                }
                _ => {}
            }
        }
        for (package, _) in packages {
            let begins = format!("{package}.");
            if !failures.iter().any(|failed: &FailedTest| failed.name.starts_with(&begins)) {
                counts.errors += 1;
                let message = "the package could not be built or tested".into();
                failures.push(FailedTest { name: package, message, place: None });
            }
        }
        Read::new(counts, failures).verdict(ran, config.require_tests)
    }
}
