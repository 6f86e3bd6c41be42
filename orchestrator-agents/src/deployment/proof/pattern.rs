//! A regular expression that is checked when it is read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::answer::shortened;

/// The most bytes of a pattern.
const LONGEST: usize = 1000;
/// The most bytes that one may take when it is ready to match.
const LARGEST: usize = 1 << 20;

/// A regular expression in the syntax of Rust's `regex`, which takes time in proportion to the text.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    #[schemars(with = "String")]
    ready: regex::Regex,
}

impl Pattern {
    /// Checks the text.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a pattern has at most {LONGEST} bytes"));
        }
        let ready = regex::RegexBuilder::new(text).size_limit(LARGEST).build();
        ready
            .map(|ready| Self { ready })
            .map_err(|error| format!("`{}` is no pattern: {error}", shortened(text)))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        self.ready.as_str()
    }

    /// Whether a text holds it.
    pub fn is_in(&self, text: &str) -> bool {
        self.ready.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text)
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.ready.as_str().to_owned()
    }
}
