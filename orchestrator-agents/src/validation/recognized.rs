//! The summary of whichever known test runner printed something.

use super::cargo::libtest::Sections;
use super::counts::TestCounts;
use super::npm::runners;
use super::python::pytest;

/// Whose summary it is, and what it counts; the texts are plain. None where no runner is known by it, and where Rust's
/// harness did not come to its end.
pub(crate) fn recognized(stdout: &str, stderr: &str) -> Option<(&'static str, TestCounts)> {
    if let Some(counts) = playwright(stdout) {
        return Some(("playwright", counts));
    }
    let sections = Sections::of(stdout);
    if sections.begun > 0 {
        return (sections.begun == sections.ended).then_some(("cargo test", sections.counts));
    }
    if let Some(found) = runners::find(stdout, stderr) {
        return Some((found.runner, found.counts));
    }
    pytest::counts(stdout).map(|counts| ("pytest", counts))
}

/// Playwright's list and line reporters: `Running 3 tests using 1 worker`, and at the end `  1 failed`, `  1 flaky`,
/// `  1 skipped`, `  2 passed (5.3s)`, each on its own line.
fn playwright(stdout: &str) -> Option<TestCounts> {
    let mut lines = stdout.lines();
    lines
        .find(|line| line.starts_with("Running ") && line.contains(" using ") && line.contains(" worker"))?;
    let mut counts = TestCounts::default();
    for line in lines {
        let Some((n, what)) = line.strip_prefix("  ").and_then(|line| line.split_once(' ')) else { continue };
        let Ok(n) = n.parse::<u64>() else { continue };
        let what = what.split(" (").next().unwrap_or_default();
        match what {
            // What passed when it was tried again passed.
            "passed" | "flaky" => counts.passed += n,
            "failed" | "interrupted" => counts.failed += n,
            "skipped" | "did not run" => counts.ignored += n,
            _ => {}
        }
    }
    Some(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_are_told_apart() {
        let playwright = "\nRunning 4 tests using 2 workers\n\n  1) [chromium] › a.spec.ts:3:1 › breaks ───\n\n    Error: x\n\n  1 failed\n    [chromium] › a.spec.ts:3:1 › breaks ───\n  1 skipped\n  2 passed (5.3s)\n";
        let counts = TestCounts { passed: 2, failed: 1, ignored: 1, ..TestCounts::default() };
        assert_eq!(recognized(playwright, ""), Some(("playwright", counts)));
        let pytest = "=== 2 passed, 1 error in 0.69s ===\n";
        let counts = TestCounts { passed: 2, errors: 1, ..TestCounts::default() };
        assert_eq!(recognized(pytest, ""), Some(("pytest", counts)));
        let vitest = "      Tests  1 failed | 3 passed (4)\n";
        let counts = TestCounts { passed: 3, failed: 1, ..TestCounts::default() };
        assert_eq!(recognized(vitest, ""), Some(("vitest", counts)));
        assert_eq!(recognized("running 2 tests\ntest a ... ok\n", ""), None, "it died");
        assert_eq!(recognized("all is well\n", ""), None);
    }
}
