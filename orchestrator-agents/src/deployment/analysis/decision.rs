//! What a look at a watched version decides, with the numbers that made it.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing: look again.
    Hold,
    /// The version gets its next share of the traffic.
    Step,
    /// The version is good.
    Promote,
    /// The version is bad.
    RollBack,
    /// It cannot be told, and time is up: a person decides. Looking again may still tell.
    Inconclusive,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Hold => "hold",
            Self::Step => "step",
            Self::Promote => "promote",
            Self::RollBack => "roll back",
            Self::Inconclusive => "inconclusive",
        })
    }
}

/// What a look decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// What is to be done.
    pub verdict: Verdict,
    /// Why, in one line for people.
    pub why: String,
    /// Every number that it was made of; see `analysis/words.rs` for their names and units.
    pub numbers: BTreeMap<String, f64>,
    /// What would be done were the watch not a shadow; none where it is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub would: Option<Verdict>,
    /// What people should know besides: a leak, a proxy that does not answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<String>,
}
