//! What cargo prints with `--message-format=json`: one message a line, among lines of what it runs.
//! Format: <https://doc.rust-lang.org/cargo/reference/external-tools.html#json-messages>.

use std::collections::BTreeSet;

use orchestrator_core::evidence::{Finding, Severity};
use serde::Deserialize;

use crate::validation::ran::Ran;
use crate::validation::text;

/// What cargo said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// What the compiler found, each once although several targets share a file.
    pub(super) findings: Vec<Finding>,
    /// Programs that were built: name and path, as printed.
    pub(super) executables: Vec<(String, String)>,
    /// Whether the build ended well; none where cargo did not get that far.
    pub(super) success: Option<bool>,
    /// Lines that begin like a message and are none: the output was cut or garbled.
    pub(super) broken: u64,
}

#[derive(Deserialize)]
#[serde(tag = "reason")]
enum Message {
    #[serde(rename = "compiler-message")]
    Diagnostic { message: Diagnostic },
    #[serde(rename = "compiler-artifact")]
    Artifact { target: Target, profile: Profile, executable: Option<String> },
    #[serde(rename = "build-finished")]
    Finished { success: bool },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

#[derive(Deserialize)]
struct Diagnostic {
    message: String,
    level: String,
    code: Option<Code>,
    #[serde(default)]
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Code {
    code: String,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    line_start: u32,
    column_start: u32,
    is_primary: bool,
}

impl Messages {
    /// Reads all messages among the lines of standard output.
    pub(super) fn of(ran: &Ran<'_>) -> Self {
        let mut messages = Self::default();
        let mut seen = BTreeSet::new();
        for line in ran.stdout.lines().filter(|line| line.starts_with("{\"reason\":")) {
            match serde_json::from_str(line) {
                Ok(Message::Diagnostic { message }) => {
                    let finding = message.finding(ran);
                    messages
                        .findings
                        .extend(finding.filter(|finding| seen.insert(serde_json::to_string(finding).ok())));
                }
                Ok(Message::Artifact { target, profile, executable: Some(path) })
                    if !profile.test && target.kind.iter().any(|kind| kind == "bin" || kind == "example") =>
                {
                    messages.executables.push((target.name, path));
                }
                Ok(Message::Finished { success }) => messages.success = Some(success),
                Ok(Message::Artifact { .. } | Message::Other) => {}
                Err(_) => messages.broken += 1,
            }
        }
        messages
    }

    /// How many findings are that bad.
    pub(super) fn count(&self, severity: Severity) -> u64 {
        self.findings.iter().filter(|finding| finding.severity == severity).count() as u64
    }
}

impl Diagnostic {
    /// None for what only sums others up: "2 warnings emitted", "aborting due to 1 previous error".
    fn finding(self, ran: &Ran<'_>) -> Option<Finding> {
        let severity = match self.level.as_str() {
            "error" | "error: internal compiler error" => Severity::Error,
            "warning" => Severity::Warning,
            "note" | "help" => Severity::Note,
            _ => return None,
        };
        let sums_up = self.message.ends_with("emitted") || self.message.starts_with("aborting due to");
        if self.code.is_none() && self.spans.is_empty() && sums_up {
            return None;
        }
        let rule = self.code.map_or_else(|| "rustc".to_owned(), |code| code.code);
        let mut finding = Finding::new(rule, severity, text::line(&self.message));
        if let Some(span) = self.spans.iter().find(|span| span.is_primary) {
            finding = finding.at(ran.relative(&span.file_name), Some(span.line_start));
            finding.column = Some(span.column_start);
        }
        Some(finding)
    }
}
