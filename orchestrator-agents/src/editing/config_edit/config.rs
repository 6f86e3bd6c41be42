//! Config and output of `config_edit`.

use std::borrow::Cow;

use orchestrator_core::path::RelPath;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::actions;
use super::way::Way;

/// The most edits of one task.
pub(super) const MOST_EDITS: usize = 200;

/// Config of `config_edit`: one file, and either a named action or edits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditConfig {
    /// The file; it must be there.
    pub target: RelPath,
    /// A named action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionName>,
    /// Numbers that actions about thresholds take.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub thresholds: Map<String, Value>,
    /// What else the action takes; each has its own.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
    /// Edits, made in order; at most 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    pub edits: Vec<Edit>,
}

/// One edit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// The value at a way is this one; parents that are missing are made.
    Set(Set),
    /// The list at a way holds this value; it is added at the end, or the list is made.
    Append(Set),
    /// Nothing is at a way, or the list there does not hold a value.
    Remove(Remove),
    /// Code of one shape becomes code of another.
    Replace(Replace),
}

/// A way and a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Where: `jobs.test.steps[0].name`.
    pub at: Way,
    /// What: any value.
    pub value: Value,
}

/// What is to go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    /// Where: `jobs.test.continue-on-error`.
    pub at: Way,
    /// The item of the list there that is to go; without it, all that is there goes.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// An empty value that is given is a value.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// A structural search and replace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replace {
    /// Code to look for; `$A` stands for one node, `$$$A` for any number.
    pub pattern: String,
    /// Code to put there; what `$A` stood for is put in.
    pub with: String,
    /// The language; by default that of the file's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// Languages of structural search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// JavaScript, JSX included.
    JavaScript,
    /// Python.
    Python,
    /// Rust.
    Rust,
}

/// The name of a named action that there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ActionName(String);

impl ActionName {
    /// As pipelines write it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for ActionName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = Cow::<'de, str>::deserialize(deserializer)?.into_owned();
        if actions::action(&name).is_some() {
            return Ok(Self(name));
        }
        let short: String = name.chars().take(60).collect();
        let known = actions::names();
        Err(serde::de::Error::custom(format!("unknown action `{}`; known: {known}", short.escape_debug())))
    }
}

impl JsonSchema for ActionName {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "ActionName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let each = actions::all();
        let each: Vec<_> = each
            .map(|action| serde_json::json!({ "const": action.name, "description": action.about }))
            .collect();
        json_schema!({ "description": "a named action", "oneOf": each })
    }
}

/// What `config_edit` gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EditOutput {
    /// The file.
    pub path: RelPath,
    /// Whether it was changed.
    pub changed: bool,
    /// What changed, or is so already, a line each.
    pub said: Vec<String>,
}
