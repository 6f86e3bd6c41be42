//! SQLite by its command. It runs in its safe mode, so that a file can neither start programs nor open other files.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::Transient;
use orchestrator_core::path::{Digest, RelPath};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use crate::deployment::DatabasePath;
use crate::deployment::answer::shortened;
use crate::deployment::migrations::{Applied, Dialect, MOST_BYTES, MigrationFile, check_statements};
use crate::ops::here::Here;
use crate::ops::process;

/// What stands for itself in the path of a URI.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'_').remove(b'-');
/// How long a look may take.
const LOOK: Duration = Duration::from_mins(1);
/// How long others may hold the database.
const BUSY: &str = ".timeout 30000\n";
const IS_THERE: &str =
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'orchestrate_migrations';\n";
const ROWS: &str = "SELECT hex(name) || ' ' || hex(checksum) || ' ' || hex(applied_at) || ' ' || hex(run) \
    FROM orchestrate_migrations ORDER BY name;\n";
const TABLE: &str = "CREATE TABLE IF NOT EXISTS orchestrate_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, \
    applied_at TEXT NOT NULL, run TEXT NOT NULL);\n";

/// A database in a file.
pub(super) struct Database<'h> {
    here: &'h Here,
    path: PathBuf,
}

/// The text of a file, which must be what was planned with.
pub(super) fn text(here: &Here, folder: &RelPath, file: &MigrationFile) -> Result<String, BoxError> {
    let path = folder.under(&here.root).join(&file.name);
    let shown = format!("{folder}/{}", file.name);
    let length =
        std::fs::metadata(&path).map_err(|error| format!("`{shown}` could not be read: {error}"))?.len();
    if length > MOST_BYTES as u64 {
        return Err(format!("`{shown}` is longer than {} MiB", MOST_BYTES >> 20).into());
    }
    let bytes = std::fs::read(&path).map_err(|error| format!("`{shown}` could not be read: {error}"))?;
    if Digest::of(&bytes) != file.digest {
        return Err(format!("`{shown}` was changed since this was planned; run again").into());
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("`{shown}` is not UTF-8"))?;
    match check_statements(&file.name, &text, Dialect::Sqlite) {
        problems if problems.is_empty() => Ok(text),
        problems => Err(problems.join("; ").into()),
    }
}

impl<'h> Database<'h> {
    pub(super) fn new(here: &'h Here, path: &DatabasePath) -> Self {
        Self { here, path: here.root.join(path.as_str()) }
    }

    pub(super) fn is_there(&self) -> bool {
        self.path.symlink_metadata().is_ok()
    }

    /// What was applied, in order of the names. A look makes no database.
    pub(super) fn applied(&self) -> Result<Vec<Applied>, BoxError> {
        if !self.is_there() || self.run("ro", IS_THERE, LOOK)?.trim() == "0" {
            return Ok(Vec::new());
        }
        self.run("ro", ROWS, LOOK)?.lines().map(row).collect()
    }

    /// Applies a file and records it, both or neither. Gives the milliseconds that it took.
    pub(super) fn apply(
        &self,
        file: &MigrationFile,
        text: &str,
        order: &OrderKey,
        timeout: Duration,
    ) -> Result<f64, BoxError> {
        let values =
            [file.name.clone(), file.digest.to_string(), Timestamp::now().to_string(), order.to_string()];
        let values = values.map(|value| format!("'{}'", value.replace('\'', "''"))).join(", ");
        // The record comes first, so that of two that apply at once the second ends before it changed anything. A text that
        // is cut off never gets to its COMMIT.
        let script = format!(
            "BEGIN IMMEDIATE;\n{TABLE}INSERT INTO orchestrate_migrations VALUES ({values});\n{text}\n;\nCOMMIT;\n"
        );
        let begun = Instant::now();
        self.run("rwc", &script, timeout).map_err(|error| about(&file.name, &error))?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
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

/// The same error with the file that it is about; another try may still cure what one cured before.
fn about(file: &str, error: &BoxError) -> BoxError {
    let text = format!("`{file}` was not applied, nothing of it: {error}");
    if error.downcast_ref::<Transient>().is_some() { Transient(text.into()).into() } else { text.into() }
}

fn row(line: &str) -> Result<Applied, BoxError> {
    let odd = || format!("`orchestrate_migrations` has a row that is none of ours: {}", shortened(line));
    let parts: Vec<String> = line.split(' ').map(unhex).collect::<Option<_>>().ok_or_else(odd)?;
    let [name, digest, at, order] = <[String; 4]>::try_from(parts).map_err(|_| odd())?;
    let (digest, at) = (digest.parse().map_err(|_| odd())?, at.parse().map_err(|_| odd())?);
    Ok(Applied { name, digest, at, order })
}

fn unhex(digits: &str) -> Option<String> {
    let pairs = digits.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> =
        pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect();
    String::from_utf8(bytes?).ok()
}
