//! Which files are applied when.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a file does to the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Adds; the old version goes on working.
    Expand,
    /// Takes away what no version needs any more.
    Contract,
}

/// When files are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Before the new version starts, beside a running one: expand files.
    Expand,
    /// After the new version was promoted: all that is left.
    Contract,
    /// Before the first version starts: no old one is there that needs anything, so all files in order.
    All,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Expand => "expand",
            Self::Contract => "contract",
            Self::All => "all",
        })
    }
}
