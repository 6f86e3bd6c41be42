//! The recording of a watch as values: what was looked for, what each look saw, what was decided.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Decision, Sample, WatchConfig};

/// A line of a recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", untagged)]
pub enum Line {
    /// A watch began.
    Watch {
        /// What it looks for.
        config: Box<WatchConfig>,
    },
    /// A look.
    Sample {
        /// Which one, from 0.
        look: u64,
        /// What it saw.
        sample: Sample,
    },
    /// What a look decided.
    Decision {
        /// Which one.
        look: u64,
        /// What was decided.
        decision: Decision,
    },
}
