//! PostgreSQL by `psql`, reached as backups reach it: passwords stand in a file in memory, on no command line.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;
use orchestrator_core::path::Digest;

use super::record::{self, Database, LOOK, TABLE};
use crate::backup::databases::Access;
use crate::backup::ops::Psql;
use crate::deployment::migrations::Applied;
use crate::ops::here::{Here, Scratch};
use crate::ops::process::ProcessError;

/// The table of the record with its schema, where this connection looks for it.
const FIND: &str = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.oid = to_regclass('orchestrate_migrations');";
const ROWS: &str = "SELECT encode(convert_to(name, 'UTF8'), 'hex') || ' ' || encode(convert_to(checksum, 'UTF8'), 'hex') || ' ' || \
    encode(convert_to(applied_at, 'UTF8'), 'hex') || ' ' || encode(convert_to(run, 'UTF8'), 'hex') FROM";
/// Who applies waits for whoever else does: two that make the table at once would fail.
const ALONE: &str = "SELECT pg_advisory_xact_lock(hashtext('orchestrate_migrations'));\n";
const MAKE: &str = "CREATE TABLE IF NOT EXISTS orchestrate_migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, \
    applied_at TEXT NOT NULL, run TEXT NOT NULL);\n";
/// Whether there is nothing but what the system and its extensions made.
const IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend d WHERE \
    d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'));";
/// What a look takes at least on a machine that has much to do, also where files may take less.
const SHORTEST: Duration = Duration::from_secs(20);
/// How often it is looked whether the server is done with what was ended here, and what lies between.
const SETTLES: (u32, Duration) = (60, Duration::from_millis(500));

/// A database of a server.
pub(super) struct Server {
    psql: Psql,
    /// What bounds a look.
    look: Duration,
    /// By which the server knows what this order does.
    name: String,
    /// The table of the record with its schema, once it was found: a migration may change where the next connection looks.
    table: OnceCell<String>,
}

impl Server {
    pub(super) fn new(
        here: &Here,
        access: &Access,
        secrets: BTreeMap<String, String>,
        scratch: &Scratch,
        limit: Duration,
    ) -> Result<Self, BoxError> {
        let psql = Psql::new(here, access, secrets, scratch.path())?;
        let own = Digest::of(scratch.path().as_os_str().as_bytes()).to_string();
        let name = format!("orchestrate {}", &own[..16]);
        Ok(Self { psql, look: limit.clamp(SHORTEST, LOOK), name, table: OnceCell::new() })
    }

    /// Asks what is done in no time, unless the server hangs.
    fn ask(&self, sql: &str) -> Result<String, BoxError> {
        self.psql.run(sql, self.look).map_err(|error| match error.downcast_ref() {
            Some(ProcessError::TimedOut { .. }) => {
                Transient(format!("the server of the database does not answer: {error}").into()).into()
            }
            _ => error,
        })
    }

    /// The table of the record; none where there is none yet.
    fn table(&self) -> Result<Option<&str>, BoxError> {
        if let Some(table) = self.table.get() {
            return Ok(Some(table));
        }
        let found = self.ask(FIND)?;
        let found = found.trim();
        Ok((!found.is_empty()).then(|| self.table.get_or_init(|| found.to_owned()).as_str()))
    }
}

impl Database for Server {
    fn is_there(&self) -> bool {
        true
    }

    fn is_empty(&self) -> Result<bool, BoxError> {
        Ok(self.ask(IS_EMPTY)?.trim() == "t")
    }

    fn applied(&self) -> Result<Vec<Applied>, BoxError> {
        let Some(table) = self.table()? else { return Ok(Vec::new()) };
        self.ask(&format!("{ROWS} {table} ORDER BY name;"))?.lines().map(record::row).collect()
    }

    fn script(&self, values: &str, text: &str, limit: Duration) -> Result<(), BoxError> {
        let (table, make) = self.table()?.map_or((TABLE, MAKE), |table| (table, ""));
        let limits = format!(
            "SET application_name = '{}';\nSET statement_timeout = {};\nSET lock_timeout = '30s';\n\
             SET standard_conforming_strings = on;\n",
            self.name,
            limit.as_millis()
        );
        let record = record::insert(table, values);
        // Its files are split by the rules of strings that the standard has, whatever the server was told.
        // What is cut off never gets to its COMMIT, and `psql` ends at the first error.
        let script = format!("{limits}BEGIN;\n{ALONE}{make}{record}{text}\n;\nCOMMIT;\n");
        self.psql.run(&script, limit).map(drop)
    }

    /// Where the tool was ended, the server may be at its last statement yet, or at its COMMIT: that comes to an end first.
    fn settled(&self) -> Result<Vec<Applied>, BoxError> {
        let (times, nap) = SETTLES;
        let end = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{}' \
             AND usename = current_user AND pid <> pg_backend_pid();",
            self.name
        );
        for _ in 0..times {
            if self.ask(&end)?.trim() == "0" {
                return self.applied();
            }
            std::thread::sleep(nap);
        }
        Err(format!("the server still works on it as `{}`", self.name).into())
    }
}
