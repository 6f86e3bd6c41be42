//! Several changes of one text, for named actions.

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use serde_json::Value;

use super::edited::Edited;
use super::format::{Format, change};
use super::value::{Op, find};
use super::way::Way;

/// A text and what was done to it so far.
pub(super) struct Several {
    format: Format,
    text: String,
    changed: Vec<String>,
    so: Vec<String>,
}

impl Several {
    /// Begins with a text.
    pub(super) fn of(path: &RelPath, text: &str) -> Result<Self, BoxError> {
        Ok(Self { format: Format::of(path)?, text: text.to_owned(), changed: Vec::new(), so: Vec::new() })
    }

    /// What the text says now.
    pub(super) fn value(&self) -> Result<Value, BoxError> {
        self.format.value(&self.text)
    }

    /// What is at a way now.
    pub(super) fn at(&self, way: &Way) -> Result<Option<Value>, BoxError> {
        Ok(find(&self.value()?, way.parts())?.cloned())
    }

    /// Makes a change.
    pub(super) fn change(&mut self, op: Op<'_>) -> Result<(), BoxError> {
        match change(self.format, &self.text, op)? {
            Edited::Changed { text, said } => {
                self.text = text;
                self.changed.extend(said);
            }
            Edited::AlreadySo { said } => self.so.push(said),
        }
        Ok(())
    }

    /// Says that something is so already.
    pub(super) fn is_so(&mut self, said: String) {
        self.so.push(said);
    }

    /// What became of the text.
    pub(super) fn done(self) -> Edited {
        if self.changed.is_empty() {
            return Edited::AlreadySo { said: self.so.join("; ") };
        }
        Edited::Changed { text: self.text, said: self.changed }
    }
}
