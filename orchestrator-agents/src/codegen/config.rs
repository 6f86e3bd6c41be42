//! Config of `render-templates`.

use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Config of `render-templates`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenderConfig {
    /// What the templates know as `spec`.
    #[serde(default)]
    pub spec: Spec,
    /// The templates.
    pub templates: Vec<TemplateConfig>,
    /// A filter for all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Filter>,
}

/// Values for templates: a file, or the values themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Value", into = "Value")]
#[schemars(with = "SpecForm")]
pub enum Spec {
    /// A YAML, JSON or TOML file.
    File(RelPath),
    /// The values.
    Values(Map<String, Value>),
}

/// The forms that a spec is written in.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum SpecForm {
    /// A path relative to the root.
    File(String),
    /// The values.
    Values(Map<String, Value>),
}

impl Default for Spec {
    fn default() -> Self {
        Self::Values(Map::new())
    }
}

impl TryFrom<Value> for Spec {
    type Error = String;
    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(path) => RelPath::new(path).map(Self::File).map_err(|error| error.to_string()),
            Value::Object(values) => Ok(Self::Values(values)),
            _ => Err("a spec is the path of a file or a map of values".into()),
        }
    }
}

impl From<Spec> for Value {
    fn from(spec: Spec) -> Self {
        match spec {
            Spec::File(path) => Self::String(path.to_string()),
            Spec::Values(values) => Self::Object(values),
        }
    }
}

/// A template and where it goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateConfig {
    /// The template; what it includes or extends is looked for in its folder.
    pub template: RelPath,
    /// The file that it becomes, itself a template: `src/{{ item.name }}.rs`.
    pub to: String,
    /// Render once for each item that the spec has there (dotted: `api.entities`), as `item`; those of a map have
    /// `key` and `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<String>,
    /// Permission bits of the file where it is written; by default those it has, or 0644.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
    /// A filter for this one instead; one with an empty `stdin` formats nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Filter>,
}

/// A formatter that reads a text from standard input and prints it formatted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// Program and arguments, such as `[rustfmt, --edition, "2024"]`; `{path}` becomes the file's path.
    pub stdin: Vec<String>,
}

impl Filter {
    /// Program and arguments for a file; none where there is nothing to run.
    pub(super) fn argv(&self, path: &RelPath) -> Option<Vec<String>> {
        let argv: Vec<String> = self.stdin.iter().map(|word| word.replace("{path}", path.as_str())).collect();
        (!argv.is_empty()).then_some(argv)
    }
}
