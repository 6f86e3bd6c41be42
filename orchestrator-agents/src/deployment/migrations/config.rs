//! What is said of migrations in a pipeline.

use std::collections::BTreeMap;

use orchestrator_core::action::EnvValue;
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Dialect;
use crate::backup::databases::Access;
use crate::deployment::{DatabasePath, Environment, Seconds};

/// Migrations of the database that the service uses: expand before the new version starts, contract after it was promoted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Migrations {
    /// The folder with `NNNN_name.expand.sql`, `NNNN_name.contract.sql` and `NNNN_name.sql` (the same as expand).
    #[serde(default = "folder")]
    pub folder: RelPath,
    /// What they are applied to: `{sqlite: PATH}`, `{postgres: {url: {secret: NAME}}}`, or `{command: {apply: [..], check: [..]}}` for a tool of your own.
    pub database: MigratedDatabase,
    /// Whether expand files may destroy what the old version needs without a person's approval.
    #[serde(default)]
    pub allow_destructive: bool,
    /// Seconds that one file, or one command, may take.
    #[serde(default = "ten_minutes")]
    pub timeout: Seconds,
}

fn folder() -> RelPath {
    RelPath::new("migrations").expect("a path")
}

fn ten_minutes() -> Seconds {
    Seconds::known(600)
}

/// The database that migrations are applied to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MigratedDatabase {
    /// A file of SQLite, by its command `sqlite3`: relative to the root of the checkout, or absolute; with `{environment}`.
    /// It is made where it is not there.
    Sqlite(DatabasePath),
    /// A database of a PostgreSQL server, by `psql`; texts with `{environment}`.
    Postgres(Access),
    /// Any other, by a tool of the user.
    Command(Commands),
}

/// Commands of the user's own tool, which knows its files and what was applied. `{environment}` and `{stage}` (`expand`,
/// `contract` or `all`) are filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Commands {
    /// Applies what is pending in that stage. It must bear being called again.
    pub apply: Vec<String>,
    /// Exits with 0 when nothing of that stage is pending; what it prints says what is, and is what a rollback behind a `contract`
    /// names later. It must only read.
    pub check: Vec<String>,
    /// Variables besides the allow-list; values may be secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, EnvValue>,
}

impl Migrations {
    /// The dialect that its files are read in; none where a tool of the user reads them.
    pub fn dialect(&self) -> Option<Dialect> {
        match &self.database {
            MigratedDatabase::Sqlite(_) => Some(Dialect::Sqlite),
            MigratedDatabase::Postgres(_) => Some(Dialect::Postgres),
            MigratedDatabase::Command(_) => None,
        }
    }
}

impl MigratedDatabase {
    /// What is wrong with how it is reached.
    pub(super) fn problem(&self) -> Option<String> {
        let Self::Postgres(access) = self else { return None };
        if access.url.is_none() && access.database.is_none() {
            let which = "which database of the server? Give `database`, or a `url` that names it";
            return Some(which.to_owned());
        }
        access.problem()
    }

    /// The same for one environment: `{environment}` is filled in.
    #[must_use]
    pub fn of(&self, environment: &Environment) -> Self {
        let fill = |text: &String| text.replace("{environment}", environment.as_str());
        match self {
            Self::Sqlite(path) => Self::Sqlite(path.fill(environment)),
            Self::Postgres(access) => Self::Postgres(Access {
                database: access.database.as_ref().map(fill),
                host: access.host.as_ref().map(fill),
                socket: access.socket.as_ref().map(fill),
                ..access.clone()
            }),
            Self::Command(Commands { apply, check, env }) => {
                let env = env.iter().map(|(name, value)| match value {
                    EnvValue::Plain(text) => (name.clone(), EnvValue::Plain(fill(text))),
                    secret @ EnvValue::Secret { .. } => (name.clone(), secret.clone()),
                });
                let (apply, check) = (apply.iter().map(fill).collect(), check.iter().map(fill).collect());
                Self::Command(Commands { apply, check, env: env.collect() })
            }
        }
    }
}
