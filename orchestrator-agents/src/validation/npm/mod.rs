//! npm, pnpm and yarn: scripts of a `package.json`, and the packages that they need.

mod install;
pub(in crate::validation) mod runners;
mod script;

pub use install::{Installed, NpmInstall, NpmInstallConfig};
pub use script::{NpmScript, NpmScriptConfig, Scripted};

use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tool::Wants;

/// Which package manager.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Manager {
    /// npm.
    #[default]
    Npm,
    /// pnpm.
    Pnpm,
    /// Yarn.
    Yarn,
}

impl Manager {
    /// The program.
    pub fn program(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::Yarn => "yarn",
        }
    }

    fn wants(self) -> Wants {
        let install = match self {
            Self::Npm => "see https://nodejs.org",
            Self::Pnpm => "corepack enable pnpm",
            Self::Yarn => "corepack enable yarn",
        };
        Wants::new(self.program(), install)
    }

    /// Its lock file.
    pub(crate) fn lock_file(self) -> &'static str {
        match self {
            Self::Npm => "package-lock.json",
            Self::Pnpm => "pnpm-lock.yaml",
            Self::Yarn => "yarn.lock",
        }
    }

    /// Installs what the lock file says, or what the manifest asks for without leaving a lock file.
    pub(crate) fn install(self, locked: bool) -> &'static [&'static str] {
        match (self, locked) {
            (Self::Npm, true) => &["npm", "ci", "--no-audit", "--no-fund"],
            (Self::Npm, false) => &["npm", "install", "--no-package-lock", "--no-audit", "--no-fund"],
            (Self::Pnpm, true) => &["pnpm", "install", "--frozen-lockfile"],
            (Self::Pnpm, false) => &["pnpm", "install", "--no-lockfile"],
            (Self::Yarn, true) => &["yarn", "install", "--frozen-lockfile"],
            (Self::Yarn, false) => &["yarn", "install", "--no-lockfile"],
        }
    }
}

fn below(cwd: &RelPath, name: &str) -> RelPath {
    cwd.join(name).unwrap_or_default()
}
