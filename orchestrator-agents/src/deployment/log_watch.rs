//! Errors in the log of a new version that the old one never had. Pure: reading is in `ops`.
//!
//! Each error line becomes a signature: what differs from line to line (times, numbers, ids, quoted texts) is masked. Signatures
//! of the old version's log are the baseline; what the new one has beyond it is told, and fails where the config says so.

mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use orchestrator_core::evidence::{Finding, Severity};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Pattern;
use signature::Told;

/// The most signatures that are told apart; the rest is counted.
pub(crate) const MOST_SIGNATURES: usize = 1000;

/// What is watched in the log of a new version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogWatch {
    /// The log, relative to the folder of the release; what the service prints by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<orchestrator_core::path::RelPath>,
    /// What an error line holds, any of them. By default words such as `error`, `fatal`, `panic` and `exception`, and in lines of
    /// JSON a `level` of that kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<Pattern>,
    /// Lines that are no errors although they look like it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<Pattern>,
    /// How many new signatures are borne.
    pub max_new: u32,
    /// Whether more of them fail the deployment; they are only told by default.
    pub fail: bool,
}

/// Error lines by signature.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Signatures {
    /// How often each was seen, with a line of it.
    pub seen: BTreeMap<String, Seen>,
    /// Error lines whose signatures were too many to be told apart.
    #[serde(default)]
    pub beyond: u64,
}

/// How often a signature was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seen {
    /// How often.
    pub count: u64,
    /// The first line of it, at most 300 characters.
    pub example: String,
}

impl Signatures {
    /// Takes a line, if it is an error.
    pub fn take(&mut self, line: &str, watch: &LogWatch) {
        let Some(Told { signature, example }) = signature::of(line, watch) else { return };
        self.add(signature, Seen { count: 1, example });
    }

    fn add(&mut self, signature: String, new: Seen) {
        if let Some(seen) = self.seen.get_mut(&signature) {
            seen.count += new.count;
        } else if self.seen.len() >= MOST_SIGNATURES {
            self.beyond += new.count;
        } else {
            self.seen.insert(signature, new);
        }
    }

    /// Takes what another look saw.
    pub fn merge(&mut self, other: Self) {
        for (signature, seen) in other.seen {
            self.add(signature, seen);
        }
        self.beyond += other.beyond;
    }

    /// What is here and not in the baseline, the most frequent first.
    pub fn beyond(&self, baseline: &Self) -> Vec<(String, Seen)> {
        let fresh = self.seen.iter().filter(|(signature, _)| !baseline.seen.contains_key(*signature));
        let mut fresh: Vec<(String, Seen)> =
            fresh.map(|(signature, seen)| (signature.clone(), seen.clone())).collect();
        fresh.sort_by(|(one, a), (two, b)| b.count.cmp(&a.count).then_with(|| one.cmp(two)));
        fresh
    }
}

impl LogWatch {
    /// The most new signatures that are told.
    const TOLD: usize = 20;

    /// What is new in a log, as findings, and why it is too much, where it is and fails.
    pub fn judge(&self, baseline: &Signatures, found: &Signatures) -> (Vec<Finding>, Option<String>) {
        let fresh = found.beyond(baseline);
        let too_many = fresh.len() as u64 + found.beyond > u64::from(self.max_new);
        let severity = if self.fail && too_many { Severity::Error } else { Severity::Warning };
        let mut findings: Vec<Finding> = fresh
            .iter()
            .take(Self::TOLD)
            .map(|(_, Seen { count, example })| {
                Finding::new(
                    "log/new-error",
                    severity,
                    format!("{count} times in the new version's log and never in the old one's: {example}"),
                )
            })
            .collect();
        if fresh.len() > Self::TOLD {
            let more = fresh.len() - Self::TOLD;
            findings.push(Finding::new(
                "log/new-error",
                severity,
                format!("{more} more kinds of new errors are in the log"),
            ));
        }
        let first = fresh.first().map_or("", |(_, seen)| seen.example.as_str());
        let why = format!(
            "{} kinds of errors are new in the log, more than {}, such as: {first}",
            fresh.len(),
            self.max_new
        );
        (findings, (self.fail && too_many).then_some(why))
    }
}
