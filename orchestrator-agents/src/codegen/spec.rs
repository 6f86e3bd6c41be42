//! The values that templates get.

use orchestrator_core::BoxError;
use orchestrator_core::workspace::Workspace;
use serde_json::Value;

use super::config::Spec;

/// Reads a spec. The error names the file, and the place in it as far as its format gives one.
pub(super) fn read(spec: &Spec, look: &Workspace) -> Result<Value, BoxError> {
    let path = match spec {
        Spec::Values(values) => return Ok(Value::Object(values.clone())),
        Spec::File(path) => path,
    };
    let text = look.read_text(path)?.ok_or_else(|| format!("the spec `{path}` does not exist"))?;
    let extension = path.as_str().rsplit_once('.').map_or("", |(_, extension)| extension);
    let read = match extension.to_ascii_lowercase().as_str() {
        "yaml" | "yml" => serde_saphyr::from_str(&text).map_err(|error| error.to_string()),
        "json" => serde_json::from_str(&text).map_err(|error| error.to_string()),
        "toml" => toml::from_str(&text).map_err(|error| error.to_string()),
        _ => return Err(format!("the spec `{path}` is no .yaml, .yml, .json or .toml file").into()),
    };
    read.map_err(|error| format!("the spec `{path}` could not be read: {error}").into())
}

/// The items that a spec has at a dotted way.
pub(super) fn items(spec: &Value, way: &str) -> Result<Vec<Value>, BoxError> {
    let mut at = spec;
    for key in way.split('.') {
        let next = match at {
            Value::Object(fields) => fields.get(key),
            Value::Array(items) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        at = next.ok_or_else(|| {
            let known: Vec<&str> =
                at.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect();
            let known =
                if known.is_empty() { String::new() } else { format!("; known: {}", known.join(", ")) };
            format!("`for_each: {way}`: the spec has no `{key}` there{known}")
        })?;
    }
    match at {
        Value::Array(items) => Ok(items.clone()),
        Value::Object(fields) => {
            let entry = |(key, value): (&String, &Value)| serde_json::json!({ "key": key, "value": value });
            Ok(fields.iter().map(entry).collect())
        }
        _ => Err(format!("`for_each: {way}`: the spec has neither a list nor a map there").into()),
    }
}
