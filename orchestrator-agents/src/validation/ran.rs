//! A tool's run as its reader sees it: how it ended, what it printed, and the evidence for what is read from that.

use orchestrator_core::BoxError;
use orchestrator_core::agent::{Conclusion, Verdict};
use orchestrator_core::evidence::{Evidence, Finding, Metric};
use orchestrator_core::order::{Artifact, Artifacts, Receipt, Status};
use orchestrator_core::path::RelPath;

use super::text;
use crate::ended::ended;

/// A tool that ran, and what it printed.
#[derive(Debug)]
pub struct Ran<'a> {
    receipt: &'a Receipt,
    tool: &'a str,
    command: String,
    version: Option<String>,
    root: Option<String>,
    cwd: &'a RelPath,
    /// What it printed, without colours; bytes that are no UTF-8 are replaced.
    pub stdout: String,
    /// What it printed to standard error, likewise.
    pub stderr: String,
}

/// How a tool was called.
#[derive(Debug, Clone)]
pub(crate) struct Called<'a> {
    pub(crate) tool: &'a str,
    pub(crate) command: String,
    pub(crate) version: Option<String>,
    pub(crate) root: Option<String>,
    pub(crate) cwd: &'a RelPath,
}

impl<'a> Ran<'a> {
    pub(crate) fn read(
        called: Called<'a>,
        receipt: &'a Receipt,
        artifacts: &Artifacts<'_>,
    ) -> Result<Self, BoxError> {
        let Called { tool, command, version, root, cwd } = called;
        let stdout = text::plain(&artifacts.text(receipt.stdout.as_ref())?);
        let stderr = text::plain(&artifacts.text(receipt.stderr.as_ref())?);
        Ok(Self { receipt, tool, command, version, root, cwd, stdout, stderr })
    }

    /// Whether it ended with exit code 0.
    pub fn ok(&self) -> bool {
        self.receipt.ok()
    }

    /// Its exit code; none where it did not exit by itself.
    pub fn code(&self) -> Option<i32> {
        match self.receipt.status {
            Status::Exited(code) => Some(code),
            _ => None,
        }
    }

    /// Whether what it printed was longer than what is read of it, so that no count can be trusted.
    pub fn is_cut(&self) -> bool {
        self.receipt.stdout.iter().chain(&self.receipt.stderr).any(|output| output.bytes > Artifacts::LIMIT)
    }

    /// Where a figure comes from that was read from standard output.
    pub fn evidence(&self) -> Evidence {
        self.evidence_in(self.receipt.stdout.as_ref())
    }

    /// Where a figure comes from that was read from standard error.
    pub fn stderr_evidence(&self) -> Evidence {
        self.evidence_in(self.receipt.stderr.as_ref())
    }

    fn evidence_in(&self, output: Option<&Artifact>) -> Evidence {
        let mut evidence = Evidence::of(self.tool).command(&self.command).artifact(output);
        evidence.version.clone_from(&self.version);
        evidence
    }

    /// A count that was read from standard output.
    pub fn metric(&self, name: &str, value: u64) -> Metric {
        Metric::new(name, value as f64, "count", self.evidence())
    }

    /// How it ended, for people: "`cargo fmt --check` ended with exit code 1".
    pub fn ended(&self) -> String {
        ended(&self.command, &self.receipt.status)
    }

    /// How it ended, with the line of its output that says most about why.
    pub fn why(&self) -> String {
        let lines = || self.stderr.lines().chain(self.stdout.lines()).map(str::trim);
        let error = lines().find(|line| {
            let line = line.trim_start_matches("npm ").to_lowercase();
            line.starts_with("error") || line.starts_with("err!")
        });
        let last = || lines().rfind(|line| !line.is_empty());
        match error.or_else(last) {
            Some(line) if self.code().is_some() => format!("{}: {}", self.ended(), text::line(line)),
            _ => self.ended(),
        }
    }

    /// Failed, for the way that it ended.
    pub fn failed<O>(&self, findings: Vec<Finding>) -> Verdict<O> {
        Verdict::Failed(Conclusion::new(self.why(), ()).findings(findings))
    }

    /// A path that it printed, relative to the root where it lies below it.
    pub fn relative(&self, path: &str) -> String {
        if path.starts_with('/') {
            let below = self.root.as_deref().and_then(|root| path.strip_prefix(root)?.strip_prefix('/'));
            return below.unwrap_or(path).to_owned();
        }
        self.cwd.join(path).map_or_else(|_| path.to_owned(), |path| path.to_string())
    }
}
