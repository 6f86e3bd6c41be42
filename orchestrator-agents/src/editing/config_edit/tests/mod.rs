//! Texts before and after.

mod actions;
mod agent;
mod hostile;
mod json;
mod properties;
mod script;
mod structural;
mod toml;
mod yaml;

use serde_json::{Value, json};

use super::config::{Edit, EditConfig};
use super::edited::Facts;
use super::work::work;

fn config(target: &str, edits: Value) -> EditConfig {
    serde_json::from_value(json!({ "target": target, "edits": edits })).unwrap()
}

/// The text after some edits; the same edits find nothing to do in it.
fn after(target: &str, text: &str, edits: Value) -> String {
    let config = config(target, edits);
    let done = work(&config, text, &Facts::default()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let new = done.text.unwrap_or_else(|| panic!("nothing changed: {:?}", done.said));
    let mut kept = config.clone();
    kept.edits.retain(|edit| !matches!(edit, Edit::Replace(_)));
    if kept.edits.len() == config.edits.len() {
        let again = work(&config, &new, &Facts::default()).unwrap();
        assert_eq!(again.text, None, "{:?}", again.said);
    }
    new
}

fn so(target: &str, text: &str, edits: Value) -> String {
    let done = work(&config(target, edits), text, &Facts::default()).unwrap();
    assert_eq!(done.text, None);
    done.said.join("; ")
}

fn refused(target: &str, text: &str, edits: Value) -> String {
    work(&config(target, edits), text, &Facts::default()).unwrap_err().to_string()
}

fn set(at: &str, value: Value) -> Value {
    json!([{ "set": { "at": at, "value": value } }])
}

fn append(at: &str, value: Value) -> Value {
    json!([{ "append": { "at": at, "value": value } }])
}

fn remove(at: &str) -> Value {
    json!([{ "remove": { "at": at } }])
}

fn drop(at: &str, value: Value) -> Value {
    json!([{ "remove": { "at": at, "value": value } }])
}
