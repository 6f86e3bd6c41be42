//! Databases that belong to a backup: what they are and how they are reached. Values; secrets stand here by name only.

mod address;
mod dumped;
mod name;

use std::collections::BTreeSet;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use address::Address;
pub(super) use dumped::compare;
pub use dumped::{Dumped, Table};
pub use name::DatabaseName;

use crate::secret::SecretName;

/// The longest host, user, folder or name of a database that is accepted, in bytes.
const LONGEST: usize = 255;

/// A database that belongs to a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Database {
    /// A file of SQLite, copied by its online backup.
    Sqlite(SqliteFile),
    /// A database of a PostgreSQL server, dumped by `pg_dump`.
    Postgres(Server),
    /// A database of a MySQL server, dumped by `mysqldump`.
    Mysql(Server),
    /// A database of a MariaDB server, dumped by `mariadb-dump`.
    Mariadb(Server),
}

/// A database in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqliteFile {
    /// What the backup calls it.
    pub name: DatabaseName,
    /// The file, inside the checkout.
    pub path: RelPath,
}

/// A database of a server. Without `url` it is reached as `host`, `port`, `socket` and `user` say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// What the backup calls it.
    pub name: DatabaseName,
    /// The database on the server; by default the one that `url` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// A host; `127.0.0.1` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A port; that of the kind by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A unix socket instead of a host: its folder for PostgreSQL, its file for MySQL and MariaDB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// A user of the server; the tool's default without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The secret that holds the password: `{secret: NAME}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretName>,
    /// The secret that holds all of it as a URL: `postgres://user:password@host:port/database`, or `mysql://..`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<SecretName>,
    /// Where the dump is restored to be verified; the same server by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Access>,
}

/// How a server is reached, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The database to connect to first; for PostgreSQL `postgres` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// A host; `127.0.0.1` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A port; that of the kind by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// A unix socket instead of a host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// A user of the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The secret that holds the password: `{secret: NAME}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretName>,
    /// The secret that holds all of it as a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<SecretName>,
}

impl Database {
    /// What the backup calls it.
    pub fn name(&self) -> &DatabaseName {
        match self {
            Self::Sqlite(SqliteFile { name, .. }) => name,
            Self::Postgres(server) | Self::Mysql(server) | Self::Mariadb(server) => &server.name,
        }
    }

    /// As configs name its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
            Self::Mysql(_) => "mysql",
            Self::Mariadb(_) => "mariadb",
        }
    }

    /// The secrets that reaching it takes.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let (Self::Postgres(server) | Self::Mysql(server) | Self::Mariadb(server)) = self else {
            return Vec::new();
        };
        let there = server.verify.iter().flat_map(|access| [&access.password, &access.url]);
        let all = [&server.password, &server.url].into_iter().chain(there);
        all.flatten().map(|name| name.secret.as_str()).collect()
    }

    fn problem(&self) -> Option<String> {
        let (Self::Postgres(server) | Self::Mysql(server) | Self::Mariadb(server)) = self else {
            return None;
        };
        if server.url.is_none() && server.database.is_none() {
            return Some(
                "which database of the server? Give `database`, or a `url` that names it".to_owned(),
            );
        }
        server.access().problem().or_else(|| server.verify.as_ref()?.problem())
    }
}

impl Server {
    /// How the server is reached.
    pub(super) fn access(&self) -> Access {
        let Self { name: _, database, host, port, socket, user, password, url, verify: _ } = self.clone();
        Access { database, host, port, socket, user, password, url }
    }
}

impl Access {
    /// What is wrong with it.
    pub(crate) fn problem(&self) -> Option<String> {
        let Self { database, host, port, socket, user, password, url } = self;
        let own =
            host.is_some() || port.is_some() || socket.is_some() || user.is_some() || password.is_some();
        if url.is_some() && own {
            return Some(
                "`url` says all of host, port, socket, user and password: give it or those".to_owned(),
            );
        }
        if socket.is_some() && host.is_some() {
            return Some("`socket` stands instead of `host`: give one of them".to_owned());
        }
        if socket.as_ref().is_some_and(|socket| !socket.starts_with('/')) {
            return Some("`socket` is an absolute path".to_owned());
        }
        let texts = [("database", database), ("host", host), ("socket", socket), ("user", user)];
        let odd = texts.into_iter().find(|(_, text)| text.as_ref().is_some_and(|text| !fits(text)))?;
        Some(format!("`{}` must have 1 to {LONGEST} characters, none of them a control character", odd.0))
    }
}

fn fits(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Fails where two databases share a name, or one cannot be reached as it says.
pub(super) fn check(databases: &[Database]) -> Result<(), BoxError> {
    let mut names = BTreeSet::new();
    for database in databases {
        let name = database.name();
        if !names.insert(name.as_str()) {
            return Err(format!("two databases are called `{name}`; give each its own `name`").into());
        }
        if let Some(problem) = database.problem() {
            return Err(format!("database `{name}`: {problem}").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
