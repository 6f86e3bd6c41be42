//! What is asked of an engine about a container, and what it says.

use std::collections::BTreeMap;

use crate::deployment::{Container, Process};

/// A container that is to be made.
pub(super) struct Wanted<'a> {
    pub(super) container: &'a Container,
    /// What the entry point is given, placeholders filled in.
    pub(super) args: Vec<String>,
    /// Its variables, secrets resolved.
    pub(super) env: BTreeMap<String, String>,
    /// The port on loopback.
    pub(super) publish: u16,
}

/// How a container is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: String,
    pub(super) runs: bool,
    /// It ended, and the engine starts it again in a moment.
    pub(super) returns: bool,
    pub(super) pid: u32,
    /// Milliseconds since 1970.
    pub(super) started_ms: u64,
    pub(super) exit: i64,
    pub(super) out_of_memory: bool,
    /// What the engine says of it, such as why it could not be started.
    pub(super) error: String,
    pub(super) restarts: u64,
    pub(super) most_restarts: u64,
    pub(super) labels: BTreeMap<String, String>,
}

impl Seen {
    /// The process of a container that runs.
    pub(super) fn process(&self) -> Option<Process> {
        let boot = format!("{}{}", Process::CONTAINER, self.id);
        self.runs.then_some(Process { pid: self.pid, started: self.started_ms, boot })
    }

    /// Whether it is the container of that release, and not one that has its name.
    pub(super) fn is(&self, container: &Container) -> bool {
        container.labels.iter().all(|(name, value)| self.labels.get(name) == Some(value))
    }

    /// Whether it failed so often that the engine does not start it any more.
    pub(super) fn gave_up(&self) -> bool {
        !self.runs && !self.returns && self.most_restarts > 0 && self.restarts >= self.most_restarts
    }

    /// How it ended, in words.
    pub(super) fn end(&self) -> String {
        if self.runs {
            return format!("it ended, and runs again after {} restarts", self.restarts);
        }
        let mut words = if self.out_of_memory {
            "killed for want of memory".to_owned()
        } else {
            format!("exit code {}", self.exit)
        };
        if !self.error.is_empty() {
            words = format!("{words}: {}", self.error.chars().take(300).collect::<String>());
        }
        match self.restarts {
            0 => words,
            1 => format!("{words}, after 1 restart"),
            many => format!("{words}, after {many} restarts"),
        }
    }
}
