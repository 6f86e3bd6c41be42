//! What CI systems show beside the log: annotations and a summary of the job.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::outcome::Outcome;
use orchestrator_core::report::{ReportGenerator, RunRecord};

use crate::console::clean;
use crate::out::note;

/// The most annotations; GitHub shows ten of a kind for a step.
const MOST: usize = 50;

/// Whether this is a CI system, by the variables that they set.
fn is_ci() -> bool {
    let on = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false");
    on("CI") || on("GITHUB_ACTIONS")
}

/// Tells a CI system of findings and failures on standard error, which it reads too, and adds the summary of the job.
pub(crate) fn tell(record: &RunRecord) {
    if !is_ci() {
        return;
    }
    for line in annotations(record) {
        note(&line);
    }
    if let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        let summary = orchestrator_reports::Markdown.generate(record);
        let written = summary.map_err(std::io::Error::other).and_then(|report| {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            report.files.iter().try_for_each(|(_, bytes)| file.write_all(bytes))
        });
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "the summary of the job could not be written");
        }
    }
}

fn annotations(record: &RunRecord) -> Vec<String> {
    let mut lines = Vec::new();
    for (task, planned) in record.state.tasks().iter().zip(record.plan().tasks()) {
        let end = task.end.as_ref();
        let conclusion = end.and_then(|end| end.conclusion.as_ref());
        let findings = conclusion.map_or(&[][..], |conclusion| &conclusion.findings);
        lines.extend(findings.iter().map(|finding| annotation(planned.id.as_str(), finding)));
        if task.outcome() == Some(Outcome::Failed) {
            let said =
                conclusion.map(|conclusion| conclusion.summary.clone()).filter(|said| !said.is_empty());
            let failure = end.and_then(|end| end.failure.as_ref()).map(ToString::to_string);
            let why = said.or(failure).unwrap_or_else(|| "failed".into());
            lines.push(format!("::error title={}::{}", property(planned.id.as_str()), message(&why)));
        }
        if lines.len() >= MOST {
            break;
        }
    }
    lines.truncate(MOST);
    lines
}

fn annotation(task: &str, finding: &Finding) -> String {
    let Finding { rule, severity, message: said, file, line, column } = finding;
    let level = match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    };
    let mut text = format!("::{level} ");
    if let Some(file) = file {
        let _ = write!(text, "file={},", property(file));
    }
    for (name, number) in [("line", line), ("col", column)] {
        if let Some(number) = number {
            let _ = write!(text, "{name}={number},");
        }
    }
    let _ = write!(text, "title={}::{}", property(&format!("{task}: {rule}")), message(said));
    text
}

/// Escaped as the workflow commands of GitHub ask for.
fn message(text: &str) -> String {
    clean(text).replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, record};

    #[test]
    fn findings_and_failures_are_annotated() {
        assert_eq!(
            annotations(&record(Sample::Failed)),
            [
                "::error file=src/lib.rs,line=7,title=edit%3A test::adds is wrong",
                "::error title=edit::1 of 2 tests failed",
            ]
        );
        let finding = Finding::new("a,b", Severity::Note, "50%\n::error::no");
        assert_eq!(annotation("t", &finding), "::notice title=t%3A a%2Cb::50%25%0A::error::no");
    }
}
