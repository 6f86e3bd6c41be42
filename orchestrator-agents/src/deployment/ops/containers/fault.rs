//! How asking an engine fails.

use std::path::Path;
use std::time::Duration;

use crate::deployment::ops::error::DeployError;

/// How asking an engine fails.
#[derive(Debug)]
pub(super) enum Fault {
    /// Nobody answers.
    Silent(String),
    /// It did not answer in time.
    Hangs(Duration),
    /// It answered that it cannot.
    Said { code: u16, message: String },
    /// It answered something that makes no sense.
    Nonsense(String),
}

/// The most characters of what an engine says that are told.
const LONGEST: usize = 1500;

impl Fault {
    /// Whether a port that was to be published is taken. Engines say so in words only.
    pub(super) fn is_port(&self) -> bool {
        let Self::Said { message, .. } = self else { return false };
        ["port is already allocated", "address already in use", "bind: address"]
            .iter()
            .any(|says| message.contains(says))
    }

    /// As an error: what could not be done by the engine at that socket.
    pub(super) fn about(self, socket: &Path, what: impl Into<String>) -> DeployError {
        let (what, socket) = (what.into(), socket.to_owned());
        match self {
            Self::Silent(why) => DeployError::NoEngine { socket, why },
            Self::Hangs(after) => DeployError::NoEngine {
                socket,
                why: format!("it did not {what} within {} s", after.as_secs()),
            },
            Self::Said { message, .. } => {
                let message =
                    message.trim().chars().filter(|c| !c.is_control() || *c == '\n').take(LONGEST).collect();
                DeployError::Engine { what, message }
            }
            Self::Nonsense(why) => {
                DeployError::Engine { what, message: format!("its answer makes no sense: {why}") }
            }
        }
    }
}
