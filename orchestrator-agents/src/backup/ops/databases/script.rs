//! The part of `rollback.sh` that restores databases.

use std::path::Path;
use std::time::Instant;

use orchestrator_core::BoxError;

use super::{sql, sqlite};
use crate::backup::databases::{Database, Dumped, Server};
use crate::backup::manifest::Manifest;
use crate::backup::ops::script::quoted;
use crate::ops::here::{Here, Scratch};
use crate::ops::process;

/// What the steps are made of.
const STEPS: &str = include_str!("databases.sh");
const NONE: &str = "only=\nfiles_only=\nknown=\ndatabase_usage() { :; }\ndatabases() { :; }";
const USAGE: [&str; 8] = [
    "  --database N  only the database called N, and no files; may be given again",
    "  --files-only  no databases",
    "Databases of servers are replaced with --force alone, and with --target only where --database names them.",
    "PostgreSQL is reached as PGHOST, PGPORT, PGUSER and PGPASSFILE (or ~/.pgpass) say; the user must be allowed to make",
    "databases. The old one is kept under another name. MySQL and MariaDB: MYSQL_HOST, MYSQL_TCP_PORT, MYSQL_UNIX_PORT,",
    "MYSQL_USER and MYSQL_DEFAULTS_FILE, a file of options with user and password that nobody else may read; what is there",
    "is dumped beside the backup before, since the server has no transaction for this: cut short, run it again. What is not",
    "said is as it was when the backup was made; passwords are stored nowhere.",
];

/// The lines for `rollback.sh`.
pub(in crate::backup::ops) fn steps(databases: &[Dumped]) -> String {
    if databases.is_empty() {
        return NONE.to_owned();
    }
    let names: Vec<&str> = databases.iter().map(|dumped| dumped.source.name().as_str()).collect();
    let usage: Vec<String> = USAGE
        .iter()
        .map(|line| quoted(line))
        .chain([quoted(&format!("Databases: {}", names.join(" ")))])
        .collect();
    let calls: Vec<String> = databases.iter().map(|dumped| format!("    {}", call(dumped))).collect();
    format!(
        "{STEPS}known={}\ndatabase_usage() {{\n    printf '%s\\n' {}\n}}\ndatabases() {{ # check|keep|restore\n{}\n}}",
        quoted(&names.join(" ")),
        usage.join(" \\\n        "),
        calls.join("\n")
    )
}

fn call(dumped: &Dumped) -> String {
    let name = dumped.source.name().as_str();
    let (function, words): (&str, Vec<String>) = match &dumped.source {
        Database::Sqlite(file) => {
            let path = file.path.as_str();
            let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
            let mode =
                dumped.shape.get("mode").and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or(0o600);
            let umask = format!("{:03o}", !mode & 0o777);
            let sha3 = dumped.shape.get("sha3").cloned().unwrap_or_default();
            ("sqlite", vec![path.into(), folder.into(), sqlite::member(file), sha3, umask])
        }
        Database::Postgres(server) => {
            let new = sql::beside(&dumped.database);
            let create = format!(
                "DROP DATABASE IF EXISTS {};\n{}",
                sql::name(&new),
                sql::create_postgres(&new, &dumped.shape)
            );
            let swap = sql::swap_postgres(&dumped.database, &new);
            let Place { host, port, socket, user } = place(server, "5432");
            let host = if socket.is_empty() { host } else { socket };
            ("postgres", vec![dumped.database.clone(), new, host, port, user, create, swap])
        }
        Database::Mysql(server) | Database::Mariadb(server) => {
            let database = &dumped.database;
            let count = sql::count_mysql(database);
            let create = format!(
                "DROP DATABASE IF EXISTS {};\n{}",
                sql::tick(database),
                sql::create_mysql(database, &dumped.shape)
            );
            let Place { host, port, socket, user } = place(server, "3306");
            let (host, port) = if socket.is_empty() { (host, port) } else { (String::new(), String::new()) };
            ("mysql_", vec![database.clone(), host, port, socket, user, count, create])
        }
    };
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("{function} \"$1\" {} {}", quoted(name), words.join(" "))
}

/// Where a server is, as far as its config says so. What a secret holds is not written down.
struct Place {
    host: String,
    port: String,
    socket: String,
    user: String,
}

fn place(server: &Server, port: &str) -> Place {
    Place {
        host: server.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned()),
        port: server.port.map_or_else(|| port.to_owned(), |port| port.to_string()),
        socket: server.socket.clone().unwrap_or_default(),
        user: server.user.clone().unwrap_or_default(),
    }
}

/// Whether the backup holds a database in a file.
pub(in crate::backup::ops) fn in_files(manifest: &Manifest) -> bool {
    manifest.databases.iter().any(|dumped| matches!(dumped.source, Database::Sqlite(_)))
}

/// Restores the databases in files with the script, and looks at what came out. Gives what is wrong, and the milliseconds.
pub(in crate::backup::ops) fn try_out(
    tools: &Here,
    bin: &Path,
    script: &Path,
    manifest: &Manifest,
    scratch: &Scratch,
) -> Result<(Vec<String>, f64), BoxError> {
    let (mut wrong, mut took) = (Vec::new(), 0.0);
    let target = scratch.folder("databases")?;
    for dumped in &manifest.databases {
        let Database::Sqlite(file) = &dumped.source else { continue };
        let mut command = process::command(tools, bin.join("sh"));
        command.arg(script).arg("--target").arg(&target).arg("--database").arg(file.name.as_str());
        let start = Instant::now();
        let output = process::run(tools, command, None, None)?;
        took += start.elapsed().as_secs_f64() * 1000.0;
        if !output.status.success() {
            return Err(format!("`rollback.sh` failed ({}): {}", output.status, output.stderr).into());
        }
        let found = sqlite::compare_with(tools, dumped, &file.path.under(&target), scratch.path())?;
        wrong.extend(found.into_iter().map(|what| format!("database `{}`: {what}", file.name)));
    }
    Ok((wrong, took))
}
