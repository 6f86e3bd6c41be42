//! Measured values and located remarks, each with where it comes from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::path::{Digest, RelPath};

/// Where a figure comes from. When it was measured, and by which order, is in the journal beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// The tool that measured it, such as `cargo test`.
    pub tool: String,
    /// Its version, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Digest of the output or file that the figure was read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<Digest>,
    /// Where that file is, relative to the run's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<RelPath>,
}

impl Evidence {
    /// Evidence of a tool alone.
    pub fn of(tool: impl Into<String>) -> Self {
        Self { tool: tool.into(), ..Self::default() }
    }

    /// Adds the command line.
    #[must_use]
    pub fn command(mut self, command: impl std::fmt::Display) -> Self {
        self.command = Some(command.to_string());
        self
    }

    /// Adds the output that the figure was read from.
    #[must_use]
    pub fn artifact(mut self, artifact: Option<&crate::order::Artifact>) -> Self {
        self.artifact = artifact.map(|artifact| artifact.digest);
        self.place = artifact.map(|artifact| artifact.place.clone());
        self
    }
}

/// A measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Metric {
    /// What was measured, such as `tests.passed`.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Its unit, such as `bytes`, `ms`, `count`.
    pub unit: String,
    /// Where it comes from.
    pub evidence: Evidence,
}

impl Metric {
    /// A measured value.
    pub fn new(name: impl Into<String>, value: f64, unit: impl Into<String>, evidence: Evidence) -> Self {
        Self { name: name.into(), value, unit: unit.into(), evidence }
    }
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Worth mending.
    Warning,
    /// Wrong.
    Error,
}

/// A located remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The rule that it breaks, such as `clippy::unwrap_used`.
    pub rule: String,
    /// How bad.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// Where, relative to the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl Finding {
    /// A remark without a place.
    pub fn new(rule: impl Into<String>, severity: Severity, message: impl Into<String>) -> Self {
        Self { rule: rule.into(), severity, message: message.into(), file: None, line: None, column: None }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, line: Option<u32>) -> Self {
        self.file = Some(file.into());
        self.line = line;
        self
    }
}
