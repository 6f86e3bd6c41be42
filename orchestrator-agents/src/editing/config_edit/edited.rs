//! What an edit says, and what it is given: the shape that every named action has.

use std::collections::BTreeMap;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What became of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Edited {
    /// It is another one.
    Changed {
        /// The whole new text.
        text: String,
        /// What changed, a line for people each.
        said: Vec<String>,
    },
    /// It is what was asked for already.
    AlreadySo {
        /// What is so, for people.
        said: String,
    },
}

/// What an edit gives; an error where it does not fit the text, and then nothing is written.
pub(crate) type EditResult = Result<Edited, BoxError>;

/// A named action: pure, text in and text out.
pub(crate) type Apply = fn(&str, &ActionInput<'_>) -> EditResult;

/// What a named action is given besides the text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActionInput<'a> {
    /// The file that is edited.
    pub path: &'a RelPath,
    /// `thresholds` of the task.
    pub thresholds: &'a Map<String, Value>,
    /// `options` of the task; each action checks its own.
    pub options: &'a Map<String, Value>,
    /// What was seen of the project.
    pub facts: &'a Facts,
}

/// What survey and plan saw of the project, so that named actions need not look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Facts {
    /// `npm`, `pnpm`, `yarn` or `bun`, by the lockfile nearest to the root; none where there is no `package.json`.
    pub package_manager: Option<String>,
    /// Folders with a `package.json`, the root as `.`; in order.
    pub node_folders: Vec<RelPath>,
    /// Names of the scripts of each `package.json`, by its folder.
    pub node_scripts: BTreeMap<RelPath, Vec<String>>,
    /// Folders with a `pyproject.toml`, `setup.py`, `setup.cfg` or `requirements.txt`; in order.
    pub python_folders: Vec<RelPath>,
    /// Dockerfiles: `Dockerfile`, `Dockerfile.*`, `*.dockerfile`; in order.
    pub dockerfiles: Vec<RelPath>,
    /// Compose files: `compose.yaml`, `docker-compose*.yml` and their like; in order.
    pub compose_files: Vec<RelPath>,
    /// Workflows: `.github/workflows/*.yml` and `*.yaml`; in order.
    pub workflows: Vec<RelPath>,
    /// Folders with SQL or ORM migrations: `prisma`, `migrations`, `alembic`; in order.
    pub migration_folders: Vec<RelPath>,
    /// Folders that hold JavaScript or TypeScript sources right below a node folder, such as `src` or `web/src`; those of
    /// tests, builds and configuration are left out; in order.
    pub script_sources: Vec<RelPath>,
    /// Folders that hold Python packages or modules, tests left out; in order.
    pub python_sources: Vec<RelPath>,
    /// Tools that apply migrations of a database (`prisma`, `knex`, `drizzle`, `alembic`), by the folder that they run in.
    pub migration_tools: BTreeMap<RelPath, String>,
    /// Scripts that deploy: `scripts/deploy*.sh`, `deploy.sh` and their like; in order.
    pub deploy_scripts: Vec<RelPath>,
}
