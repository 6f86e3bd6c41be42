//! A JSON Schema that an answer must keep to. References stay within it: nothing is fetched.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::deployment::answer::shortened;

/// The most bytes of a schema.
pub(crate) const LARGEST: usize = 1 << 20;
/// The most problems that are told of one answer.
const MOST: usize = 10;

/// A schema, checked when it is read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Value", into = "Value")]
pub struct AnswerSchema(Value);

impl TryFrom<Value> for AnswerSchema {
    type Error = String;
    fn try_from(schema: Value) -> Result<Self, String> {
        if !schema.is_object() && !schema.is_boolean() {
            return Err("a JSON Schema is an object; one in a file is given by `schema_file`".to_owned());
        }
        ready(&schema).map(|_| Self(schema))
    }
}

impl From<AnswerSchema> for Value {
    fn from(schema: AnswerSchema) -> Self {
        schema.0
    }
}

fn ready(schema: &Value) -> Result<jsonschema::Validator, String> {
    jsonschema::validator_for(schema)
        .map_err(|error| format!("it is no JSON Schema that can be used: {}", shortened(&error.to_string())))
}

impl AnswerSchema {
    /// All that is wrong with a document, with the way to it.
    pub(crate) fn problems(&self, document: &Value) -> Vec<String> {
        let validator = match ready(&self.0) {
            Ok(validator) => validator,
            Err(error) => return vec![error],
        };
        let wrong = validator.iter_errors(document).map(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "the document".to_owned() } else { place };
            format!("{place} breaks the schema: {}", shortened(&error.to_string()))
        });
        wrong.take(MOST).collect()
    }
}
