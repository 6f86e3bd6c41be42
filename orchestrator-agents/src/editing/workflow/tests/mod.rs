//! Workflows as people write them, before and after each edit.

mod cases;
mod faults;
mod linted;
mod places;
mod shapes;
mod shown;

use orchestrator_core::path::RelPath;
use serde_json::{Map, Value};

use super::{ACTIONS, Named};
use crate::editing::config_edit::edited::{ActionInput, EditResult, Edited, Facts};

/// A workflow of the fixtures, by its name.
pub(super) fn fixture(name: &str) -> &'static str {
    match name {
        "ci" => include_str!("../../../../fixtures/workflows/ci.yml"),
        "four" => include_str!("../../../../fixtures/workflows/four.yml"),
        "python" => include_str!("../../../../fixtures/workflows/python.yml"),
        "flow" => include_str!("../../../../fixtures/workflows/flow.yml"),
        "release" => include_str!("../../../../fixtures/workflows/release.yml"),
        "small" => include_str!("../../../../fixtures/workflows/small.yml"),
        other => panic!("there is no fixture `{other}`"),
    }
}

/// The names of all fixtures.
pub(super) const FIXTURES: [&str; 6] = ["ci", "four", "python", "flow", "release", "small"];

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// What an action makes of a text with these options.
pub(super) fn edit(action: &str, text: &str, options: Value, thresholds: Value, facts: &Facts) -> EditResult {
    let Named { apply, .. } =
        ACTIONS.iter().find(|named| named.name == action).unwrap_or_else(|| panic!("no action `{action}`"));
    let path = RelPath::new(".github/workflows/ci.yml").unwrap();
    let (options, thresholds) = (map(options), map(thresholds));
    apply(text, &ActionInput { path: &path, thresholds: &thresholds, options: &options, facts })
}

/// What it becomes; panics where it does not change.
pub(super) fn changed(action: &str, text: &str, options: Value) -> String {
    match edit(action, text, options, Value::Null, &Facts::default()) {
        Ok(Edited::Changed { text, .. }) => text,
        other => panic!("{action}: {other:?}"),
    }
}

/// Why it does not.
pub(super) fn refused(action: &str, text: &str, options: Value) -> String {
    match edit(action, text, options, Value::Null, &Facts::default()) {
        Err(error) => error.to_string(),
        other => panic!("{action}: {other:?}"),
    }
}

/// What is so already.
pub(super) fn already(action: &str, text: &str, options: Value) -> String {
    match edit(action, text, options, Value::Null, &Facts::default()) {
        Ok(Edited::AlreadySo { said }) => said,
        other => panic!("{action}: {other:?}"),
    }
}

pub(super) fn yaml(text: &str) -> Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).unwrap_or_else(|error| panic!("{error}\n{text}"))
}
