//! What Rust's test harness prints for people; its JSON is not stable.
//!
//! One section per test binary, from `running N tests` to `test result: ..`. What a failed test printed is among the
//! lines and may look like any of them, so a result counts only if it adds up to N.

use std::collections::BTreeMap;

use crate::validation::counts::{FailedTest, TestCounts};
use crate::validation::text;

/// The sections of all test binaries and doctests.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::validation) struct Sections {
    /// The sum of all results.
    pub(in crate::validation) counts: TestCounts,
    /// Sections that began.
    pub(in crate::validation) begun: u64,
    /// Sections that ended with a result.
    pub(in crate::validation) ended: u64,
    /// The tests that failed.
    pub(in crate::validation) failures: Vec<FailedTest>,
}

#[derive(Default)]
struct Section {
    tests: u64,
    /// From here on lines are what failed tests printed.
    failing: bool,
    listed: Vec<String>,
    said: BTreeMap<String, FailedTest>,
    panicked: Option<String>,
}

impl Sections {
    /// Reads standard output of `cargo test`.
    pub(in crate::validation) fn of(stdout: &str) -> Self {
        let mut sections = Self::default();
        let mut open: Option<Section> = None;
        for line in stdout.lines() {
            match &mut open {
                None => {
                    if let Some(tests) = running(line) {
                        sections.begun += 1;
                        open = Some(Section { tests, ..Section::default() });
                    }
                }
                Some(section) => match result(line) {
                    Some(counts) if counts.ran() + counts.ignored == section.tests => {
                        sections.end(open.take().unwrap_or_default(), counts);
                    }
                    _ => match running(line).filter(|_| !section.failing) {
                        // The binary before it died: abort, stack overflow, a signal.
                        Some(tests) => {
                            sections.begun += 1;
                            open = Some(Section { tests, ..Section::default() });
                        }
                        None => section.line(line),
                    },
                },
            }
        }
        sections
    }

    fn end(&mut self, mut section: Section, counts: TestCounts) {
        self.ended += 1;
        self.counts.add(counts);
        // The last list of names is the harness's own; there is one only where something failed.
        let listed = if counts.failed > 0 { std::mem::take(&mut section.listed) } else { Vec::new() };
        for name in listed {
            let failed = FailedTest { name: name.clone(), ..FailedTest::default() };
            self.failures.push(section.said.remove(&name).unwrap_or(failed));
        }
    }
}

impl Section {
    fn line(&mut self, line: &str) {
        if line == "failures:" {
            self.failing = true;
            self.listed.clear();
        } else if let Some(name) = line.strip_prefix("    ").filter(|name| !name.starts_with(' ')) {
            self.listed.push(name.to_owned());
        } else if let Some((name, place)) = panicked(line) {
            self.panicked = Some(name.to_owned());
            let failed = FailedTest { name: name.to_owned(), message: String::new(), place };
            self.said.insert(name.to_owned(), failed);
        } else if let Some(name) = self.panicked.take()
            && let Some(failed) = self.said.get_mut(&name)
        {
            failed.message = text::line(line);
        }
    }
}

/// `running 3 tests`.
fn running(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("running ")?;
    rest.strip_suffix(" tests").or_else(|| rest.strip_suffix(" test"))?.parse().ok()
}

/// `test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s`.
fn result(line: &str) -> Option<TestCounts> {
    let (_, rest) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = TestCounts::default();
    for part in rest.split("; ") {
        let (n, what) = part.split_once(' ')?;
        let Ok(n) = n.parse() else { continue };
        match what {
            "passed" => counts.passed = n,
            "failed" => counts.failed = n,
            "ignored" => counts.ignored = n,
            "measured" => counts.measured = n,
            "filtered out" => counts.filtered = n,
            _ => {}
        }
    }
    Some(counts)
}

/// `thread 'tests::breaks' (7727) panicked at src/lib.rs:29:9:`; the message follows.
fn panicked(line: &str) -> Option<(&str, Option<(String, u32)>)> {
    let rest = line.strip_prefix("thread '")?;
    let (name, rest) = rest.split_once('\'')?;
    let (_, place) = rest.split_once("panicked at ")?;
    let mut parts = place.trim_end_matches(':').rsplitn(3, ':');
    let (_, line, file) = (parts.next(), parts.next(), parts.next());
    let place = file.zip(line.and_then(|line| line.parse().ok()));
    Some((name, place.map(|(file, line)| (file.to_owned(), line))))
}
