//! Counts of tests, and what they say about a run: 0 tests are said as such, never as passed.

use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ran::Ran;
use super::text;

/// How many tests ended how, by their runner's own count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestCounts {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Not run: ignored, skipped, to do.
    pub ignored: u64,
    /// Could not be run: a fixture, a file or a package that broke.
    #[serde(default)]
    pub errors: u64,
    /// Benchmarks that were measured.
    #[serde(default)]
    pub measured: u64,
    /// Left out by a filter.
    #[serde(default)]
    pub filtered: u64,
}

/// What a run of tests gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tests {
    /// The counts; none where they were not measured.
    pub tests: Option<TestCounts>,
    /// Why the counts were not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
}

/// A test that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FailedTest {
    /// Its name, as its runner says it.
    pub(super) name: String,
    /// What it said, in one line.
    pub(super) message: String,
    /// Where it failed, relative to the root.
    pub(super) place: Option<(String, u32)>,
}

/// What was read of a run of tests.
#[derive(Debug)]
pub(super) struct Read {
    /// The counts, or why there are none.
    pub(super) counts: Result<TestCounts, String>,
    /// The tests that failed.
    pub(super) failures: Vec<FailedTest>,
    /// Why the counts are not whole, although there are some.
    pub(super) torn: Option<String>,
    /// The exit code with which the tool says that there are no tests.
    pub(super) none: Option<i32>,
    /// The counts were read from standard error.
    pub(super) on_stderr: bool,
}

impl From<FailedTest> for Finding {
    fn from(failed: FailedTest) -> Self {
        let FailedTest { name, message, place } = failed;
        let message = if message.is_empty() { name } else { format!("{name}: {message}") };
        let finding = Self::new("test-failed", Severity::Error, message);
        match place {
            Some((file, line)) => finding.at(file, Some(line)),
            None => finding,
        }
    }
}

impl TestCounts {
    /// Tests that ran.
    pub fn ran(&self) -> u64 {
        self.passed + self.failed + self.errors + self.measured
    }

    pub(super) fn add(&mut self, more: Self) {
        let Self { passed, failed, ignored, errors, measured, filtered } = more;
        self.passed += passed;
        self.failed += failed;
        self.ignored += ignored;
        self.errors += errors;
        self.measured += measured;
        self.filtered += filtered;
    }

    fn metrics(&self, ran: &Ran<'_>, on_stderr: bool) -> Vec<Metric> {
        self.metrics_of(&if on_stderr { ran.stderr_evidence() } else { ran.evidence() })
    }

    /// The counts as measured values, with where they come from.
    pub(crate) fn metrics_of(&self, evidence: &Evidence) -> Vec<Metric> {
        let Self { passed, failed, ignored, errors, measured, filtered } = *self;
        let always = [("tests.passed", passed), ("tests.failed", failed), ("tests.ignored", ignored)];
        let some = [("tests.errors", errors), ("tests.measured", measured), ("tests.filtered", filtered)];
        let some = some.into_iter().filter(|(_, value)| *value > 0);
        let metric = |(name, value): (&str, u64)| Metric::new(name, value as f64, "count", evidence.clone());
        always.into_iter().chain(some).map(metric).collect()
    }

    /// `12 tests passed, 1 ignored`.
    fn summary(&self) -> String {
        let rest = [(self.ignored, "ignored"), (self.measured, "measured"), (self.filtered, "filtered out")];
        let rest = rest.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let passed = format!("{} passed", text::count(self.passed, "test"));
        std::iter::once(passed).chain(rest).collect::<Vec<_>>().join(", ")
    }
}

impl Read {
    /// Counts and the tests that failed.
    pub(super) fn new(counts: TestCounts, failures: Vec<FailedTest>) -> Self {
        Self { counts: Ok(counts), failures, torn: None, none: None, on_stderr: false }
    }

    /// No counts, and why.
    pub(super) fn nothing(why: impl Into<String>) -> Self {
        Self { counts: Err(why.into()), failures: Vec::new(), torn: None, none: None, on_stderr: false }
    }

    /// What the counts and the way that the tool ended mean together.
    pub(super) fn verdict(self, ran: &Ran<'_>, require_tests: bool) -> Verdict<Tests> {
        let counts =
            if ran.is_cut() { Err("the output is too large to be read whole".into()) } else { self.counts };
        let names: Vec<String> = self.failures.iter().map(|failed| failed.name.clone()).collect();
        let findings: Vec<Finding> = self.failures.into_iter().map(Finding::from).collect();
        let counts = match counts {
            // It did not end by itself: whatever it counted is not the end of it.
            _ if !ran.ok() && ran.code().is_none() => return ran.failed(findings),
            Ok(counts) => counts,
            Err(_) if !ran.ok() => return ran.failed(findings),
            Err(why) if require_tests => return Verdict::failed(format!("counts not measured: {why}")),
            Err(why) => {
                let summary = format!("counts not measured: {why}");
                return Verdict::passed(summary, Tests { tests: None, not_measured: Some(why) });
            }
        };
        // What a part of the run counted is no count of the run.
        let metrics = if self.torn.is_some() { Vec::new() } else { counts.metrics(ran, self.on_stderr) };
        let failed = |summary: String, findings: Vec<Finding>| {
            Verdict::Failed(Conclusion::new(summary, ()).metrics(metrics.clone()).findings(findings))
        };
        let bad = counts.failed + counts.errors;
        if bad > 0 {
            let tests = text::count(counts.ran() - counts.errors, "test");
            let mut summary = match (counts.failed, counts.errors) {
                (failed, 0) => format!("{failed} of {tests} failed"),
                (0, errors) => text::count(errors, "error"),
                (failed, errors) => format!("{failed} of {tests} failed, {}", text::count(errors, "error")),
            };
            if !names.is_empty() {
                summary = format!("{summary}: {}", text::some(names.iter().map(String::as_str)));
            }
            if let Some(torn) = self.torn {
                summary = format!("{summary}; {torn}");
            }
            return failed(summary, findings);
        }
        if let Some(torn) = self.torn {
            return failed(torn, findings);
        }
        let none = counts.ran() == 0;
        let says_none = none && self.none.is_some() && ran.code() == self.none;
        if !ran.ok() && !says_none {
            return failed(format!("{}, though no test is known to have failed", ran.why()), findings);
        }
        if !none {
            let output = Tests { tests: Some(counts), not_measured: None };
            return Verdict::Passed(Conclusion::new(counts.summary(), output).metrics(metrics));
        }
        let summary = match (counts.ignored, counts.filtered) {
            (0, 0) => "no tests ran".to_owned(),
            (ignored, filtered) => format!("no tests ran: {ignored} ignored, {filtered} filtered out"),
        };
        let finding = Finding::new("no-tests", Severity::Warning, summary.clone());
        if require_tests {
            return failed(summary, vec![finding]);
        }
        let output = Tests { tests: Some(counts), not_measured: None };
        Verdict::Passed(Conclusion::new(summary, output).metrics(metrics).findings([finding]))
    }
}
