//! Config values given now, or taken from another task's output: the only way data moves between tasks.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::id::TaskId;

/// Names a field of another task's output: `TASK/field/of/it`, or `TASK` for all of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    /// Whose output.
    pub task: TaskId,
    /// The way to the field, through objects by key and lists by index.
    pub field: Vec<String>,
}

impl Reference {
    /// Reads `TASK/field`.
    pub fn parse(text: &str) -> Result<Self, crate::id::NameError> {
        let mut parts = text.split('/');
        let task = TaskId::new(parts.next().unwrap_or_default())?;
        Ok(Self { task, field: parts.map(str::to_owned).collect() })
    }

    /// The field of `output`; none where there is no such field.
    pub fn find<'v>(&self, output: &'v Value) -> Option<&'v Value> {
        self.field.iter().try_fold(output, |value, key| match value {
            Value::Object(fields) => fields.get(key),
            Value::Array(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// The reference that a value is: an object with `from` and nothing else.
    pub fn of(value: &Value) -> Option<&str> {
        match value {
            Value::Object(fields) if fields.len() == 1 => fields.get("from")?.as_str(),
            _ => None,
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.task)?;
        self.field.iter().try_for_each(|part| write!(f, "/{part}"))
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A config value: given now, or taken from another task's output before the agent sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input<T> {
    /// Given now.
    Given(T),
    /// Taken from another task.
    From(Reference),
}

impl<T> Input<T> {
    /// The value. When an agent plans, references have been replaced by what they name.
    pub fn value(&self) -> Result<&T, UnresolvedInput> {
        match self {
            Self::Given(value) => Ok(value),
            Self::From(reference) => Err(UnresolvedInput(reference.to_string())),
        }
    }
}

impl<T: Default> Default for Input<T> {
    fn default() -> Self {
        Self::Given(T::default())
    }
}

impl<T> From<T> for Input<T> {
    fn from(value: T) -> Self {
        Self::Given(value)
    }
}

/// A reference that was not replaced by its value yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the value of `{0}` is not known yet")]
pub struct UnresolvedInput(String);

impl<T: Serialize> Serialize for Input<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Given(value) => value.serialize(serializer),
            Self::From(reference) => serializer.collect_map([("from", reference)]),
        }
    }
}

impl<'de, T: serde::de::DeserializeOwned> Deserialize<'de> for Input<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let value = Value::deserialize(deserializer)?;
        match Reference::of(&value) {
            Some(from) => Reference::parse(from).map(Self::From).map_err(D::Error::custom),
            None => serde_json::from_value(value).map(Self::Given).map_err(D::Error::custom),
        }
    }
}

impl<T: JsonSchema> JsonSchema for Input<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("Input_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let given = generator.subschema_for::<T>();
        json_schema!({ "anyOf": [given, {
            "type": "object",
            "properties": { "from": { "type": "string", "description": "TASK/field of another task's output" } },
            "required": ["from"],
            "additionalProperties": false
        }] })
    }
}

/// Every reference in a config, with the way to it: `with.tag` is `["tag"]`.
pub fn references(config: &Value) -> Vec<(Vec<String>, String)> {
    fn walk(value: &Value, way: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
        if let Some(from) = Reference::of(value) {
            found.push((way.clone(), from.to_owned()));
            return;
        }
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    way.push(key.clone());
                    walk(value, way, found);
                    way.pop();
                }
            }
            Value::Array(items) => {
                for (index, value) in items.iter().enumerate() {
                    way.push(index.to_string());
                    walk(value, way, found);
                    way.pop();
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(config, &mut Vec::new(), &mut found);
    found
}

/// Replaces every reference by what `output` gives for it; the error names the reference that has no value.
pub fn resolve(
    config: &mut Value,
    output: &mut dyn FnMut(&Reference) -> Option<Value>,
) -> Result<(), String> {
    if let Some(from) = Reference::of(config) {
        let reference = Reference::parse(from).map_err(|error| error.to_string())?;
        *config = output(&reference).ok_or_else(|| format!("`{reference}` has no value"))?;
        return Ok(());
    }
    match config {
        Value::Object(fields) => fields.values_mut().try_for_each(|value| resolve(value, output)),
        Value::Array(items) => items.iter_mut().try_for_each(|value| resolve(value, output)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_are_found_and_replaced() {
        let mut config =
            json!({ "a": { "from": "t/x" }, "b": [1, { "from": "u" }], "c": { "from": "t", "to": 1 } });
        let found = references(&config);
        assert_eq!(found, [(vec!["a".into()], "t/x".into()), (vec!["b".into(), "1".into()], "u".into())]);
        resolve(&mut config, &mut |reference| Some(json!(reference.to_string()))).unwrap();
        assert_eq!(config, json!({ "a": "t/x", "b": [1, "u"], "c": { "from": "t", "to": 1 } }));
        let error = resolve(&mut json!({ "from": "t/x" }), &mut |_| None).unwrap_err();
        assert_eq!(error, "`t/x` has no value");
    }

    #[test]
    fn inputs_read_both_forms() {
        let given: Input<u32> = serde_json::from_value(json!(3)).unwrap();
        assert_eq!(given.value(), Ok(&3));
        let from: Input<u32> = serde_json::from_value(json!({ "from": "t/x" })).unwrap();
        assert_eq!(from.value().unwrap_err().to_string(), "the value of `t/x` is not known yet");
        assert_eq!(serde_json::to_value(&from).unwrap(), json!({ "from": "t/x" }));
        assert!(serde_json::from_value::<Input<u32>>(json!("x")).is_err());
    }
}
