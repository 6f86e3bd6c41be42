//! Errors in the log of a new version that the old one never had. Pure: reading is in `ops`.
//!
//! Each error line becomes a signature: what differs from line to line (times, numbers, ids, quoted texts) is masked. Signatures
//! of the old version's log are the baseline; what the new one has beyond it is told, and fails where the config says so.

mod signature;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use orchestrator_core::evidence::{Finding, Severity};
use orchestrator_core::path::Digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Pattern;
use signature::{Hide, Told};

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
    /// How many new kinds of errors are borne; a thousand are told apart.
    pub max_new: u32,
    /// What more of them do; they are only told by default.
    pub on_new: OnNew,
}

/// What new kinds of errors in the log of a version do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnNew {
    /// They are told.
    #[default]
    Warn,
    /// Before the version has traffic they fail its deployment; in the watch they are told.
    Fail,
    /// The same, and in the watch they send it back.
    RollBack,
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
        self.take_without(line, watch, &str::to_owned);
    }

    /// Takes a line without what is to be hidden of it, also where its colours or its JSON kept that from being seen.
    pub(crate) fn take_without(&mut self, line: &str, watch: &LogWatch, hide: Hide<'_>) {
        let Some(Told { signature, example }) = signature::of(line, watch, hide) else { return };
        self.add(signature, Seen { count: 1, example });
    }

    /// The same kinds, told apart and not shown, for that reason.
    pub(crate) fn counted(self, why: &str) -> Self {
        let kind = |signature: String| format!("<{}>", Digest::of(signature.as_bytes()).short());
        let example = format!("(not shown: {why})");
        let hidden =
            |(signature, seen): (String, Seen)| (kind(signature), Seen { example: example.clone(), ..seen });
        Self { seen: self.seen.into_iter().map(hidden).collect(), beyond: self.beyond }
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

    /// Leaves out what the baseline has.
    pub fn leave_out(&mut self, baseline: &Self) {
        self.seen.retain(|signature, _| !baseline.seen.contains_key(signature));
    }

    /// The most frequent first.
    pub fn ranked(&self) -> Vec<(&String, &Seen)> {
        let mut ranked: Vec<(&String, &Seen)> = self.seen.iter().collect();
        ranked.sort_by(|(one, a), (two, b)| b.count.cmp(&a.count).then_with(|| one.cmp(two)));
        ranked
    }
}

/// Kinds of errors that are in the log of a new version and not in that of the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fresh {
    /// The most frequent of them, at most twenty.
    pub shown: Signatures,
    /// How many there are.
    pub kinds: u64,
    /// How many of them are there for less than a minute: the version before may log them yet.
    #[serde(default)]
    pub young: u64,
}

impl Fresh {
    /// The most kinds that are told.
    const TOLD: usize = 20;

    /// Of all that is new.
    pub fn of(all: &Signatures, young: u64) -> Self {
        let shown = all.ranked().into_iter().take(Self::TOLD);
        let shown = shown.map(|(signature, seen)| (signature.clone(), seen.clone())).collect();
        Self { shown: Signatures { seen: shown, beyond: 0 }, kinds: all.seen.len() as u64, young }
    }

    /// How many are there long enough.
    pub const fn sure(&self) -> u64 {
        self.kinds.saturating_sub(self.young)
    }
}

impl LogWatch {
    /// The rule of its findings.
    pub(crate) const NEW: &str = "log/new-error";

    /// What is new in a log, as findings, and why so many kinds are too many, where they are and fail.
    pub fn judge(&self, fresh: &Fresh, counted: u64) -> (Vec<Finding>, Option<String>) {
        let Fresh { shown, kinds, young: _ } = fresh;
        let too_many = self.on_new != OnNew::Warn && self.is_too_many(counted);
        let severity = if too_many { Severity::Error } else { Severity::Warning };
        let ranked = shown.ranked();
        let mut findings: Vec<Finding> = ranked
            .iter()
            .map(|(_, Seen { count, example })| {
                Finding::new(
                    Self::NEW,
                    severity,
                    format!("{count} times in the new version's log and never in the old one's: {example}"),
                )
            })
            .collect();
        let more = kinds.saturating_sub(ranked.len() as u64);
        if more > 0 {
            let more = format!("{more} more kinds of new errors are in the log");
            findings.push(Finding::new(Self::NEW, severity, more));
        }
        let first = ranked.first().map_or("", |(_, seen)| seen.example.as_str());
        let max = self.max_new;
        let why = format!("{counted} kinds of errors are new in the log, more than {max}, such as: {first}");
        (findings, too_many.then_some(why))
    }

    /// Whether so many new kinds are more than are borne.
    pub fn is_too_many(&self, kinds: u64) -> bool {
        kinds > u64::from(self.max_new)
    }
}
