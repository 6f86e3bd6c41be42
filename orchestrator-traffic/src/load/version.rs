//! Where an answer says which version gave it.

use std::fmt;
use std::str::FromStr;

use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

/// The longest name of a version; what is longer is cut.
const LONGEST: usize = 100;

/// A header, or a field of a JSON body. As text: `header:x-version`, `json:/version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum VersionFrom {
    /// The header of that name.
    Header(HeaderName),
    /// What that JSON pointer (RFC 6901) leads to.
    Json(String),
}

impl VersionFrom {
    pub(super) fn of_head(&self, headers: &HeaderMap) -> Option<String> {
        match self {
            Self::Header(name) => headers.get(name)?.to_str().ok().map(tidy),
            Self::Json(_) => None,
        }
    }

    pub(super) fn of_body(&self, body: &[u8]) -> Option<String> {
        let Self::Json(pointer) = self else { return None };
        let value: serde_json::Value = serde_json::from_slice(body).ok()?;
        match value.pointer(pointer)? {
            serde_json::Value::String(text) => Some(tidy(text)),
            serde_json::Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    pub(super) fn wants_body(&self) -> bool {
        matches!(self, Self::Json(_))
    }
}

/// Short, and without what would upset a screen.
fn tidy(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect()
}

impl FromStr for VersionFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("header", name)) => {
                name.parse().map(Self::Header).map_err(|_| format!("`{name}` is no name of a header"))
            }
            Some(("json", pointer)) if pointer.starts_with('/') => Ok(Self::Json(pointer.to_owned())),
            _ => Err(format!("`{text}` is neither `header:NAME` nor `json:/POINTER`")),
        }
    }
}

impl fmt::Display for VersionFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Json(pointer) => write!(f, "json:{pointer}"),
        }
    }
}

impl TryFrom<String> for VersionFrom {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<VersionFrom> for String {
    fn from(from: VersionFrom) -> Self {
        from.to_string()
    }
}
