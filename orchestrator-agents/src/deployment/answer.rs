//! An answer to a request, and how it is compared. Pure.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::Pointer;

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Its headers, in order; names in small letters, values as text.
    pub headers: Vec<(String, String)>,
    /// When it was there.
    pub at: Timestamp,
    /// The body, at most [`Answer::LIMIT`] bytes of it.
    pub body: Vec<u8>,
    /// Whether there was more of it.
    pub cut: bool,
    /// Milliseconds from sending until the last byte that was read.
    pub latency_ms: f64,
}

impl Answer {
    /// The most bytes of a body that are read.
    pub const LIMIT: usize = 1 << 20;

    pub(crate) fn check_status(&self, wanted: u16) -> Option<String> {
        (self.status != wanted).then(|| format!("status {} instead of {wanted}", self.status))
    }

    pub(super) fn check_json(&self, wanted: &BTreeMap<Pointer, Value>) -> Vec<String> {
        if wanted.is_empty() {
            return Vec::new();
        }
        let found = match self.json() {
            Ok(found) => found,
            Err(problem) => return vec![problem],
        };
        let wrong = wanted.iter().filter_map(|(pointer, value)| differs(&found, pointer, value));
        wrong.collect()
    }

    pub(crate) fn json(&self) -> Result<Value, String> {
        if self.cut {
            return Err(format!("the body is longer than {} bytes", Self::LIMIT));
        }
        serde_json::from_slice(&self.body).map_err(|error| format!("the body is no JSON: {error}"))
    }
}

/// What is wrong with one value; nothing when it is as wanted.
pub(super) fn differs(found: &Value, pointer: &Pointer, wanted: &Value) -> Option<String> {
    let place = place_of(pointer);
    match found.pointer(pointer.as_str()) {
        Some(value) if same(value, wanted) => None,
        Some(value) => Some(format!("{place} is {} instead of {wanted}", shortened(&value.to_string()))),
        None => Some(format!("{place} is missing; it should be {wanted}")),
    }
}

/// What a pointer points at, for people.
pub(super) fn place_of(pointer: &Pointer) -> &str {
    if pointer.as_str().is_empty() { "the document" } else { pointer.as_str() }
}

/// Equal, where 1 and 1.0 are the same number.
pub(super) fn same(found: &Value, wanted: &Value) -> bool {
    // As fractions, whole numbers beyond 2^53 are like their neighbours.
    let is_whole = |value: &Value| value.is_i64() || value.is_u64();
    found == wanted
        || !(is_whole(found) && is_whole(wanted))
            && matches!((found.as_f64(), wanted.as_f64()), (Some(a), Some(b)) if a.to_bits() == b.to_bits())
}

/// A text of at most 200 characters.
pub(crate) fn shortened(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    if short.len() < text.len() { short + "…" } else { short }
}
