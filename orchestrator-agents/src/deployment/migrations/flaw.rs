//! What a migration does to those who use the database now.

use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Kind;

/// A remark about a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Flaw {
    /// Name of the file.
    pub file: String,
    /// What the file is.
    pub kind: Kind,
    /// The line of the statement, from 1.
    pub line: u32,
    /// The rule, such as `drop-table`.
    pub rule: String,
    /// How bad it is for a version that runs.
    pub weight: Weight,
    /// What it does, in a sentence.
    pub message: String,
}

/// How bad a statement is for a version that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// It may hold up others while it runs.
    Blocking,
    /// It could not be read, so nobody knows.
    Unread,
    /// It takes away what the old version may need, or data.
    Destructive,
}

impl Flaw {
    /// Whether a person must agree before it is applied beside a running version.
    pub fn needs_approval(&self) -> bool {
        self.kind == Kind::Expand && self.weight > Weight::Blocking
    }

    /// The same as a finding. In a contract file it is what the file is for.
    pub fn finding(&self, folder: &RelPath) -> Finding {
        let severity = match (self.kind, self.weight) {
            (Kind::Contract, Weight::Blocking | Weight::Destructive) => Severity::Note,
            (Kind::Expand, Weight::Destructive) => Severity::Error,
            _ => Severity::Warning,
        };
        let file = if folder.is_root() { self.file.clone() } else { format!("{folder}/{}", self.file) };
        Finding::new(format!("migration/{}", self.rule), severity, &self.message).at(file, Some(self.line))
    }
}
