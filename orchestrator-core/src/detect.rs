//! Finds the project: the stacks of a repository and the state of its git, by looking. What cannot be read is left out.

mod cargo;
mod folders;
mod git;
mod go;
mod npm;
mod php;
mod python;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::path::RelPath;
use crate::project::{Found, Project, Stack};

/// The largest manifest that is read.
const MAX_MANIFEST: u64 = 4 << 20;

/// A project could not be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DetectError {
    /// The root is no folder, or is kept from being read.
    #[error("`{}` could not be read as a folder", .path.display())]
    Root {
        /// The root.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Finds the project at `root`: its stacks at the root and up to two folders below, and its git.
///
/// A Cargo or npm workspace counts once. The look is bounded, takes no locks and changes nothing.
pub fn detect(root: &Path) -> Result<Project, DetectError> {
    let failed = |source| DetectError::Root { path: root.to_owned(), source };
    let root = root.canonicalize().map_err(failed)?;
    std::fs::read_dir(&root).map_err(failed)?;
    let (git, stacks) = std::thread::scope(|scope| {
        let git = scope.spawn(|| git::look(&root));
        let stacks = stacks(&root);
        (git.join().unwrap_or_default(), stacks)
    });
    let at_root = |found: &&Found| found.folder.is_root();
    let named = stacks.iter().filter(at_root).find_map(|found| found.name.clone());
    let folder = || root.file_name().map_or_else(|| "project".into(), |name| name.to_string_lossy());
    Ok(Project { name: named.unwrap_or_else(|| folder().into_owned()), git, stacks })
}

/// Looks of all stacks, in the order of [`Stack`].
const LOOKS: [fn(&Place) -> Option<Find>; 5] = [cargo::look, npm::look, python::look, php::look, go::look];

fn stacks(root: &Path) -> Vec<Found> {
    let mut found: Vec<Find> = Vec::new();
    for folder in folders::below(root) {
        let place = Place { path: folder.under(root), folder };
        for look in LOOKS {
            if let Some(find) = look(&place)
                && !found.iter().any(|above| above.covers(&find))
            {
                found.push(find);
            }
        }
    }
    found.into_iter().map(|find| find.found).collect()
}

/// A folder that is looked at.
struct Place {
    path: PathBuf,
    folder: RelPath,
}

/// Says whether a folder is among them.
type Members = Box<dyn Fn(&str) -> bool>;

/// A stack that was found, and the folders below it that belong to it.
struct Find {
    found: Found,
    /// Whether it stands for a manifest of the same stack in this folder, given relative to its own.
    members: Option<Members>,
    /// Whether no workspace above may claim it.
    own_root: bool,
}

impl Find {
    fn covers(&self, below: &Self) -> bool {
        let (Some(members), false) = (&self.members, below.own_root) else { return false };
        let (above, inner) = (&self.found.folder, &below.found.folder);
        let relative = match inner.as_str().strip_prefix(above.as_str()) {
            _ if above == inner => None,
            _ if above.is_root() => Some(inner.as_str()),
            Some(rest) => rest.strip_prefix('/'),
            None => None,
        };
        self.found.stack == below.found.stack && relative.is_some_and(members)
    }
}

impl Place {
    fn has(&self, name: &str) -> bool {
        self.path.join(name).is_file()
    }

    /// A find of a manifest in this folder, about which nothing more is known yet.
    fn find(&self, stack: Stack, manifest: &str) -> Option<Find> {
        let found = Found {
            stack,
            folder: self.folder.clone(),
            manifest: self.folder.join(manifest).ok()?,
            name: None,
            version: None,
            scripts: BTreeMap::new(),
            requires: BTreeMap::new(),
            tools: Vec::new(),
        };
        Some(Find { found, members: None, own_root: false })
    }

    /// The text of a file; none where there is none. One that cannot be used is said and left out.
    fn text(&self, name: &str) -> Option<String> {
        let path = self.path.join(name);
        let read = || -> io::Result<Option<String>> {
            match std::fs::metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                found if !found.as_ref().is_ok_and(std::fs::Metadata::is_file) => {
                    return found.and(Err(io::Error::other("it is no file")));
                }
                _ => {}
            }
            let mut bytes = Vec::new();
            std::fs::File::open(&path)?.take(MAX_MANIFEST + 1).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > MAX_MANIFEST {
                return Err(io::Error::other("it is larger than 4 MiB"));
            }
            let text = String::from_utf8(bytes).map_err(io::Error::other)?;
            Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
        };
        read().unwrap_or_else(|error| self.unusable(name, &error))
    }

    /// A file as a JSON tree, in the same way.
    fn json(&self, name: &str) -> Option<serde_json::Value> {
        serde_json::from_str(&self.text(name)?).unwrap_or_else(|error| self.unusable(name, &error))
    }

    /// A TOML file as a tree, in the same way.
    fn toml(&self, name: &str) -> Option<toml::Table> {
        self.text(name)?.parse().map_or_else(|error| self.unusable(name, &error), Some)
    }

    fn unusable<T>(&self, name: &str, why: &dyn std::fmt::Display) -> Option<T> {
        let file = self.path.join(name);
        tracing::warn!(file = %file.display(), %why, "left out while looking at the project");
        None
    }

    /// The tools of a table of `(tool, files that configure it)` that are configured here.
    fn configured(&self, table: &[(&str, &str)]) -> impl Iterator<Item = String> {
        let here = table.iter().filter(|(_, files)| files.split(' ').any(|file| self.has(file)));
        here.map(|(tool, _)| (*tool).to_owned()).collect::<Vec<_>>().into_iter()
    }
}

/// The tools of a table of `(tool, packages that bring it)` that the dependencies bring.
fn brought<'a>(table: &[(&str, &str)], depends: &BTreeSet<String>) -> impl Iterator<Item = String> + 'a {
    let brought = table.iter().filter(|(_, packages)| packages.split(' ').any(|name| depends.contains(name)));
    brought.map(|(tool, _)| (*tool).to_owned()).collect::<Vec<_>>().into_iter()
}

/// Text that means something to people; none where there is nothing to read.
fn word(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text.len() <= 256 && !text.contains(char::is_control)).then(|| text.to_owned())
}
