//! `pytest`: runs the tests and reads the last line and the short summary, which every version prints.

use orchestrator_core::agent::{Dependencies, Verdict};

use crate::validation::config::tool_config;
use crate::validation::counts::{FailedTest, Read, TestCounts, Tests};
use crate::validation::ran::Ran;
use crate::validation::text;
use crate::validation::tool::{Tool, Wants};

/// Exit code "no tests were collected":
/// <https://docs.pytest.org/en/stable/reference/exit-codes.html>.
const NONE_COLLECTED: i32 = 5;

tool_config! {
    /// Config of `pytest`.
    PytestConfig {
        /// The interpreter: a program and its first arguments, such as `[uv, run, python]`.
        python: Vec<String> = super::python(),
        /// Fail where no test ran.
        require_tests: bool = false,
    }
}

/// Runs pytest.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pytest;

impl Tool for Pytest {
    const NAME: &'static str = "pytest";
    const ABOUT: &'static str = "Runs pytest and counts the tests";
    const TOOL: &'static str = "pytest";
    type Config = PytestConfig;
    type Output = Tests;

    fn wants(&self, config: &PytestConfig) -> Wants {
        super::wants(&config.python)
    }

    fn depends_on(&self, config: &PytestConfig) -> Option<Dependencies> {
        Some(super::depends_on(&self.wants(config).program, &config.cwd))
    }

    fn argv(&self, config: &PytestConfig) -> Vec<String> {
        let mut argv = config.python.clone();
        // No cache folder, no colours, and names of what failed, whatever the project's own options say.
        argv.extend(["-m", "pytest", "-p", "no:cacheprovider", "--color=no", "-rfE"].map(str::to_owned));
        argv.extend_from_slice(&config.args);
        argv
    }

    fn env(&self) -> &'static [(&'static str, &'static str)] {
        &[("PYTHONDONTWRITEBYTECODE", "1"), ("COLUMNS", "200")]
    }

    fn read(&self, config: &PytestConfig, ran: &Ran<'_>) -> Verdict<Tests> {
        if ran.stderr.trim_end().ends_with("No module named pytest") {
            let python = config.python.join(" ");
            return Verdict::failed(format!("pytest is not installed: {python} -m pip install pytest"));
        }
        let Some(counts) = counts(&ran.stdout) else {
            return Read::nothing("pytest printed no summary").verdict(ran, config.require_tests);
        };
        let mut read = Read::new(counts, failures(&ran.stdout, ran));
        read.none = Some(NONE_COLLECTED);
        read.verdict(ran, config.require_tests)
    }
}

/// `=== 1 failed, 1 passed, 1 skipped, 1 xfailed, 1 error in 0.69s ===`, `=== no tests ran in 0.00s ===`; with `-q`
/// without the rulers.
pub(in crate::validation) fn counts(stdout: &str) -> Option<TestCounts> {
    let line = stdout.lines().rev().map(|line| line.trim_matches(['=', ' '])).find(|line| {
        line.rsplit_once(" in ").is_some_and(|(_, time)| {
            time.split(['s', ' ']).next().is_some_and(|seconds| seconds.parse::<f64>().is_ok())
        })
    })?;
    let (line, _) = line.rsplit_once(" in ")?;
    let mut counts = TestCounts::default();
    if line == "no tests ran" {
        return Some(counts);
    }
    for part in line.split(", ") {
        let (n, what) = part.split_once(' ')?;
        let n: u64 = n.parse().ok()?;
        match what {
            // A test that was expected to fail and passed is not a failure, unless strict: then it is counted as one.
            "passed" | "xpassed" => counts.passed += n,
            "failed" => counts.failed += n,
            "error" | "errors" => counts.errors += n,
            "skipped" | "xfailed" => counts.ignored += n,
            "deselected" => counts.filtered += n,
            _ => {}
        }
    }
    Some(counts)
}

/// The short summary: `FAILED test_a.py::test_breaks - AssertionError: sum`, `ERROR test_e.py`.
fn failures(stdout: &str, ran: &Ran<'_>) -> Vec<FailedTest> {
    let summary = stdout.rsplit_once("short test summary info").map_or("", |(_, summary)| summary);
    let failed =
        summary.lines().filter_map(|line| line.strip_prefix("FAILED ").or(line.strip_prefix("ERROR ")));
    failed
        .map(|line| {
            let (name, message) = line.split_once(" - ").unwrap_or((line, ""));
            let file = name.split("::").next().unwrap_or_default();
            let place = place(stdout, file).map(|line| (ran.relative(file), line));
            FailedTest { name: name.to_owned(), message: text::line(message), place }
        })
        .collect()
}

/// The line of a file that broke, where only one did: `test_a.py:7: AssertionError`.
fn place(stdout: &str, file: &str) -> Option<u32> {
    let mut lines = stdout.lines().filter_map(|line| {
        let (number, rest) = line.strip_prefix(file)?.strip_prefix(':')?.split_once(": ")?;
        (!rest.starts_with("in ")).then(|| number.parse().ok())?
    });
    lines.next().filter(|_| lines.next().is_none())
}
