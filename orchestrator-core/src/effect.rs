//! How far an action reaches.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far an action reaches. A run has a ceiling; a dry run is a run with the ceiling `Reads`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema, Default,
)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Leaves the checkout as git sees it; ignored build and cache folders aside.
    Reads,
    /// Checkout, local refs, state and backup folders.
    #[default]
    Writes,
    /// Remotes, messages, services that outlive the run.
    Publishes,
}

impl Effect {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Publishes => "publishes",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
