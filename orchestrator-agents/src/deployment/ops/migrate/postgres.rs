//! PostgreSQL by `psql`, reached as backups reach it: passwords stand in a file in memory, on no command line.

use std::collections::BTreeMap;
use std::time::Duration;

use orchestrator_core::BoxError;

use super::record::{self, Database};
use crate::backup::databases::Access;
use crate::backup::ops::Psql;
use crate::deployment::migrations::Applied;
use crate::ops::here::{Here, Scratch};

const IS_THERE: &str = "SELECT to_regclass('orchestrate_migrations') IS NOT NULL;";
const ROWS: &str = "SELECT encode(convert_to(name, 'UTF8'), 'hex') || ' ' || encode(convert_to(checksum, 'UTF8'), 'hex') || ' ' || \
    encode(convert_to(applied_at, 'UTF8'), 'hex') || ' ' || encode(convert_to(run, 'UTF8'), 'hex') \
    FROM orchestrate_migrations ORDER BY name;";
/// Who applies waits for whoever else does: two that make the table at once would fail.
const TABLE: &str = "SELECT pg_advisory_xact_lock(hashtext('orchestrate_migrations'));\nCREATE TABLE IF NOT EXISTS \
    orchestrate_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TEXT NOT NULL, run TEXT NOT NULL);\n";

/// A database of a server.
pub(super) struct Server {
    psql: Psql,
}

impl Server {
    pub(super) fn new(
        here: &Here,
        access: &Access,
        secrets: BTreeMap<String, String>,
        scratch: &Scratch,
    ) -> Result<Self, BoxError> {
        Ok(Self { psql: Psql::new(here, access, secrets, scratch.path())? })
    }
}

impl Database for Server {
    fn is_there(&self) -> bool {
        true
    }

    fn applied(&self) -> Result<Vec<Applied>, BoxError> {
        if self.psql.run(IS_THERE)?.trim() == "f" {
            return Ok(Vec::new());
        }
        self.psql.run(ROWS)?.lines().map(record::row).collect()
    }

    fn script(&self, record: &str, text: &str, limit: Duration) -> Result<(), BoxError> {
        let limits = format!("SET statement_timeout = {};\nSET lock_timeout = '30s';\n", limit.as_millis());
        // What is cut off never gets to its COMMIT, and `psql` ends at the first error.
        let script = format!("{limits}BEGIN;\n{TABLE}{record}{text}\n;\nCOMMIT;\n");
        self.psql.run(&script).map(drop)
    }
}
