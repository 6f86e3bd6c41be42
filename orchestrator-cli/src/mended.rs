//! `remediation.log`: a line for each remedy that was performed, for whoever wonders later what changed the machine.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use orchestrator_agents::environment::REMEDY;
use orchestrator_core::event::{Event, Record};
use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::layout::Layout;
use orchestrator_core::observer::Observer;
use orchestrator_core::state::RunState;

use crate::console::clean;
use crate::out::note;

/// Appends to the log of remedies. A log that cannot be written is said once; it fails nothing.
pub(crate) struct Mended {
    file: PathBuf,
    told: bool,
}

impl Mended {
    /// The log of a state folder.
    pub(crate) fn of(layout: &Layout) -> Self {
        Self { file: layout.remediation_log(), told: false }
    }

    fn append(&mut self, lines: &str) {
        let file = OpenOptions::new().create(true).append(true).open(&self.file);
        // One write for all lines: those of another run do not come between.
        if let Err(error) = file.and_then(|mut file| file.write_all(lines.as_bytes()))
            && !self.told
        {
            self.told = true;
            note(&format!("`{}` could not be written: {error}", self.file.display()));
        }
    }
}

impl Observer for Mended {
    fn event(&mut self, record: &Record, state: &RunState) {
        let Event::TaskFinished(finished) = &record.event else { return };
        let run = state.begun().map_or_else(String::new, |begun| begun.run.to_string());
        let lines: String = remedies(finished.conclusion.as_ref().map_or(&[][..], |done| &done.findings))
            .map(|finding| {
                let word = if finding.severity == Severity::Note { "worked" } else { "did not work" };
                let message = clean(&finding.message).replace('\n', " ");
                format!("{} {run} {} {word}: {message}\n", record.at, finished.task)
            })
            .collect();
        if !lines.is_empty() {
            self.append(&lines);
        }
    }
}

/// The remedies among findings.
pub(crate) fn remedies(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| finding.rule == REMEDY)
}
