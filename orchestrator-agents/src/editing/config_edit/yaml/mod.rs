//! YAML: nodes with their places from the parser's events, and changes of text between them. Bytes that a change is not
//! about stay as they are. Anchors, aliases and merge keys are read; where an edit would have to change one, it is refused.

mod emit;
mod scalar;
mod tree;
mod write;

use orchestrator_core::BoxError;
use serde_json::Value;

pub(super) use write::write;

/// What a text says.
pub(super) fn value(text: &str) -> Result<Value, BoxError> {
    Ok(tree::read(text)?.1)
}
