//! The summaries that JavaScript's test runners print for people, last one wins: `node --test` (TAP and spec), Jest,
//! Vitest, Mocha, and plain TAP.

use crate::validation::counts::{FailedTest, TestCounts};

/// A summary that was found.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::validation) struct Found {
    /// Whose it is.
    pub(in crate::validation) runner: &'static str,
    /// What it counts.
    pub(in crate::validation) counts: TestCounts,
    /// The tests that failed, as far as they are named.
    pub(in crate::validation) failures: Vec<FailedTest>,
    /// It stood on standard error.
    pub(in crate::validation) on_stderr: bool,
}

/// The summary in what a script printed; Jest's stands on standard error.
pub(in crate::validation) fn find(stdout: &str, stderr: &str) -> Option<Found> {
    let read = |text: &str, on_stderr| {
        let summaries: [(&'static str, Option<TestCounts>); 5] = [
            ("node:test", node(text)),
            ("jest", jest(text)),
            ("vitest", vitest(text)),
            ("mocha", mocha(text)),
            ("tap", tap(text)),
        ];
        let (runner, counts) = summaries.into_iter().find_map(|(name, counts)| Some((name, counts?)))?;
        Some(Found { runner, counts, failures: failures(text), on_stderr })
    };
    read(stdout, false).or_else(|| read(stderr, true)).map(|mut found| {
        if found.failures.is_empty() {
            found.failures = failures(if found.on_stderr { stdout } else { stderr });
        }
        found.failures.truncate((found.counts.failed + found.counts.errors) as usize);
        found
    })
}

/// `# tests 4`, `# pass 2` .. or, by the spec reporter, `ℹ tests 4`.
fn node(text: &str) -> Option<TestCounts> {
    let of = |what: &str| {
        text.lines().rev().find_map(|line| {
            let rest = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ "))?;
            rest.strip_prefix(what)?.strip_prefix(' ')?.parse::<u64>().ok()
        })
    };
    of("tests")?;
    Some(TestCounts {
        passed: of("pass")?,
        failed: of("fail")?,
        ignored: of("skipped")? + of("todo").unwrap_or(0),
        errors: of("cancelled").unwrap_or(0),
        ..TestCounts::default()
    })
}

/// `Tests:       1 failed, 1 skipped, 1 passed, 3 total`, and suites that could not be run.
fn jest(text: &str) -> Option<TestCounts> {
    let line = text.lines().rev().find_map(|line| line.strip_prefix("Tests: "))?;
    line.contains(" total").then(|| parts(line, ", "))
}

/// `      Tests  1 failed | 1 passed | 1 skipped (3)`.
fn vitest(text: &str) -> Option<TestCounts> {
    let line = text.lines().rev().find_map(|line| line.trim_start().strip_prefix("Tests  "))?;
    let (line, _) = line.rsplit_once(" (")?;
    Some(parts(line, " | "))
}

/// `  1 passing (5ms)`, `  1 pending`, `  1 failing`.
fn mocha(text: &str) -> Option<TestCounts> {
    let of = |what: &str| {
        text.lines().rev().find_map(|line| {
            let (n, rest) = line.strip_prefix("  ")?.split_once(' ')?;
            let rest = rest.strip_prefix(what)?;
            (rest.is_empty() || rest.starts_with(" (")).then(|| n.parse::<u64>().ok())?
        })
    };
    let passed = of("passing")?;
    let (failed, ignored) = (of("failing").unwrap_or(0), of("pending").unwrap_or(0));
    Some(TestCounts { passed, failed, ignored, ..TestCounts::default() })
}

/// Lines of the outermost level: `ok 1 - name`, `not ok 2 - name`, `# SKIP`, `# TODO`. Only with a TAP plan, `1..4`.
fn tap(text: &str) -> Option<TestCounts> {
    let plan = text.lines().any(|line| {
        line.strip_prefix("1..").and_then(|n| n.split(' ').next()).is_some_and(|n| n.parse::<u64>().is_ok())
    });
    let mut counts = TestCounts::default();
    for line in text.lines() {
        let (ok, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => continue,
        };
        let directive = rest.rsplit_once(" # ").map(|(_, directive)| directive.to_lowercase());
        let put_off = directive.is_some_and(|word| word.starts_with("skip") || word.starts_with("todo"));
        match (put_off, ok) {
            (true, _) => counts.ignored += 1,
            (false, true) => counts.passed += 1,
            (false, false) => counts.failed += 1,
        }
    }
    plan.then_some(counts)
}

/// `1 failed, 2 passed`: numbers with a word.
fn parts(line: &str, between: &str) -> TestCounts {
    let mut counts = TestCounts::default();
    for part in line.split(between) {
        let Some((n, what)) = part.trim().split_once(' ') else { continue };
        let Ok(n) = n.parse::<u64>() else { continue };
        match what {
            "passed" => counts.passed += n,
            "failed" => counts.failed += n,
            "skipped" | "todo" | "pending" => counts.ignored += n,
            _ => {}
        }
    }
    counts
}

/// Names of failed tests: TAP's `not ok N - NAME`, `✖ NAME (TIME)`, Jest's `  ● NAME`, Vitest's ` FAIL  FILE > NAME`, Mocha's `  1) NAME`.
fn failures(text: &str) -> Vec<FailedTest> {
    let mut names: Vec<&str> = Vec::new();
    for line in text.lines() {
        let name = line
            .trim_start()
            .strip_prefix("not ok ")
            .and_then(|rest| rest.split_once(" - "))
            .map(|(_, name)| name)
            .filter(|name| !name.contains(" # TODO"))
            .or_else(|| line.trim_start().strip_prefix("✖ ")?.rsplit_once(" (").map(|(name, _)| name))
            .or_else(|| line.strip_prefix("  ● "))
            .or_else(|| line.strip_prefix(" FAIL  ").filter(|name| name.contains(" > ")))
            .or_else(|| {
                let (n, name) = line.strip_prefix("    ")?.trim_start().split_once(") ")?;
                n.parse::<u64>().ok().map(|_| name)
            });
        names.extend(name.filter(|name| !names.contains(name)));
    }
    names.into_iter().map(|name| FailedTest { name: name.to_owned(), ..FailedTest::default() }).collect()
}
