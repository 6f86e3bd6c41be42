//! MySQL and MariaDB by their own tools: `mariadb-dump` or `mysqldump` write SQL, `mariadb` or `mysql` read it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use orchestrator_core::BoxError;
use orchestrator_core::operation::Transient;
use orchestrator_core::path::Digest;
use orchestrator_core::stop::Stop;

use super::credentials::Credentials;
use super::dump_file::{self, DumpFile};
use super::engine::{Dump, Engine};
use super::piped::{Source, pipe, text, with_context};
use super::rows::Rows;
use super::sql;
use crate::backup::databases::{Address, Dumped, Table};
use crate::ops::here::Here;
use crate::ops::process;

/// The last line of a dump that is whole.
const TRAILER: &str = "-- Dump completed";
/// All that belongs to a database, and nothing that differs each time.
const WHOLE: [&str; 6] = [
    "--routines",
    "--triggers",
    "--events",
    "--no-tablespaces",
    "--default-character-set=utf8mb4",
    "--hex-blob",
];

/// A server of MySQL or MariaDB.
pub(super) struct MySql {
    here: Here,
    credentials: Credentials,
    /// The names of the two tools.
    dump: &'static str,
    client: &'static str,
    /// Whether the tools are MySQL's own.
    own: bool,
}

impl MySql {
    pub(super) fn new(here: &Here, address: &Address, kind: &str, scratch: &Path) -> Result<Self, BoxError> {
        let names = [("mariadb-dump", "mariadb"), ("mysqldump", "mysql")];
        let names = if kind == "mysql" { [names[1], names[0]] } else { names };
        let version = |program: &str| {
            let mut command = process::command(here, program);
            command.arg("--version");
            text(here, command, None)
        };
        let found = names.iter().find_map(|(dump, client)| Some((*dump, *client, version(dump).ok()?)));
        let (dump, client, version) = found
            .ok_or("neither `mariadb-dump` nor `mysqldump` is on PATH: install the tools of the database")?;
        let credentials = Credentials::new(&options(address), scratch)?;
        Ok(Self { here: here.clone(), credentials, dump, client, own: !version.contains("MariaDB") })
    }

    /// A tool that knows the server by the file of options, and by nothing else.
    fn command(&self, program: &str) -> Command {
        let mut command = process::command(&self.here, program);
        let mut file = std::ffi::OsString::from("--defaults-file=");
        file.push(self.credentials.path());
        command.arg(file).env("LC_ALL", "C");
        command
    }

    fn client(&self, database: Option<&str>) -> Command {
        let mut command = self.command(self.client);
        command.args(["--batch", "--skip-column-names", "--default-character-set=utf8mb4"]);
        command.args(database.map(|name| format!("--database={name}")));
        command
    }

    fn dumper(&self) -> Command {
        let mut command = self.command(self.dump);
        command.args(WHOLE);
        if self.own {
            command.arg("--set-gtid-purged=OFF");
        }
        command
    }

    fn sql(&self, database: Option<&str>, sql: &str) -> Result<String, BoxError> {
        text(&self.here, self.client(database), Some(format!("{sql}\n")))
    }

    /// Names that a statement gives by `HEX`, one a line.
    fn names(&self, sql: &str) -> Result<Vec<String>, BoxError> {
        self.sql(None, sql)?.lines().map(sql::unhex).collect()
    }

    fn base_tables(&self, database: &str) -> Result<Vec<String>, BoxError> {
        self.names(&format!(
            "SELECT HEX(table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE' \
             AND table_schema = {} ORDER BY 1;",
            sql::hexed(database)
        ))
    }

    /// Digest of the schema as the dump tool writes it.
    fn schema(&self, database: &str) -> Result<Digest, BoxError> {
        let mut command = self.dumper();
        command.args(["--no-data", "--skip-comments", "--", database]);
        let text = text(&self.here, command, None)?;
        Ok(Digest::of(text.as_bytes()))
    }

    fn shape(&self, database: &str) -> Result<BTreeMap<String, String>, BoxError> {
        let row = self.sql(
            None,
            &format!(
                "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata \
                 WHERE schema_name = {};",
                sql::hexed(database)
            ),
        )?;
        let (charset, collation) =
            row.trim_end().split_once('\t').ok_or_else(|| format!("there is no database `{database}`"))?;
        Ok(BTreeMap::from([
            ("charset".to_owned(), charset.to_owned()),
            ("collation".to_owned(), collation.to_owned()),
        ]))
    }

    /// Tables that a transaction does not hold still.
    fn unsettled(&self, database: &str) -> Result<Vec<String>, BoxError> {
        let tables = self.names(&format!(
            "SELECT HEX(table_name) FROM information_schema.tables WHERE table_type = 'BASE TABLE' \
             AND table_schema = {} AND engine NOT IN ('InnoDB', 'RocksDB', 'MEMORY') ORDER BY 1;",
            sql::hexed(database)
        ))?;
        let why = |table| {
            format!("table `{table}` knows no transactions: what changed meanwhile may be half in the dump")
        };
        Ok(tables.into_iter().map(why).collect())
    }
}

impl Engine for MySql {
    fn dump(&self, database: &str, mut into: DumpFile, _: Option<&Dumped>) -> Result<Dump, BoxError> {
        let (shape, schema) = (self.shape(database)?, self.schema(database)?);
        let mut command = self.dumper();
        command.args(["--single-transaction", "--quick", "--skip-dump-date", "--", database]);
        let mut rows = Rows::default();
        pipe(&self.here, command, None, |chunk| {
            rows.read(chunk);
            into.write_all(chunk)
        })?;
        let written = into.finish()?;
        if !written.end.lines().last().is_some_and(|line| line.starts_with(TRAILER)) {
            let tool = self.dump;
            return Err(
                format!("`{tool}` wrote a dump that is not whole: `{TRAILER}` is not at its end").into()
            );
        }
        if self.schema(database)? != schema {
            let error = format!("the schema of `{database}` was changed while it was dumped");
            return Err(Transient(error.into()).into());
        }
        let counted = rows.counted();
        let row = |name: String| Table { rows: counted.get(&name).copied().unwrap_or(0), name };
        let tables = self.base_tables(database)?.into_iter().map(row).collect();
        let mut version = process::command(&self.here, self.dump);
        version.arg("--version");
        let tools = BTreeMap::from([
            (self.dump.to_owned(), text(&self.here, version, None)?.trim().to_owned()),
            ("server".to_owned(), self.sql(None, "SELECT VERSION();")?.trim().to_owned()),
        ]);
        Ok(Dump { written, tables, schema, shape, tools, unsettled: self.unsettled(database)? })
    }

    fn names_like(&self, start: &str) -> Result<Vec<String>, BoxError> {
        let names = self.names("SELECT HEX(schema_name) FROM information_schema.schemata;")?;
        Ok(names.into_iter().filter(|name| name.starts_with(start)).collect())
    }

    fn create(&self, name: &str, like: &Dumped) -> Result<(), BoxError> {
        self.sql(None, &sql::create_mysql(name, &like.shape)).map(|_| ())
    }

    fn drop(&self, name: &str) -> Result<(), BoxError> {
        let here = Here { stop: Stop::new(), ..self.here.clone() };
        text(&here, self.client(None), Some(format!("DROP DATABASE IF EXISTS {};\n", sql::tick(name))))
            .map(|_| ())
    }

    fn load(&self, name: &str, from: Source) -> Result<(), BoxError> {
        pipe(&self.here, self.client(Some(name)), Some(from), |_| Ok(()))
    }

    fn look(&self, name: &str, _: &Dumped) -> Result<(Vec<Table>, Digest), BoxError> {
        let names = self.base_tables(name)?;
        let count = |table: &String| format!("SELECT COUNT(*) FROM {};\n", sql::tick(table));
        let counts = self.sql(Some(name), &names.iter().map(count).collect::<String>())?;
        let rows = counts.lines().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
        if rows.len() != names.len() {
            return Err("the server did not count every table".into());
        }
        let tables = names.into_iter().zip(rows).map(|(name, rows)| Table { name, rows }).collect();
        Ok((tables, self.schema(name)?))
    }

    /// Dumps the database that is there, drops it, and restores. A server of this kind has no transaction for that: one
    /// that was cut short is to be run again.
    fn replace(&self, dumped: &Dumped, file: &Path, kept: &Path) -> Result<String, BoxError> {
        let database = &dumped.database;
        let there = self.names_like(database)?.contains(database);
        let mut said = format!("made database `{database}`");
        if there {
            let name = free(kept, dumped.source.name().as_str())?;
            let before = self.dump(database, DumpFile::new(kept, &name)?, None)?;
            let file = before.written.stored.file;
            said = format!("replaced database `{database}`; what was there is in the snapshot as `{file}`");
        }
        self.drop(database)?;
        self.create(database, dumped)?;
        self.load(database, dump_file::open(file)?).map_err(|error| {
            with_context(&error, &format!("`{database}` is only partly restored; restore it again"))
        })?;
        Ok(said)
    }

    fn grant(&self) -> &'static str {
        "allow it by ``GRANT ALL ON `orchestrate\\_verify\\_%`.* TO ..``"
    }
}

/// A name for a dump of what is replaced that is not taken.
fn free(kept: &Path, name: &str) -> io::Result<String> {
    let mut names = (1_u32..).map(|n| format!("{name}.before-rollback-{n}.sql.gz"));
    let free = names.find(|name| kept.join("databases").join(name).symlink_metadata().is_err());
    free.ok_or_else(|| io::Error::other("no name is free"))
}

/// A file of options: where the server is and as whom it is reached.
fn options(address: &Address) -> String {
    let Address { host, port, socket, user, password, database: _, libpq: _ } = address;
    let mut options = "[client]\n".to_owned();
    let mut option = |name: &str, value: &str| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        options.extend([name, "=\"", &value, "\"\n"]);
    };
    match socket {
        Some(socket) => {
            option("socket", socket);
            option("protocol", "socket");
        }
        None => {
            option("host", host.as_deref().unwrap_or("127.0.0.1"));
            option("protocol", "tcp");
        }
    }
    if let Some(port) = port {
        option("port", &port.to_string());
    }
    for (name, value) in [("user", user), ("password", password)] {
        if let Some(value) = value {
            option(name, value);
        }
    }
    options
}
