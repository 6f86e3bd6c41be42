//! What a runner says of each file.

use serde::Deserialize;

use super::files::{Batch, Kind, TestFile};
use crate::validation::recognized;

/// Tests of one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct OfFile {
    /// That ran.
    pub(super) ran: u64,
    /// That failed.
    pub(super) failed: u64,
}

/// One for each file of the batch, in order; or why it is not known.
pub(super) fn read(batch: &Batch, stdout: &str) -> Vec<Result<OfFile, String>> {
    match batch.kind {
        Kind::Vitest | Kind::Jest => match report(stdout) {
            Ok(report) => batch.files.iter().map(|file| report.of(file)).collect(),
            Err(why) => batch.files.iter().map(|_| Err(why.clone())).collect(),
        },
        Kind::Pytest => batch.files.iter().map(|file| pytest(file, stdout)).collect(),
        Kind::Cargo => {
            let counts = match recognized(stdout, "") {
                Some((_, counts)) => Ok(OfFile { ran: counts.ran(), failed: counts.failed + counts.errors }),
                None => Err("the tests were not built or did not come to their end".to_owned()),
            };
            // The harness names no files: the sum stands for each of them.
            batch.files.iter().map(|_| counts.clone()).collect()
        }
    }
}

/// Jest's JSON, which Vitest writes too.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    test_results: Vec<Suite>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Suite {
    name: String,
    status: String,
    #[serde(default)]
    message: String,
    assertion_results: Vec<Assertion>,
}

#[derive(Deserialize)]
struct Assertion {
    status: String,
}

/// The report in what was printed; there may be other lines before it.
fn report(stdout: &str) -> Result<Report, String> {
    let json = stdout.lines().rfind(|line| line.starts_with("{\"num"));
    let json = json.ok_or("the runner printed no report")?;
    serde_json::from_str(json).map_err(|error| format!("the runner's report cannot be read: {error}"))
}

impl Report {
    fn of(&self, file: &TestFile) -> Result<OfFile, String> {
        let end = format!("/{}", file.path);
        let suite = self.test_results.iter().find(|suite| suite.name.ends_with(&end));
        let suite = suite.ok_or("the runner did not run it")?;
        let mut counts = OfFile::default();
        for Assertion { status } in &suite.assertion_results {
            match status.as_str() {
                "passed" => counts.ran += 1,
                "failed" => {
                    counts.ran += 1;
                    counts.failed += 1;
                }
                // Skipped, to do, pending: they did not run.
                _ => {}
            }
        }
        if suite.status != "passed" && counts.failed == 0 {
            let why: String = suite.message.lines().next().unwrap_or_default().chars().take(200).collect();
            return Err(format!("it could not be run: {why}"));
        }
        Ok(counts)
    }
}

/// The short summary of `-rA`: `PASSED tests/test_a.py::test_one`, `ERROR tests/test_a.py`.
fn pytest(file: &TestFile, stdout: &str) -> Result<OfFile, String> {
    let (_, summary) = stdout.rsplit_once("short test summary info").ok_or("pytest printed no summary")?;
    let mut counts = OfFile::default();
    for line in summary.lines() {
        let Some((word, rest)) = line.split_once(' ') else { continue };
        let own = rest.strip_prefix(file.below.as_str());
        if !own.is_some_and(|rest| rest.is_empty() || rest.starts_with("::") || rest.starts_with(" - ")) {
            continue;
        }
        match word {
            "PASSED" | "XPASS" => counts.ran += 1,
            "FAILED" | "ERROR" => {
                counts.ran += 1;
                counts.failed += 1;
            }
            _ => {}
        }
    }
    Ok(counts)
}
