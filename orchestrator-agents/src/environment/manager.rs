//! Package managers: their files, and their own checks.

use std::fmt;

use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// uv.
    Uv,
    /// Poetry.
    Poetry,
    /// pip, with requirements files and a virtual environment.
    Pip,
    /// npm.
    Npm,
    /// pnpm.
    Pnpm,
    /// Yarn.
    Yarn,
    /// Cargo.
    Cargo,
    /// Composer.
    Composer,
}

impl Manager {
    /// The program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Uv => "uv",
            Self::Poetry => "poetry",
            Self::Pip => "pip",
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
            Self::Cargo => "cargo",
            Self::Composer => "composer",
        }
    }

    /// Its lockfile; pip has none.
    pub(super) fn lockfile(self) -> Option<&'static str> {
        Some(match self {
            Self::Uv => "uv.lock",
            Self::Poetry => "poetry.lock",
            Self::Pip => return None,
            Self::Npm => "package-lock.json",
            Self::Pnpm => "pnpm-lock.yaml",
            Self::Yarn => "yarn.lock",
            Self::Cargo => "Cargo.lock",
            Self::Composer => "composer.lock",
        })
    }

    /// What makes the lockfile, or brings it in line. Changing it is the user's decision.
    pub(super) fn locks(self) -> &'static str {
        match self {
            Self::Uv => "uv lock",
            Self::Poetry => "poetry lock",
            Self::Pip => "pip freeze",
            Self::Npm => "npm install --package-lock-only",
            Self::Pnpm => "pnpm install --lockfile-only",
            Self::Yarn => "yarn install",
            Self::Cargo => "cargo generate-lockfile",
            Self::Composer => "composer update --lock",
        }
    }
}

impl fmt::Display for Manager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program())
    }
}

/// A file in a folder.
pub(super) fn below(cwd: &RelPath, name: &str) -> RelPath {
    cwd.join(name).unwrap_or_default()
}
