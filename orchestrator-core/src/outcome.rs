//! How tasks end, and why.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did what it was to do.
    Passed,
    /// An earlier result still holds.
    Cached,
    /// It did not; or it found that something is wrong.
    Failed,
    /// It was not started, or a person left it out when asked; the reason says which.
    Skipped,
    /// It was stopped on request.
    Cancelled,
    /// It reaches above the ceiling.
    Withheld,
    /// It needs something that was withheld.
    Deferred,
    /// It waits for a person.
    Waiting,
}

impl Outcome {
    /// All of them, in the order of declaration.
    pub const ALL: [Self; 8] = [
        Self::Passed,
        Self::Cached,
        Self::Failed,
        Self::Skipped,
        Self::Cancelled,
        Self::Withheld,
        Self::Deferred,
        Self::Waiting,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Cached => "cached",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Withheld => "withheld",
            Self::Deferred => "deferred",
            Self::Waiting => "waiting",
        }
    }

    /// Passed, now or before.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Passed | Self::Cached)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a task was not started or did not end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its `when` did not hold.
    Condition,
    /// The user left it out.
    Manual,
    /// A person was asked while the run was under way, and left it out.
    ByHand,
    /// Something that it needs, or its phase or group waits for, did not pass.
    Upstream,
    /// Another task failed and `fail_fast` is on.
    FailFast,
    /// It needs the output of a task that has none.
    NoOutput,
    /// Something before it was withheld.
    Withheld,
    /// The run was cancelled.
    Cancelled,
}

impl Reason {
    /// Whether somebody wanted the task skipped, so that what needs it goes on.
    pub fn lets_go_on(self) -> bool {
        match self {
            Self::Condition | Self::Manual | Self::ByHand => true,
            Self::Upstream | Self::FailFast | Self::NoOutput | Self::Withheld | Self::Cancelled => false,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Condition => "its condition did not hold",
            Self::Manual => "left out",
            Self::ByHand => "skipped by hand",
            Self::Upstream => "something it needs did not pass",
            Self::FailFast => "another task failed first",
            Self::NoOutput => "it needs an output that does not exist",
            Self::Withheld => "something before it was withheld",
            Self::Cancelled => "the run was cancelled",
        })
    }
}

/// Why something failed: what is known, and the causes below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// What failed.
    pub message: String,
    /// Why, from the nearest cause down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
}

impl Failure {
    /// A failure without causes.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new() }
    }

    /// A panic, with what it said.
    pub(crate) fn panicked(message: impl Into<String>, panic: &(dyn std::any::Any + Send)) -> Self {
        let said = panic.downcast_ref::<&str>().copied().map(str::to_owned);
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        Self { message: message.into(), causes: said.into_iter().collect() }
    }

    /// An error with its sources.
    pub fn from_error(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut next = error.source();
        while let Some(source) = next {
            causes.push(source.to_string());
            next = source.source();
        }
        Self { message: error.to_string(), causes }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}
