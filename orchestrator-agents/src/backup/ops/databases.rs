//! Databases of a snapshot: dumped, proven by restoring them, put back.

mod credentials;
mod dump_file;
mod engine;
mod mysql;
mod piped;
mod postgres;
mod restore;
mod rows;
pub(super) mod script;
mod session;
mod sql;
mod sqlite;

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orchestrator_core::BoxError;
use orchestrator_core::operation::SecretSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::made;
use crate::backup::databases::{Access, Address, Database, Dumped, check};
use crate::backup::manifest::{Manifest, Name, Unsettled};
use crate::ops::here::{Here, Scratch};
use engine::{Dump, Engine};
use piped::{reworded, with_context};

pub use restore::{RestoreDatabase, RestoreDatabaseInput, RestoredDatabases};

/// A database that was restored into a scratch one and compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VerifiedDatabase {
    /// What the backup calls it.
    pub name: String,
    /// Tables that were compared.
    pub tables: u64,
    /// Rows of all of them.
    pub rows: u64,
    /// Milliseconds that restoring took.
    pub restore_ms: f64,
}

/// Values of the secrets that databases name. It has no `Debug`, so that none gets into a message.
#[derive(Clone, Default)]
pub(super) struct Secrets(BTreeMap<String, String>);

impl Secrets {
    /// Looks up what these databases name; what is not there is an error only when it is needed.
    pub(super) fn of<'a>(
        databases: impl IntoIterator<Item = &'a Database>,
        source: &dyn SecretSource,
    ) -> Self {
        let names = databases.into_iter().flat_map(Database::secrets);
        Self(names.filter_map(|name| Some((name.to_owned(), source.secret(name)?))).collect())
    }

    /// An error without what they hold: a tool may repeat what it was told.
    fn masked(&self, error: BoxError) -> BoxError {
        let text = error.to_string();
        let clean = self.0.values().filter(|value| value.len() >= 4);
        let clean = clean.fold(text.clone(), |text, value| text.replace(value.as_str(), "***"));
        if clean == text { error } else { reworded(&error, clean) }
    }
}

/// `psql` on one database, for others than backups. It has no `Debug`, so that no secret gets into a message.
pub(crate) struct Psql {
    postgres: postgres::Postgres,
    database: String,
    secrets: Secrets,
}

impl Psql {
    /// The database that an address names; `secrets` are values by name.
    pub(crate) fn new(
        here: &Here,
        access: &Access,
        secrets: BTreeMap<String, String>,
        scratch: &Path,
    ) -> Result<Self, BoxError> {
        let address = Address::of(access, &["postgres", "postgresql"], |name| secrets.get(name).cloned())?;
        let database = address.database.clone().ok_or("its URL names no database: give `database`")?;
        let postgres = postgres::Postgres::new(here, address, scratch)?;
        Ok(Self { postgres, database, secrets: Secrets(secrets) })
    }

    /// Runs SQL to its end, or as far as the first error, and gives what it printed. After `limit` the tool is ended.
    pub(crate) fn run(&self, sql: &str, limit: Duration) -> Result<String, BoxError> {
        let ran = self.postgres.sql_within(&self.database, sql, limit);
        ran.map_err(|error| self.secrets.masked(error))
    }
}

/// Dumps databases into a snapshot that is being made in the folder of all snapshots.
pub(super) fn dump(
    here: &Here,
    databases: &[Database],
    secrets: &Secrets,
    snapshot: &Path,
    scratch: &Scratch,
) -> Result<(Vec<Dumped>, Vec<Unsettled>), BoxError> {
    check(databases)?;
    let (mut all, mut unsettled) = (Vec::new(), Vec::new());
    if databases.is_empty() {
        return Ok((all, unsettled));
    }
    DirBuilder::new().mode(0o700).create(snapshot.join("databases"))?;
    let last = snapshot.parent().and_then(last);
    for source in databases {
        here.progress.step(format!("dumping database {}", source.name()), None);
        let earlier = last.as_ref().and_then(|(folder, manifest)| {
            Some((folder, manifest.databases.iter().find(|dumped| dumped.source.name() == source.name())?))
        });
        let (dumped, why) = one(here, source, secrets, snapshot, scratch, earlier.map(|(_, dumped)| dumped))
            .map_err(|error| {
                secrets.masked(with_context(&error, &format!("database `{}`", source.name())))
            })?;
        if let Some((folder, earlier)) = earlier
            && earlier.stored == dumped.stored
        {
            dump_file::link(
                &snapshot.join(&dumped.stored.file),
                &dumped.stored,
                &folder.join(&earlier.stored.file),
            )?;
        }
        let path = Name(dumped.stored.file.clone().into_bytes());
        unsettled.extend(why.into_iter().map(|why| Unsettled { path: path.clone(), why }));
        all.push(dumped);
    }
    fs::File::open(snapshot.join("databases"))?.sync_all()?;
    Ok((all, unsettled))
}

fn one(
    here: &Here,
    source: &Database,
    secrets: &Secrets,
    snapshot: &Path,
    scratch: &Scratch,
    last: Option<&Dumped>,
) -> Result<(Dumped, Vec<String>), BoxError> {
    let (database, dump) = match source {
        Database::Sqlite(file) => {
            (file.path.to_string(), sqlite::dump(here, file, snapshot, &scratch.folder("sqlite")?)?)
        }
        Database::Postgres(server) | Database::Mysql(server) | Database::Mariadb(server) => {
            let (engine, database) = reach(here, source, &server.access(), secrets, scratch)?;
            let database = database.ok_or("its URL names no database: give `database`")?;
            let into = dump_file::DumpFile::new(snapshot, &format!("{}.sql.gz", server.name))?;
            let dump = engine.dump(&database, into, last)?;
            (database, dump)
        }
    };
    let Dump { written, tables, schema, shape, tools, unsettled } = dump;
    let dump_file::Written { stored, raw_bytes, raw_blake3, end: _ } = written;
    let source = source.clone();
    Ok((Dumped { source, database, stored, raw_bytes, raw_blake3, tools, tables, schema, shape }, unsettled))
}

/// A server, and the database that its address names.
fn reach(
    here: &Here,
    source: &Database,
    access: &Access,
    secrets: &Secrets,
    scratch: &Scratch,
) -> Result<(Box<dyn Engine>, Option<String>), BoxError> {
    let schemes: &[&str] = match source {
        Database::Postgres(_) => &["postgres", "postgresql"],
        Database::Mysql(_) | Database::Mariadb(_) | Database::Sqlite(_) => &["mysql", "mariadb"],
    };
    let address = Address::of(access, schemes, |name| secrets.0.get(name).cloned())?;
    let database = address.database.clone();
    let folder = scratch.path();
    let engine: Box<dyn Engine> = match source {
        Database::Postgres(_) => Box::new(postgres::Postgres::new(here, address, folder)?),
        _ => Box::new(mysql::MySql::new(here, &address, source.kind(), folder)?),
    };
    Ok((engine, database))
}

/// Restores every database of a snapshot into a scratch one and compares. Gives what is wrong beside what was compared.
pub(super) fn verify(
    here: &Here,
    manifest: &Manifest,
    snapshot: &Path,
    secrets: &Secrets,
    scratch: &Scratch,
) -> Result<(Vec<VerifiedDatabase>, Vec<String>), BoxError> {
    let (mut verified, mut wrong) = (Vec::new(), Vec::new());
    for dumped in &manifest.databases {
        let name = dumped.source.name();
        here.progress.step(format!("restoring database {name}"), None);
        let file = snapshot.join(&dumped.stored.file);
        let (found, restore_ms) = match &dumped.source {
            Database::Sqlite(_) => {
                let start = Instant::now();
                let found = sqlite::verify(here, dumped, &file, &scratch.folder(&format!("sqlite-{name}"))?);
                found.map(|found| (found, start.elapsed().as_secs_f64() * 1000.0))
            }
            Database::Postgres(server) | Database::Mysql(server) | Database::Mariadb(server) => {
                let access = server.verify.clone().unwrap_or_else(|| server.access());
                reach(here, &dumped.source, &access, secrets, scratch)
                    .and_then(|(engine, _)| engine::verify(&*engine, dumped, &file))
            }
        }
        .map_err(|error| secrets.masked(with_context(&error, &format!("database `{name}`"))))?;
        wrong.extend(found.into_iter().map(|what| format!("database `{name}`: {what}")));
        let (name, tables, rows) = (name.to_string(), dumped.tables.len() as u64, dumped.rows());
        verified.push(VerifiedDatabase { name, tables, rows, restore_ms });
    }
    Ok((verified, wrong))
}

/// The newest snapshot that holds databases.
fn last(all: &Path) -> Option<(PathBuf, Manifest)> {
    let entries = fs::read_dir(all).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = entries.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    names.into_iter().rev().find_map(|name| {
        let folder = all.join(name);
        let (manifest, _) = made::read(&folder).ok()?;
        (!manifest.databases.is_empty()).then_some((folder, manifest))
    })
}
