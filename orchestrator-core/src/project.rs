//! What is known of a repository by looking. A value; the looking is in `detect`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::path::RelPath;

/// What is known of a repository by looking.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Name: of its manifest, or of its folder.
    pub name: String,
    /// State of version control; none outside a git repository.
    pub git: Option<Git>,
    /// The stacks found, the one at the root first.
    pub stacks: Vec<Found>,
}

/// State of the git repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// Branch that is checked out; none with a detached HEAD.
    pub branch: Option<String>,
    /// Commit that is checked out; none before the first commit.
    pub head: Option<String>,
    /// Remotes and their addresses.
    pub remotes: BTreeMap<String, String>,
    /// The main branch: `main`, `master` or what the remote's HEAD names.
    pub main: Option<String>,
}

/// A stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stack {
    /// Rust with Cargo.
    Cargo,
    /// JavaScript or TypeScript with npm, pnpm or yarn.
    Npm,
    /// Python.
    Python,
    /// PHP with Composer.
    Php,
    /// Go modules.
    Go,
}

/// A stack and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Which one.
    pub stack: Stack,
    /// The folder of its manifest.
    pub folder: RelPath,
    /// The manifest.
    pub manifest: RelPath,
    /// Name in the manifest.
    pub name: Option<String>,
    /// Version in the manifest.
    pub version: Option<String>,
    /// Named commands of the manifest: scripts of npm or composer.
    #[serde(default)]
    pub scripts: BTreeMap<String, String>,
    /// What the manifest asks of the tools that work on it, as it is written there: `python` to `>=3.11`, `node` to `^20`.
    #[serde(default)]
    pub requires: BTreeMap<String, String>,
    /// Tools that its configuration names or that its manifest depends on: `pytest`, `ruff`, `eslint`, `pnpm`, `uv`;
    /// and by path what a virtual environment in the folder has: `.venv/pyvenv.cfg`, `.venv/bin/python3`.
    #[serde(default)]
    pub tools: Vec<String>,
}

impl Project {
    /// The stack at the root, or else the first.
    pub fn stack(&self) -> Option<&Found> {
        self.stacks.first()
    }

    /// Whether a stack is there.
    pub fn has(&self, stack: Stack) -> bool {
        self.stacks.iter().any(|found| found.stack == stack)
    }
}
