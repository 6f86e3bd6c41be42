//! What a plug-in says of itself, checked.

use std::time::Duration;

use orchestrator_core::agent::ConfigError;
use orchestrator_core::id::AgentName;
use schemars::Schema;
use serde::Deserialize;
use serde_json::Value;

use super::{PROTOCOL, Why};

/// The longest time that a plug-in may ask for, for an answer; and the time where it asks for none. Seconds.
const LIMITS: (u64, u64) = (600, 60);

/// What a plug-in says of itself.
pub(super) struct Described {
    pub(super) about: String,
    pub(super) version: String,
    pub(super) config: Checked,
    pub(super) output: Checked,
    /// How long an answer may take.
    pub(super) limit: Duration,
}

/// A JSON Schema, ready to check.
pub(super) struct Checked {
    schema: Value,
    validator: jsonschema::Validator,
}

/// The answer to `describe`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    name: String,
    #[serde(default)]
    about: String,
    #[serde(default = "first")]
    version: String,
    #[serde(default)]
    config_schema: Option<Value>,
    #[serde(default)]
    output_schema: Option<Value>,
    #[serde(default)]
    timeout_seconds: Option<u64>,
}

fn first() -> String {
    "1".into()
}

impl Described {
    pub(super) fn read(name: &AgentName, mut answer: Value) -> Result<Self, Why> {
        // First: the rest may look otherwise in other versions.
        let protocol =
            answer.as_object_mut().and_then(|fields| fields.remove("protocol")).unwrap_or_default();
        if protocol != PROTOCOL {
            return Err(Why::Protocol(short(&protocol.to_string(), 40)));
        }
        let answer: Answer = serde_json::from_value(answer).map_err(|error| Why::Shape(error.to_string()))?;
        if answer.name != name.as_str() {
            return Err(Why::Name(short(&answer.name, 128)));
        }
        let (most, usual) = LIMITS;
        let seconds = answer.timeout_seconds.unwrap_or(usual);
        if seconds == 0 || seconds > most {
            return Err(Why::Shape(format!("`timeout_seconds` is {seconds}, and must be 1 to {most}")));
        }
        Ok(Self {
            about: short(&answer.about, 300),
            version: short(&answer.version, 64),
            config: Checked::new("config_schema", answer.config_schema)?,
            output: Checked::new("output_schema", answer.output_schema)?,
            limit: Duration::from_secs(seconds),
        })
    }
}

impl Checked {
    fn new(field: &'static str, schema: Option<Value>) -> Result<Self, Why> {
        let schema = schema.unwrap_or(Value::Bool(true));
        let wrong = |error: String| Why::Schema { field, error: short(&error, 300) };
        let validator = jsonschema::validator_for(&schema).map_err(|error| wrong(error.to_string()))?;
        Schema::try_from(schema.clone()).map_err(|error| wrong(error.to_string()))?;
        Ok(Self { schema, validator })
    }

    /// The schema, as registries hand it out.
    pub(super) fn schema(&self) -> Schema {
        Schema::try_from(self.schema.clone()).unwrap_or_default()
    }

    /// All that is wrong with a value, with the way to it.
    pub(super) fn wrong(&self, value: &Value) -> Vec<ConfigError> {
        let errors = self.validator.iter_errors(value);
        let wrong = errors.map(|error| {
            let place = error.instance_path().to_string();
            let steps = place.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
            ConfigError { way: steps.collect(), message: short(&error.to_string(), 300) }
        });
        wrong.take(20).collect()
    }
}

/// One line of at most so many characters, without control characters.
pub(super) fn short(text: &str, most: usize) -> String {
    let one = |c: char| if c.is_control() { ' ' } else { c };
    let mut line: String = text.chars().take(most).map(one).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}
