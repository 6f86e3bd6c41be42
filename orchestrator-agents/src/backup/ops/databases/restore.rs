//! `restore-database`: puts databases of a snapshot back where they were.

use std::path::Path;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::{Digest, RelPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::archive::digest;
use super::super::made;
use super::piped::with_context;
use super::{Secrets, reach, sqlite};
use crate::backup::databases::{Database, DatabaseName, Dumped};
use crate::ops::here::{Here, Scratch, blocking};

/// Puts databases of a snapshot in the place of those that are there, which are kept: a file of SQLite and a dump of
/// MySQL in the snapshot, a database of PostgreSQL under another name on its server. To do it again does no harm.
#[derive(Debug, Clone, Copy)]
pub struct RestoreDatabase;

/// Which databases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreDatabaseInput {
    /// The snapshot's folder.
    pub snapshot: RelPath,
    /// Digest that its manifest must have; by default whatever it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Digest>,
    /// Names of the databases; all by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<DatabaseName>,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestoredDatabases {
    /// What was done for each, in words: `replaced database ..; the old one is ..`.
    pub done: Vec<String>,
}

#[async_trait]
impl Operation for RestoreDatabase {
    const NAME: &'static str = "restore-database";
    /// A server is beyond the checkout, and others may use it.
    const EFFECT: Effect = Effect::Publishes;
    type Input = RestoreDatabaseInput;
    type Output = RestoredDatabases;

    async fn call(
        &self,
        input: RestoreDatabaseInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<RestoredDatabases, BoxError> {
        let order = order.clone();
        let (manifest, _) = made::read(&input.snapshot.under(site.root))?;
        let secrets = Secrets::of(manifest.databases.iter().map(|dumped| &dumped.source), site.secrets);
        blocking(site, move |here| {
            let scratch = here.scratch(&order, "restore-database")?;
            restore(here, &input, &secrets, &scratch)
        })
        .await
    }

    /// Doing it again gives the same databases.
    async fn already(
        &self,
        _: &RestoreDatabaseInput,
        _: &OrderKey,
        _: &Site<'_>,
    ) -> Already<RestoredDatabases> {
        Already::NotDone
    }
}

fn restore(
    here: &Here,
    input: &RestoreDatabaseInput,
    secrets: &Secrets,
    scratch: &Scratch,
) -> Result<RestoredDatabases, BoxError> {
    let snapshot = input.snapshot.under(&here.root);
    let (manifest, found) = made::read(&snapshot)?;
    if input.manifest.is_some_and(|wanted| wanted != found) {
        return Err(format!("the manifest of `{}` is not the one that was meant", input.snapshot).into());
    }
    let wanted = chosen(&manifest.databases, &input.databases)?;
    // All dumps are looked at before anything is replaced.
    for dumped in &wanted {
        let stored = &dumped.stored;
        if digest(&snapshot.join(&stored.file))? != (stored.bytes, stored.blake3) {
            return Err(format!("`{}` is damaged; nothing was changed", stored.file).into());
        }
    }
    let mut done = Vec::new();
    for dumped in wanted {
        let name = dumped.source.name();
        here.progress.step(format!("restoring database {name}"), None);
        let said = one(here, dumped, &snapshot, secrets, scratch);
        done.push(said.map_err(|error| secrets.masked(with_context(&error, &format!("database `{name}`"))))?);
    }
    Ok(RestoredDatabases { done })
}

fn chosen<'a>(all: &'a [Dumped], names: &[DatabaseName]) -> Result<Vec<&'a Dumped>, BoxError> {
    if names.is_empty() {
        if all.is_empty() {
            return Err("the backup holds no database: name some under `databases` and back up again".into());
        }
        return Ok(all.iter().collect());
    }
    let find = |name: &DatabaseName| {
        let known: Vec<_> = all.iter().map(|dumped| dumped.source.name().as_str()).collect();
        let error =
            || format!("the backup holds no database `{name}`; it holds: {}", known.join(", ")).into();
        all.iter().find(|dumped| dumped.source.name() == name).ok_or_else(error)
    };
    names.iter().map(find).collect()
}

fn one(
    here: &Here,
    dumped: &Dumped,
    snapshot: &Path,
    secrets: &Secrets,
    scratch: &Scratch,
) -> Result<String, BoxError> {
    let file = snapshot.join(&dumped.stored.file);
    match &dumped.source {
        Database::Sqlite(source) => {
            sqlite::replace(here, dumped, source, &file, &scratch.folder(&format!("sqlite-{}", source.name))?)
        }
        Database::Postgres(server) | Database::Mysql(server) | Database::Mariadb(server) => {
            let (engine, _) = reach(here, &dumped.source, &server.access(), secrets, scratch)?;
            engine.replace(dumped, &file, snapshot)
        }
    }
}
