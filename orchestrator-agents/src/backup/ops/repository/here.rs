//! Finds a repository and its password, and opens it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use orchestrator_core::BoxError;
use orchestrator_core::operation::{SecretSource, Site};
use orchestrator_core::path::RelPath;

use crate::backup::repository::{Key, Place};
use crate::ops::here::Here;

/// The most bytes that a file with a password has.
const MOST: u64 = 64 << 10;

/// A password that was given; it is never shown.
#[derive(Clone)]
pub(super) struct Password(pub(super) String);

impl Password {
    /// From where the pipeline says. The error names the source, never the value.
    pub(super) fn of(place: &Place, site: &Site<'_>) -> Result<Self, BoxError> {
        let secrets: &dyn SecretSource = site.secrets;
        let key = place.key();
        let found = match key {
            Key::Secret(name) => secrets.secret(name).ok_or_else(|| {
                format!("{key} with the password of `{}` is not there: give it to the run, such as by the environment variable `{name}`", place.path())
            })?,
            Key::File(path) => read(&site.root.join(path))
                .map_err(|error| format!("{key} with the password of `{}`: {error}", place.path()))?,
        };
        if found.is_empty() {
            return Err(format!("{key} with the password of `{}` is empty", place.path()).into());
        }
        Ok(Self(found))
    }
}

/// As restic reads such a file: without white space at its ends.
fn read(path: &Path) -> Result<String, BoxError> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(format!("longer than {MOST} bytes").into());
    }
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    Ok(text.trim().to_owned())
}

/// What stands where a repository should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    /// A repository.
    Repository,
    /// Nothing, an empty folder, or what a killed process left of setting one up: no data, and no key that opens any.
    Nothing,
    /// Something else.
    Else,
}

/// The folder of a repository, links resolved as far as it is there. Never a folder that holds the checkout, or part of git
/// or of the state folder.
pub(super) fn folder(here: &Here, place: &Place) -> Result<PathBuf, BoxError> {
    let path = resolved(&here.root.join(place.path()))?;
    let root = here.root.canonicalize()?;
    let state = here.state.canonicalize().unwrap_or_else(|_| here.state.clone());
    let name = place.path();
    if root.starts_with(&path) {
        return Err(format!(
            "the repository `{name}` would hold the checkout itself: give it a folder of its own"
        )
        .into());
    }
    if path.starts_with(&state) || path.starts_with(root.join(".git")) {
        return Err(format!(
            "the repository `{name}` lies in a folder that is not for it: give it one of its own"
        )
        .into());
    }
    Ok(path)
}

/// The path without links and dots; what is not there yet stays as it is written.
fn resolved(path: &Path) -> Result<PathBuf, BoxError> {
    for above in path.ancestors() {
        if let Ok(found) = above.canonicalize() {
            let rest = path.strip_prefix(above)?;
            if rest.components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
                return Err(format!("`{}` passes through a folder that is not there", path.display()).into());
            }
            return Ok(found.join(rest));
        }
    }
    Err(format!("`{}` could not be found", path.display()).into())
}

/// The place of a repository below the root of the checkout, where it lies there.
pub(super) fn below_root(here: &Here, folder: &Path) -> Result<Option<RelPath>, BoxError> {
    let root = here.root.canonicalize()?;
    let Ok(below) = folder.strip_prefix(root) else { return Ok(None) };
    let text = below.to_str().ok_or("the path of a repository in the checkout is not UTF-8")?;
    Ok(Some(RelPath::new(text)?))
}

/// Looks at what is there. Fails where it cannot be read: an unreadable folder may be anything.
pub(super) fn stands(folder: &Path) -> Result<Stands, BoxError> {
    match folder.symlink_metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Stands::Nothing),
        Err(error) => return Err(error.into()),
        Ok(found) if !found.is_dir() => return Ok(Stands::Else),
        Ok(_) => {}
    }
    if folder.join("config").symlink_metadata().is_ok() {
        let whole = folder.join("keys").is_dir() && folder.join("data").is_dir();
        return Ok(if whole { Stands::Repository } else { Stands::Else });
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let empty = match name.as_str() {
            "data" | "index" | "snapshots" | "locks" => super::folder::files(&entry.path())?.is_empty(),
            "keys" => entry.path().is_dir(),
            ".gitignore" => true,
            name => name.starts_with("config-tmp-"),
        };
        if !empty {
            return Ok(Stands::Else);
        }
    }
    Ok(Stands::Nothing)
}
