//! What tools say of their versions, believed for a while: asking some of them takes longer than the work that they do.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agent::Fact;
use crate::path::Digest;
use crate::settings::Lifetimes;

/// Files in the root that say which version of a tool is meant.
const CHOICES: [&str; 10] = [
    "rust-toolchain",
    "rust-toolchain.toml",
    ".python-version",
    ".nvmrc",
    ".node-version",
    ".tool-versions",
    "mise.toml",
    ".mise.toml",
    "package.json",
    "pyvenv.cfg",
];

/// Files in the home folder that do.
const HOME_CHOICES: [&str; 4] =
    [".rustup/settings.toml", ".pyenv/version", ".nvm/alias/default", ".config/mise/config.toml"];

/// Programs that manage packages.
const MANAGERS: [&str; 9] = ["npm", "pnpm", "yarn", "npx", "uv", "poetry", "pip", "pip3", "composer"];

/// What a tool said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// Names the program and what chooses its version.
    identity: [u8; 32],
    version: String,
    /// Seconds since 1970.
    at: i64,
}

/// What tools said, by name.
pub(crate) type Sayings = BTreeMap<String, Said>;

/// What tools said.
#[derive(Debug, Default)]
pub(super) struct Tools {
    said: Mutex<(Sayings, Lifetimes)>,
}

impl Tools {
    pub(super) fn believe(&self, sayings: Sayings, lifetimes: Lifetimes) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = (sayings, lifetimes);
    }

    pub(super) fn sayings(&self) -> Sayings {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// What a tool said of its version, or says now. One that is not there is never believed to be.
    pub(super) fn version(
        &self,
        tool: &str,
        root: &Path,
        env: impl Fn(&str) -> Option<PathBuf>,
        ask: impl FnOnce() -> Option<String>,
    ) -> Option<String> {
        let identity = identity(tool, root, env)?;
        let now = Timestamp::now().as_second();
        {
            let known = self.said.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(said) = known.0.get(tool)
                && said.identity == *identity.as_bytes()
                && (0..lifetime(tool, &known.1).as_secs())
                    .contains(&u64::try_from(now - said.at).unwrap_or(u64::MAX))
            {
                return Some(said.version.clone());
            }
        }
        let version = ask()?;
        let said = Said { identity: *identity.as_bytes(), version: version.clone(), at: now };
        self.said.lock().unwrap_or_else(PoisonError::into_inner).0.insert(tool.to_owned(), said);
        Some(version)
    }
}

fn lifetime(tool: &str, lifetimes: &Lifetimes) -> Duration {
    let name = Path::new(tool).file_name().and_then(OsStr::to_str).unwrap_or(tool);
    lifetimes.of(if MANAGERS.contains(&name) { Fact::PackageManager } else { Fact::Toolchain })
}

/// Names the program that a name leads to, and what chooses its version; none where there is no such program.
fn identity(tool: &str, root: &Path, env: impl Fn(&str) -> Option<PathBuf>) -> Option<Digest> {
    let program = if tool.contains('/') {
        root.join(tool)
    } else {
        let path = env("PATH")?;
        std::env::split_paths(&path)
            .map(|folder| root.join(folder).join(tool))
            .find(|program| is_program(program))?
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(program.as_os_str().as_encoded_bytes());
    stamp(&mut hasher, &program.canonicalize().ok()?);
    for choice in CHOICES {
        stamp(&mut hasher, &root.join(choice));
    }
    if let Some(home) = env("HOME") {
        for choice in HOME_CHOICES {
            stamp(&mut hasher, &home.join(choice));
        }
    }
    for name in ["RUSTUP_TOOLCHAIN", "GOTOOLCHAIN", "VIRTUAL_ENV"] {
        let value = env(name).unwrap_or_default();
        hasher.update(value.as_os_str().as_encoded_bytes()).update(b"\0");
    }
    Some(hasher.finalize().into())
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0)
}

fn stamp(hasher: &mut blake3::Hasher, path: &Path) {
    if let Ok(meta) = path.metadata() {
        for part in [meta.len(), meta.ino(), meta.mtime().cast_unsigned(), meta.mtime_nsec().cast_unsigned()]
        {
            hasher.update(&part.to_le_bytes());
        }
    }
    hasher.update(b"\0");
}
