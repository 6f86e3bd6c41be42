//! What databases have in common: the record of a file, and the files themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Site, Transient};
use orchestrator_core::path::{Digest, RelPath};

use super::super::owned;
use super::commands::Tool;
use super::{MigrateInput, postgres, sqlite};
use crate::deployment::answer::shortened;
use crate::deployment::migrations::{
    Applied, Dialect, MOST_BYTES, MigratedDatabase, MigrationFile, check_statements,
};
use crate::ops::here::{Here, Scratch};

/// The table of the record.
pub(super) const TABLE: &str = "orchestrate_migrations";
/// How long a look may take.
pub(super) const LOOK: Duration = Duration::from_mins(1);

/// A database that remembers by itself what was applied.
pub(super) trait Database {
    /// Whether there is one already.
    fn is_there(&self) -> bool;
    /// Whether nothing is in it that a version may need.
    fn is_empty(&self) -> Result<bool, BoxError>;
    /// What was applied, in order of the names. A look makes nothing.
    fn applied(&self) -> Result<Vec<Applied>, BoxError>;
    /// Carries out a text with its record in one transaction: all of it or nothing. Ended after `limit`.
    fn script(&self, values: &str, text: &str, limit: Duration) -> Result<(), BoxError>;
    /// What was applied, once nothing of a script that failed goes on.
    fn settled(&self) -> Result<Vec<Applied>, BoxError> {
        self.applied()
    }
}

/// The statement that records a file.
pub(super) fn insert(table: &str, values: &str) -> String {
    format!("INSERT INTO {table} (name, checksum, applied_at, run) VALUES ({values});\n")
}

/// What it takes to reach a database, secrets resolved. It has no `Debug`, so that none gets into a message.
pub(super) enum Means {
    Sqlite,
    Postgres(BTreeMap<String, String>),
    Tool(Tool),
}

impl Means {
    pub(super) fn of(input: &MigrateInput, site: &Site<'_>) -> Result<Self, BoxError> {
        Ok(match &input.database {
            MigratedDatabase::Sqlite(_) => Self::Sqlite,
            MigratedDatabase::Postgres(access) => {
                let names = [&access.password, &access.url].into_iter().flatten().map(|name| &name.secret);
                Self::Postgres(
                    names.filter_map(|name| Some((name.clone(), site.secrets.secret(name)?))).collect(),
                )
            }
            MigratedDatabase::Command(commands) => Self::Tool(Tool::of(commands, site)?),
        })
    }

    /// The database; none where a tool of the user knows it.
    pub(super) fn database<'h>(
        &self,
        here: &'h Here,
        input: &MigrateInput,
        scratch: &Scratch,
    ) -> Result<Option<Box<dyn Database + 'h>>, BoxError> {
        Ok(match (self, &input.database) {
            (Self::Sqlite, MigratedDatabase::Sqlite(path)) => Some(Box::new(sqlite::File::new(here, path))),
            (Self::Postgres(secrets), MigratedDatabase::Postgres(access)) => Some(Box::new(
                postgres::Server::new(here, access, secrets.clone(), scratch, input.timeout.duration())?,
            )),
            _ => None,
        })
    }
}

/// Applies a file and records it, both or neither. Gives the milliseconds that it took; none where another order was faster.
pub(super) fn apply(
    database: &dyn Database,
    file: &MigrationFile,
    text: &str,
    order: &OrderKey,
    limit: Duration,
) -> Result<Option<f64>, BoxError> {
    let values =
        [file.name.clone(), file.digest.to_string(), Timestamp::now().to_string(), order.to_string()];
    let values = values.map(|value| format!("'{}'", value.replace('\'', "''"))).join(", ");
    let begun = std::time::Instant::now();
    let failed = database.script(&values, text, limit).err();
    let took_ms = begun.elapsed().as_secs_f64() * 1e3;
    // The tool may have failed, or been killed, after its COMMIT; of two that apply at once the second one fails; and one that told of
    // no error may never have got to its COMMIT. The record tells.
    let rows = if failed.is_some() { database.settled() } else { database.applied() };
    let found = rows.map(|rows| rows.into_iter().find(|row| row.name == file.name));
    let was_told = failed.is_some();
    let error = failed.unwrap_or_else(|| "its tool told of no error".into());
    match found {
        Ok(Some(row)) if row.order == order.to_string() => Ok(Some(took_ms)),
        Ok(Some(row)) if row.digest == file.digest => Ok(None),
        Ok(Some(_)) => Err(about(&file.name, "was applied by another run in another form", &error)),
        Ok(None) if !was_told => {
            Err(about(&file.name, "is not on record after it was applied; look what is there of it", &error))
        }
        Ok(None) => Err(about(&file.name, "was not applied, nothing of it", &error)),
        Err(unseen) => {
            let what = format!("may have been applied, which cannot be seen ({unseen})");
            Err(about(&file.name, &what, &error))
        }
    }
}

/// The same error with the file that it is about; another try may still cure what one cured before.
fn about(file: &str, what: &str, error: &BoxError) -> BoxError {
    let text = format!("`{file}` {what}: {error}");
    if error.downcast_ref::<Transient>().is_some() { Transient(text.into()).into() } else { text.into() }
}

/// The text of a file, which must be what was planned with.
pub(super) fn text(
    here: &Here,
    folder: &RelPath,
    file: &MigrationFile,
    dialect: Dialect,
) -> Result<String, BoxError> {
    let path = folder.join(&file.name)?;
    let text = owned::text(&path, &here.root, MOST_BYTES)?;
    if Digest::of(text.as_bytes()) != file.digest {
        return Err(format!("`{path}` was changed since this was planned; run again").into());
    }
    match check_statements(&file.name, &text, dialect) {
        problems if problems.is_empty() => Ok(text),
        problems => Err(problems.join("; ").into()),
    }
}

/// A row of the table, each of its four values as hexadecimal digits.
pub(super) fn row(line: &str) -> Result<Applied, BoxError> {
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
