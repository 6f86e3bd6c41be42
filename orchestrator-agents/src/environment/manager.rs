//! Package managers: their files, and their own checks.

use std::fmt;

use orchestrator_core::agent::{Dependencies, Fact};
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

    /// Its manifests.
    fn manifests(self) -> &'static [&'static str] {
        match self {
            Self::Uv | Self::Poetry => &["pyproject.toml"],
            Self::Pip => &["pyproject.toml", "requirements*.txt"],
            Self::Npm | Self::Pnpm | Self::Yarn => &["package.json"],
            Self::Cargo => &["Cargo.toml"],
            Self::Composer => &["composer.json"],
        }
    }

    /// What is there where something is installed; ignored, so it is named.
    fn installed(self) -> &'static [&'static str] {
        match self {
            Self::Uv | Self::Poetry | Self::Pip => &[
                ".venv/lib/*/site-packages/*.dist-info/RECORD",
                "venv/lib/*/site-packages/*.dist-info/RECORD",
            ],
            Self::Npm => &["node_modules/.package-lock.json"],
            Self::Pnpm => &["node_modules/.modules.yaml"],
            Self::Yarn => &["node_modules/.yarn-integrity", "node_modules/.yarn-state.yml"],
            Self::Cargo => &[],
            Self::Composer => &["vendor/composer/installed.json"],
        }
    }

    /// What the state of a lockfile depends on: itself and the manifests of the folder and of its members.
    pub(super) fn locked(self, cwd: &RelPath) -> Dependencies {
        let members = self.manifests().iter().map(|name| format!("{cwd}/**/{name}"));
        let lockfile = self.lockfile().map(|name| format!("{cwd}/{name}"));
        Dependencies {
            files: members.chain(lockfile).collect(),
            tools: vec![self.program().to_owned()],
            fact: Some(Fact::Lockfile),
            ..Dependencies::default()
        }
    }

    /// What it depends on whether everything is installed.
    pub(super) fn synced(self, cwd: &RelPath) -> Dependencies {
        let mut all = self.locked(cwd);
        all.files.extend(self.installed().iter().map(|name| format!("{cwd}/{name}")));
        all.fact = Some(Fact::Dependencies);
        all
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
