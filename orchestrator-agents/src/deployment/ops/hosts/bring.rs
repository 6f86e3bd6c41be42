//! Files of the checkout that an operation on a host needs there: brought by digest, once.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use orchestrator_core::json::Json;
use orchestrator_core::path::RelPath;
use serde_json::Value;

use super::act::Brought;
use super::error::HostError;
use super::session::Session;
use crate::deployment::hosts::wire::{Answer, Request, Tree, TreeFile};
use crate::deployment::ops::DeployError;
use crate::deployment::ops::error::Tried;
use crate::deployment::ops::halt::Halt;

/// The most files of a folder.
const MOST: usize = 2000;

/// What is brought, and what the operation is told of it.
pub(super) struct Load {
    trees: Vec<(Tree, Vec<PathBuf>)>,
    /// The input with the places on the host.
    pub(super) input: Json,
}

impl Load {
    /// Looks at what is to be brought.
    pub(super) fn of(input: &Json, brings: &[Brought], root: &Path, state: &Path) -> Result<Self, HostError> {
        if brings.is_empty() {
            return Ok(Self { trees: Vec::new(), input: input.clone() });
        }
        let (mut trees, mut fields) = (Vec::new(), input.value());
        for Brought { path, into, outside } in brings {
            let (tree, sources) = tree(path, *outside, root, state)?;
            let name =
                tree.files.first().and_then(|file| file.path.as_str().split('/').next()).unwrap_or(".");
            let place = format!(".orchestrate/brought/{}/{name}", tree.digest());
            if let Some(field) = fields.pointer_mut(into) {
                *field = Value::String(place);
            }
            trees.push((tree, sources));
        }
        Ok(Self { trees, input: fields.into() })
    }

    /// Brings what is not there; how many bytes that were.
    pub(super) fn bring(&self, session: &mut Session, halt: &Halt) -> Result<u64, HostError> {
        let mut bytes = 0;
        for (tree, sources) in &self.trees {
            if matches!(session.ask(&Request::Have { tree: tree.clone() }, halt)?, Answer::Done {}) {
                continue;
            }
            for (file, source) in tree.files.iter().zip(sources) {
                let open = File::open(source).tried("opened", source)?;
                let put = Request::Put { tree: tree.digest(), file: file.clone() };
                session.give(&put, (open, file.bytes), halt)?;
                bytes += file.bytes;
            }
            session.ask(&Request::Keep { tree: tree.clone() }, halt)?;
        }
        Ok(bytes)
    }
}

/// A file, or all files of a folder, under its own name; and where they lie here.
fn tree(path: &str, outside: bool, root: &Path, state: &Path) -> Result<(Tree, Vec<PathBuf>), DeployError> {
    let top = found(path, outside, root, state)?;
    let named = Path::new(path).file_name().and_then(|name| name.to_str());
    let name = named.ok_or_else(|| DeployError::NoArtifact(path.to_owned()))?.to_owned();
    let mut all = Vec::new();
    if top.is_file() {
        all.push((name, top));
    } else {
        walk(&top, &name, &mut all)?;
    }
    all.sort();
    let mut files = Vec::with_capacity(all.len());
    for (path, source) in &all {
        files.push(one(path, source).tried("read", source)?);
    }
    Ok((Tree { files }, all.into_iter().map(|(_, source)| source).collect()))
}

fn one(path: &str, source: &Path) -> io::Result<TreeFile> {
    use std::os::unix::fs::PermissionsExt;
    let mut file = File::open(source)?;
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut file, &mut hasher)?;
    let executable = file.metadata()?.permissions().mode() & 0o111 != 0;
    let path = RelPath::new(path).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
    Ok(TreeFile { path, digest: hasher.finalize().into(), bytes, executable })
}

/// Regular files below a folder; links lead nowhere.
fn walk(folder: &Path, name: &str, all: &mut Vec<(String, PathBuf)>) -> Result<(), DeployError> {
    for entry in std::fs::read_dir(folder).tried("listed", folder)? {
        let entry = entry.tried("listed", folder)?;
        let kind = entry.file_type().tried("looked at", folder)?;
        let Ok(own) = entry.file_name().into_string() else { continue };
        let (path, name) = (entry.path(), format!("{name}/{own}"));
        if kind.is_dir() {
            walk(&path, &name, all)?;
        } else if kind.is_file() {
            all.push((name, path));
        }
        if all.len() > MOST {
            let source =
                io::Error::new(io::ErrorKind::InvalidInput, format!("it holds more than {MOST} files"));
            return Err(DeployError::Io { what: format!("`{}` is not brought", folder.display()), source });
        }
    }
    Ok(())
}

/// Where it lies: inside the checkout, or inside the state folder, unless it may be elsewhere.
pub(super) fn found(path: &str, outside: bool, root: &Path, state: &Path) -> Result<PathBuf, DeployError> {
    let none = || DeployError::NoArtifact(path.to_owned());
    let real = std::fs::canonicalize(root.join(path)).map_err(|_| none())?;
    let inside = |folder: &Path| std::fs::canonicalize(folder).is_ok_and(|folder| real.starts_with(folder));
    if outside || inside(root) || inside(state) {
        Ok(real)
    } else {
        Err(DeployError::Outside(path.to_owned()))
    }
}
