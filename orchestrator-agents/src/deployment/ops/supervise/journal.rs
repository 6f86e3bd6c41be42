//! `supervise.log`: what a supervisor did, one line each.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use jiff::Timestamp;

use super::rotate::rotate;

/// The log of a supervisor.
#[derive(Debug, Clone)]
pub(super) struct Journal(PathBuf);

impl Journal {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Adds a line. What cannot be written is let go: a full disk must not end a supervisor.
    pub(super) fn note(&self, text: impl Display) {
        let line = format!("{:.3} {text}\n", Timestamp::now());
        let file = OpenOptions::new().create(true).append(true).open(&self.0);
        let _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
        let _ = rotate(&self.0);
    }
}
