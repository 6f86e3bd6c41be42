//! What a person answers a manual task: read from whatever came by the signal, never believed to be well-formed.

use std::fmt;

use jiff::Timestamp;
use orchestrator_core::json::Json;
use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
pub const MAX_BY: usize = 256;
/// The longest note, in bytes.
pub const MAX_NOTE: usize = 64 << 10;

/// What a person answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What becomes of the task.
    pub decision: Decision,
    /// Who says so.
    #[serde(default)]
    pub by: String,
    /// What they noted.
    #[serde(default)]
    pub note: String,
    /// When they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// What becomes of a manual task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It is done.
    Done,
    /// It is left out; what needs it goes on.
    Skip,
    /// It fails, and what needs it does not start.
    Abort,
}

/// Why an answer is none.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// It is not of the shape of an answer.
    #[error("it is not `{{\"decision\": \"done\"|\"skip\"|\"abort\", \"by\": .., \"note\": ..}}`: {0}")]
    Shape(String),
    /// A text in it is too long.
    #[error("`{field}` has {bytes} bytes, at most {limit} are taken")]
    Long {
        /// Which.
        field: &'static str,
        /// How long it is.
        bytes: usize,
        /// How long it may be.
        limit: usize,
    },
}

impl Answer {
    /// Reads what a signal brought. Who sent it counts where the answer names nobody. Control characters that move a cursor or
    /// change colours are replaced.
    pub fn of(payload: &Json, from: &str) -> Result<Self, AnswerError> {
        let shape = |error: String| {
            let short: String = plain(error).chars().take(200).collect();
            AnswerError::Shape(short)
        };
        if payload.is_null() {
            return Err(shape("it brought nothing".into()));
        }
        let mut answer: Self = payload.parse().map_err(|error| shape(error.to_string()))?;
        if answer.by.is_empty() {
            answer.by = from.chars().take(MAX_BY / 4).collect();
        }
        answer.check()?;
        answer.by = plain(answer.by).replace(['\n', '\t'], " ").trim().to_owned();
        answer.note = plain(answer.note).trim().to_owned();
        Ok(answer)
    }

    /// Whether its texts are short enough.
    pub fn check(&self) -> Result<(), AnswerError> {
        for (field, text, limit) in [("by", &self.by, MAX_BY), ("note", &self.note, MAX_NOTE)] {
            if text.len() > limit {
                return Err(AnswerError::Long { field, bytes: text.len(), limit });
            }
        }
        Ok(())
    }
}

/// On one line: "done by Ada: looks good".
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.by.is_empty() { String::new() } else { format!(" by {}", self.by) };
        let first = self.note.lines().next().unwrap_or_default();
        let mut note: String = first.chars().take(200).collect();
        if note.len() < self.note.len() {
            note.push('…');
        }
        let note = if note.is_empty() { note } else { format!(": {note}") };
        write!(f, "{}{by}{note}", self.decision)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Skip => "skipped",
            Self::Abort => "aborted",
        })
    }
}

/// The text with a mark in the place of every control character but line ends and tabs.
fn plain(text: String) -> String {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if text.contains(odd) { text.replace(odd, "\u{fffd}") } else { text }
}
