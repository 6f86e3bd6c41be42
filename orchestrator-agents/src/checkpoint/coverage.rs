//! Coverage reports as counts: how much of each source file was covered. Readers of formats are below; all of them take
//! text that may be hostile and give either exact counts or why there are none.

mod cobertura;
mod coverage_py;
mod format;
mod istanbul;
mod lcov;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use format::Format;

/// What of the code is counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Lines that hold code.
    #[default]
    Lines,
    /// Ways that the code may take.
    Branches,
    /// Functions.
    Functions,
    /// Statements; only Istanbul counts them.
    Statements,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Lines, Self::Branches, Self::Functions, Self::Statements];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Branches => "branches",
            Self::Functions => "functions",
            Self::Statements => "statements",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many there are, and how many of them were covered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Counts {
    /// Covered.
    pub covered: u64,
    /// All.
    pub total: u64,
}

impl Counts {
    /// Counts that make sense: no more are covered than there are.
    fn new(covered: u64, total: u64) -> Result<Self, String> {
        if covered > total {
            return Err(format!("{covered} of {total} are said to be covered"));
        }
        Ok(Self { covered, total })
    }

    /// Counts of yes and no.
    fn of(hits: impl Iterator<Item = bool>) -> Self {
        let mut counts = Self::default();
        for hit in hits {
            counts.total += 1;
            counts.covered += u64::from(hit);
        }
        counts
    }

    fn plus(self, more: Self) -> Result<Self, String> {
        let sum = |a: u64, b: u64| a.checked_add(b).ok_or("its counts are too large to be added up");
        Ok(Self { covered: sum(self.covered, more.covered)?, total: sum(self.total, more.total)? })
    }

    /// The share in percent, for people: cut after two digits, never rounded up. None where there is nothing.
    pub fn percent(self) -> Option<f64> {
        let cut = u128::from(self.covered) * 10_000 / u128::from(self.total.max(1));
        (self.total > 0).then(|| cut as f64 / 100.0)
    }
}

/// Counts by what is counted; none where the format does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Counts>,
    /// Branches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branches: Option<Counts>,
    /// Functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub functions: Option<Counts>,
    /// Statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statements: Option<Counts>,
}

impl Totals {
    /// The counts of one measure.
    pub fn of(&self, measure: Measure) -> Option<Counts> {
        match measure {
            Measure::Lines => self.lines,
            Measure::Branches => self.branches,
            Measure::Functions => self.functions,
            Measure::Statements => self.statements,
        }
    }

    /// Adds what others counted. What only one of them counted is a count of neither.
    pub(super) fn plus(self, more: Self) -> Result<Self, String> {
        let sum = |a: Option<Counts>, b: Option<Counts>| a.zip(b).map(|(a, b)| a.plus(b)).transpose();
        Ok(Self {
            lines: sum(self.lines, more.lines)?,
            branches: sum(self.branches, more.branches)?,
            functions: sum(self.functions, more.functions)?,
            statements: sum(self.statements, more.statements)?,
        })
    }
}

/// One source file of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// Its path, as the report has it.
    pub(super) path: String,
    /// What was counted in it.
    pub(super) totals: Totals,
}

/// A report, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Report {
    /// Its files, in order of their paths, each once.
    pub(super) sources: Vec<Source>,
    /// Folders that paths may be relative to, as the report has them.
    pub(super) folders: Vec<String>,
}

impl Report {
    /// The sum over its files.
    pub(super) fn totals(&self) -> Result<Totals, String> {
        let mut files = self.sources.iter().map(|source| source.totals);
        let first = files.next().unwrap_or_default();
        files.try_fold(first, Totals::plus)
    }
}

#[cfg(test)]
mod tests;
