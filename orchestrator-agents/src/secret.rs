//! The name of a secret in a config.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

/// The name of a secret: `{secret: NAME}`. Its value never stands in a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretName {
    /// Name of the secret.
    pub secret: String,
}

impl<'de> Deserialize<'de> for SecretName {
    /// The error never repeats what stood there: it may be the value.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = serde_json::Value::deserialize(deserializer)?;
        let name =
            given.as_object().filter(|fields| fields.len() == 1).and_then(|fields| fields.get("secret"));
        let name =
            name.and_then(serde_json::Value::as_str).filter(|name| !name.is_empty() && !name.contains("://"));
        let error = || {
            serde::de::Error::custom("a secret is given as `{secret: NAME}`: by its name, never its value")
        };
        name.map(|name| Self { secret: name.to_owned() }).ok_or_else(error)
    }
}
