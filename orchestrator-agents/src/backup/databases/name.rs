//! Names of databases in a backup: also names of files in it.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

const LONGEST: usize = 40;

/// What a backup calls a database: `[a-z][a-z0-9_-]*`, at most 40 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatabaseName(String);

impl DatabaseName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DatabaseName {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        let fits = name.len() <= LONGEST
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-'));
        let short: String = name.chars().take(LONGEST).collect();
        let error = format!(
            "`{}` is not a name of a database in a backup: it must match [a-z][a-z0-9_-]* and have at most {LONGEST} characters",
            short.escape_debug()
        );
        if fits { Ok(Self(name)) } else { Err(error) }
    }
}

impl From<DatabaseName> for String {
    fn from(name: DatabaseName) -> Self {
        name.0
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl JsonSchema for DatabaseName {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "DatabaseName".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9_-]*$", "maxLength": LONGEST })
    }
}
