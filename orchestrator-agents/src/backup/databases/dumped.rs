//! What a snapshot says of a database in it.

use std::collections::BTreeMap;

use orchestrator_core::path::Digest;
use serde::{Deserialize, Serialize};

use super::Database;
use crate::backup::manifest::Stored;

/// A database that was dumped into a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dumped {
    /// The database, and how it was reached; secrets by name.
    pub source: Database,
    /// Its name on the server; for SQLite the path of its file.
    pub database: String,
    /// The dump, compressed by gzip: SQL of a server; for SQLite a tar archive of the copy.
    pub stored: Stored,
    /// Size of the dump before it was compressed.
    pub raw_bytes: u64,
    /// Digest of the dump before it was compressed.
    pub raw_blake3: Digest,
    /// Versions of the tools, by name, and of the server, as `server`.
    pub tools: BTreeMap<String, String>,
    /// Its tables with their rows.
    pub tables: Vec<Table>,
    /// Digest of its schema, as the tools write it.
    pub schema: Digest,
    /// What a new database must be like: encoding and collation by the server's names; for SQLite `mode`, and `sha3`,
    /// which `.sha3sum --schema` gives of what it holds.
    #[serde(default)]
    pub shape: BTreeMap<String, String>,
}

/// A table with its rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Table {
    /// Its name, with the schema where there are schemas.
    pub name: String,
    /// How many rows it has.
    pub rows: u64,
}

impl Dumped {
    /// All rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// Says which tables differ, and in what.
pub(in crate::backup) fn compare(wanted: &[Table], found: &[Table]) -> Vec<String> {
    let map = |tables: &[Table]| -> BTreeMap<String, u64> {
        tables.iter().map(|table| (table.name.clone(), table.rows)).collect()
    };
    let (wanted, mut found) = (map(wanted), map(found));
    let mut wrong = Vec::new();
    for (name, rows) in wanted {
        match found.remove(&name) {
            Some(there) if there == rows => {}
            Some(there) => wrong.push(format!("table `{name}` has {there} rows instead of {rows}")),
            None => wrong.push(format!("table `{name}` is missing")),
        }
    }
    wrong.extend(found.into_keys().map(|name| format!("table `{name}` was not in the database")));
    wrong
}
