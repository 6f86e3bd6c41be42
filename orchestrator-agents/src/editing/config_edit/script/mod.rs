//! Configurations in JavaScript and TypeScript: the object that a module exports, as nodes with their places in the text.
//! Only what is written out is edited; what is computed at the way is refused with why.

mod tree;

use orchestrator_core::BoxError;
use serde_json::Value;

use super::braces::{self, Style};
use super::value::Op;

pub(super) use tree::Dialect;

/// What a text says.
pub(super) fn value(text: &str, dialect: Dialect) -> Result<Value, BoxError> {
    Ok(tree::read(text, dialect)?.value())
}

/// Makes a change that is known to change the value.
pub(super) fn write(text: &str, dialect: Dialect, op: Op<'_>) -> Result<String, BoxError> {
    braces::write(text, &Style::script(text), op, &|text| tree::read(text, dialect))
}
