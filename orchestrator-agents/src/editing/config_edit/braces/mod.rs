//! What JSON and JavaScript have in common: values in braces and brackets, with their places in the text, and the smallest
//! change of a text for a change of its value.

mod emit;
mod tree;
mod write;

pub(super) use emit::Style;
pub(super) use tree::{Entry, Kind, Node};
pub(super) use write::write;
