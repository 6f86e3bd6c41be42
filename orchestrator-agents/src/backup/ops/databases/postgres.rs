//! PostgreSQL by its own tools: `pg_dump` writes plain SQL, `psql` reads it.
//!
//! Owners and grants are in the dump: restored by the same roles they are what they were. Roles themselves belong to
//! the server and must be there. Subscriptions are left out: a copy must not subscribe a second time.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;
use orchestrator_core::path::Digest;
use orchestrator_core::stop::Stop;

use super::credentials::Credentials;
use super::dump_file::{self, DumpFile};
use super::engine::{Dump, Engine};
use super::piped::{Source, failed, missing, pipe, text};
use super::session::Session;
use super::sql;
use crate::backup::databases::{Address, Dumped, Table};
use crate::ops::here::Here;
use crate::ops::process::{self, ProcessError};

/// The most characters that are kept of what `psql` says of an error.
const MOST_SAID: usize = 64 << 10;
/// The last line of a dump that is whole.
const TRAILER: &str = "-- PostgreSQL database dump complete";
/// Tables whose rows a dump holds; those of extensions are the extensions' own.
const TABLES: &str = "SELECT coalesce(json_agg(format('%I.%I', n.nspname, c.relname)), '[]') \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' \
    AND n.nspname <> 'information_schema' AND NOT EXISTS (SELECT FROM pg_depend d WHERE \
    d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e');";
const LARGE_OBJECTS: &str = "SELECT count(*) FROM pg_largeobject_metadata;";
/// How large objects stand among the tables.
const LARGE: &str = "(large objects)";

/// A server of PostgreSQL.
pub(super) struct Postgres {
    here: Here,
    address: Address,
    credentials: Option<Credentials>,
    /// The database to connect to where it is about others.
    home: String,
}

impl Postgres {
    pub(super) fn new(here: &Here, address: Address, scratch: &Path) -> io::Result<Self> {
        let line = address.password.as_ref().map(|word| format!("*:*:*:*:{}\n", escaped(word)));
        let credentials = line.map(|line| Credentials::new(&line, scratch)).transpose()?;
        let home = address.database.clone().unwrap_or_else(|| "postgres".to_owned());
        Ok(Self { here: here.clone(), address, credentials, home })
    }

    fn command(&self, program: &str, database: &str) -> Command {
        let mut command = crate::ops::process::command(&self.here, program);
        let Address { host, port, socket, user, password: _, database: _, libpq } = &self.address;
        command.env("PGHOST", socket.as_ref().or(host.as_ref()).map_or("127.0.0.1", String::as_str));
        command.env("PGDATABASE", database).env("PGCONNECT_TIMEOUT", "15").env("LC_ALL", "C");
        command.envs(port.map(|port| ("PGPORT", port.to_string())));
        command.envs(user.as_ref().map(|user| ("PGUSER", user))).envs(libpq);
        command.envs(self.credentials.as_ref().map(|file| ("PGPASSFILE", file.path())));
        command.arg("--no-password");
        command
    }

    fn psql(&self, database: &str) -> Command {
        let mut command = self.command("psql", database);
        let plain = ["--no-psqlrc", "--quiet", "--no-align", "--tuples-only", "--set=ON_ERROR_STOP=1"];
        command.args(plain).env("PGCLIENTENCODING", "UTF8");
        command
    }

    pub(super) fn sql(&self, database: &str, sql: &str) -> Result<String, BoxError> {
        text(&self.here, self.psql(database), Some(format!("{sql}\n")))
    }

    /// The same, within a time.
    pub(super) fn sql_within(&self, database: &str, sql: &str, limit: Duration) -> Result<String, BoxError> {
        let input = format!("{sql}\n").into_bytes();
        let output = match process::run(&self.here, self.psql(database), Some(input), Some(limit)) {
            Ok(output) => output,
            Err(ProcessError::Io { program, source }) => return Err(missing(&program, &source)),
            Err(error) => return Err(error.into()),
        };
        if !output.status.success() {
            let said: String = output.stderr.chars().take(MOST_SAID).collect();
            return Err(failed("psql", output.status, &said));
        }
        Ok(String::from_utf8(output.stdout).map_err(|_| "a tool of the database printed what is no text")?)
    }

    fn session(&self, database: &str) -> Result<Session<'_>, BoxError> {
        let mut session = Session::open(&self.here, self.psql(database))?;
        session.ask("SET row_security = off; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;")?;
        Ok(session)
    }

    /// Digest of the schema as `pg_dump` writes it, without the lines that name versions.
    fn schema(&self, database: &str, args: &[OsString]) -> Result<Digest, BoxError> {
        let mut command = self.command("pg_dump", database);
        command.args(["--schema-only", "--no-subscriptions"]).args(args);
        let text = text(&self.here, command, None)?;
        let named = |line: &&str| !line.starts_with("-- Dumped ");
        let mut hasher = blake3::Hasher::new();
        for line in text.lines().filter(named) {
            hasher.update(line.as_bytes());
            hasher.update(b"\n");
        }
        Ok(hasher.finalize().into())
    }

    fn tables(session: &mut Session<'_>) -> Result<Vec<Table>, BoxError> {
        let mut names: Vec<String> = serde_json::from_str(&session.one(TABLES)?)?;
        names.sort();
        let mut tables = Vec::with_capacity(names.len());
        for name in names {
            let rows = session.one(&format!("SELECT count(*) FROM ONLY {name};"))?.parse()?;
            tables.push(Table { name, rows });
        }
        match session.one(LARGE_OBJECTS)?.parse()? {
            0 => {}
            rows => tables.push(Table { name: LARGE.to_owned(), rows }),
        }
        Ok(tables)
    }

    /// Where the tool knows it, a word of our own guards the dump from commands of `psql` that the server may slip in.
    /// Taken again for the next dump, it leaves what has not changed the same.
    fn guard(&self, last: Option<&Dumped>) -> Result<Option<String>, BoxError> {
        let mut command = crate::ops::process::command(&self.here, "pg_dump");
        command.arg("--help");
        if !text(&self.here, command, None)?.contains("--restrict-key") {
            return Ok(None);
        }
        let sound =
            |word: &&String| word.len() == 48 && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let last = last.and_then(|last| last.shape.get("restrict_key")).filter(sound).cloned();
        Ok(Some(last.map_or_else(random, Ok)?))
    }

    /// The parts of `CREATE DATABASE` that make one like the source.
    fn shape(session: &mut Session<'_>) -> Result<BTreeMap<String, String>, BoxError> {
        let row = session.one(
            "SELECT to_jsonb(d) || jsonb_build_object('encoding', pg_encoding_to_char(d.encoding)) \
             FROM pg_database d WHERE datname = current_database();",
        )?;
        let row: BTreeMap<String, serde_json::Value> = serde_json::from_str(&row)?;
        let known = ["encoding", "datcollate", "datctype", "datlocprovider", "daticulocale", "datlocale"];
        let text = |name: &str| Some((name.to_owned(), row.get(name)?.as_str()?.to_owned()));
        Ok(known.into_iter().filter_map(text).collect())
    }
}

impl Engine for Postgres {
    fn dump(&self, database: &str, mut into: DumpFile, last: Option<&Dumped>) -> Result<Dump, BoxError> {
        let mut session = self.session(database)?;
        let snapshot = session.one("SELECT pg_export_snapshot();")?;
        let guard = self.guard(last)?;
        let mut args = vec![OsString::from(format!("--snapshot={snapshot}"))];
        args.extend(guard.iter().map(|word| format!("--restrict-key={word}").into()));
        let schema = self.schema(database, &args)?;
        let mut command = self.command("pg_dump", database);
        command.args(["--format=plain", "--no-subscriptions", "--lock-wait-timeout=60000"]).args(&args);
        pipe(&self.here, command, None, |chunk| into.write_all(chunk))?;
        let written = into.finish()?;
        if !written.end.contains(TRAILER) {
            return Err(
                format!("`pg_dump` wrote a dump that is not whole: `{TRAILER}` is not at its end").into()
            );
        }
        let mut shape = Self::shape(&mut session)?;
        shape.extend(guard.map(|word| ("restrict_key".to_owned(), word)));
        let mut version = crate::ops::process::command(&self.here, "pg_dump");
        version.arg("--version");
        let tools = BTreeMap::from([
            ("pg_dump".to_owned(), text(&self.here, version, None)?.trim().to_owned()),
            ("server".to_owned(), session.one("SHOW server_version;")?),
        ]);
        let tables = Self::tables(&mut session)?;
        if self.schema(database, &args)? != schema {
            let error = format!("the schema of `{database}` was changed while it was dumped");
            return Err(Transient(error.into()).into());
        }
        Ok(Dump { written, tables, schema, shape, tools, unsettled: Vec::new() })
    }

    fn names_like(&self, start: &str) -> Result<Vec<String>, BoxError> {
        let names =
            format!("SELECT datname FROM pg_database WHERE starts_with(datname, {});", sql::text(start));
        Ok(self.sql(&self.home, &names)?.lines().map(str::to_owned).collect())
    }

    fn create(&self, name: &str, like: &Dumped) -> Result<(), BoxError> {
        self.sql(&self.home, &sql::create_postgres(name, &like.shape)).map(|_| ())
    }

    fn drop(&self, name: &str) -> Result<(), BoxError> {
        let here = Here { stop: Stop::new(), ..self.here.clone() };
        let drop = format!("DROP DATABASE IF EXISTS {};\n", sql::name(name));
        text(&here, self.psql(&self.home), Some(drop)).map(|_| ())
    }

    fn load(&self, name: &str, from: Source) -> Result<(), BoxError> {
        let mut command = self.psql(name);
        // The dump says itself how it is encoded.
        command.env_remove("PGCLIENTENCODING").arg("--file=-");
        pipe(&self.here, command, Some(from), |_| Ok(()))
    }

    fn look(&self, name: &str, like: &Dumped) -> Result<(Vec<Table>, Digest), BoxError> {
        let mut session = self.session(name)?;
        let guard = like.shape.get("restrict_key").map(|word| format!("--restrict-key={word}").into());
        let args: Vec<OsString> = guard.into_iter().collect();
        Ok((Self::tables(&mut session)?, self.schema(name, &args)?))
    }

    /// Restores beside the database and swaps their names in one transaction; the one that was there stays.
    fn replace(&self, dumped: &Dumped, file: &Path, _: &Path) -> Result<String, BoxError> {
        let (database, new) = (&dumped.database, sql::beside(&dumped.database));
        let home = if self.home == *database { "postgres" } else { &self.home };
        self.sql(home, &format!("DROP DATABASE IF EXISTS {};", sql::name(&new)))?;
        self.sql(home, &sql::create_postgres(&new, &dumped.shape))?;
        let made = self.load(&new, dump_file::open(file)?);
        let made = made.and_then(|()| self.sql(home, &sql::swap_postgres(database, &new)));
        match made {
            Ok(kept) if kept.trim().is_empty() => Ok(format!("made database `{database}`")),
            Ok(kept) => Ok(format!("replaced database `{database}`; the old one is `{}`", kept.trim())),
            Err(error) => {
                // The first error is the one to tell.
                let _ = self.drop(&new);
                Err(error)
            }
        }
    }

    fn grant(&self) -> &'static str {
        "allow it by `ALTER ROLE .. CREATEDB`"
    }
}

/// A password as the file of passwords writes it.
fn escaped(word: &str) -> String {
    word.replace('\\', "\\\\").replace(':', "\\:")
}

/// A word that nobody can guess.
fn random() -> io::Result<String> {
    let mut bytes = [0_u8; 24];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
