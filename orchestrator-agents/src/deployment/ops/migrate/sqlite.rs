//! SQLite by its command. It runs in its safe mode, so that a file can neither start programs nor open other files.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::record::{self, Database, LOOK, TABLE};
use crate::deployment::DatabasePath;
use crate::deployment::answer::shortened;
use crate::deployment::migrations::Applied;
use crate::ops::here::Here;
use crate::ops::process;

/// What stands for itself in the path of a URI.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'_').remove(b'-');
/// How long others may hold the database.
const BUSY: &str = ".timeout 30000\n";
const IS_THERE: &str =
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'orchestrate_migrations';\n";
const ROWS: &str = "SELECT hex(name) || ' ' || hex(checksum) || ' ' || hex(applied_at) || ' ' || hex(run) \
    FROM orchestrate_migrations ORDER BY name;\n";
const MAKE: &str = "CREATE TABLE IF NOT EXISTS orchestrate_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, \
    applied_at TEXT NOT NULL, run TEXT NOT NULL);\n";

/// A database in a file.
pub(super) struct File<'h> {
    here: &'h Here,
    path: PathBuf,
}

impl<'h> File<'h> {
    pub(super) fn new(here: &'h Here, path: &DatabasePath) -> Self {
        Self { here, path: here.root.join(path.as_str()) }
    }

    /// Runs statements to their end, or as far as the first that fails.
    fn run(&self, mode: &str, script: &str, limit: Duration) -> Result<String, BoxError> {
        let mut command = process::command(self.here, "sqlite3");
        let uri = format!("file:{}?mode={mode}", percent_encode(self.path.as_os_str().as_bytes(), PLAIN));
        command.args(["-batch", "-bail", "-safe", "-init", "/dev/null"]).arg(uri);
        if let Some(folder) = self.path.parent().filter(|_| mode == "rwc") {
            there(folder)?;
        }
        let ran = process::run(self.here, command, Some(format!("{BUSY}{script}").into_bytes()), Some(limit));
        let output = ran.map_err(|error| format!("{error}: SQLite needs `sqlite3` 3.37 or later on PATH"))?;
        if output.status.success() && output.stderr.is_empty() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = format!("`sqlite3` failed ({}): {}", output.status, shortened(&output.stderr));
        if said.contains("database is locked") {
            Err(Transient(said.into()).into())
        } else {
            Err(said.into())
        }
    }
}

fn there(folder: &Path) -> Result<(), BoxError> {
    let made = std::fs::create_dir_all(folder);
    Ok(made.map_err(|error| format!("`{}` could not be made: {error}", folder.display()))?)
}

impl Database for File<'_> {
    fn is_there(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    fn is_empty(&self) -> Result<bool, BoxError> {
        Ok(!self.is_there() || self.run("rw", "SELECT count(*) FROM sqlite_master;\n", LOOK)?.trim() == "0")
    }

    fn applied(&self) -> Result<Vec<Applied>, BoxError> {
        // Not read-only: what a killed process left is rolled back by whoever looks next, who must be allowed to, and whoever is the
        // last one at a database with a write-ahead log cleans up behind it.
        if !self.is_there() || self.run("rw", IS_THERE, LOOK)?.trim() == "0" {
            return Ok(Vec::new());
        }
        self.run("rw", ROWS, LOOK)?.lines().map(record::row).collect()
    }

    fn script(&self, values: &str, text: &str, limit: Duration) -> Result<(), BoxError> {
        let record = record::insert(TABLE, values);
        // The record comes first, so that of two that apply at once the second ends before it changed anything. A text that
        // is cut off never gets to its COMMIT.
        let script = format!("BEGIN IMMEDIATE;\n{MAKE}{record}{text}\n;\nCOMMIT;\n");
        self.run("rwc", &script, limit).map(drop)
    }
}
