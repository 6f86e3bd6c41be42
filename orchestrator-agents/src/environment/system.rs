//! Which system this is: what helps differs, and some checks are only for one of them.

use serde::{Deserialize, Serialize};

/// Which system this is. Seen in the survey, so that concluding stays pure.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    #[serde(default)]
    system: Kind,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Macos,
    #[default]
    Other,
}

impl System {
    /// The system that this program was built for.
    pub(crate) fn here() -> Self {
        Self { system: if cfg!(target_os = "macos") { Kind::Macos } else { Kind::Other } }
    }

    pub(crate) fn is_macos(self) -> bool {
        self.system == Kind::Macos
    }
}
