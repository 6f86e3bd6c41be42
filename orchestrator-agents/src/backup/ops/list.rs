//! Lists what is in a tree: every file, link and folder, in the order of their paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;

use super::pool;
use crate::backup::manifest::{Name, Unsettled};
use crate::ops::git::Git;
use crate::ops::here::Here;

/// What was found, by path.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) found: BTreeMap<Name, Metadata>,
    pub(super) unsettled: Vec<Unsettled>,
}

/// Paths that a walk leaves out, relative to its root.
pub(super) type LeftOut = BTreeSet<PathBuf>;

/// Lists a tree.
pub(super) fn walk(here: &Here, root: &Path, leave_out: &LeftOut) -> Result<Listing, BoxError> {
    let mut listing = Listing::default();
    listing.below(here, root, Path::new(""), leave_out)?;
    Ok(listing)
}

/// Lists the working tree: what git does not ignore, and of the ignored files those named in `include`. Without git
/// nothing counts as ignored.
pub(super) fn working_tree(
    here: &Here,
    git: Option<&Git<'_>>,
    to: &RelPath,
    include: &[RelPath],
) -> Result<Listing, BoxError> {
    let mut leave_out = LeftOut::from([".git".into(), ".orchestrate".into(), to.as_str().into()]);
    leave_out.extend(here.state_below_root().map(Path::to_path_buf));
    if include.iter().any(RelPath::is_root) {
        return Err("the root cannot be included: name the ignored paths in it".into());
    }
    for path in include {
        let path = Path::new(path.as_str());
        if let Some(other) = leave_out.iter().find(|other| path.starts_with(other) || other.starts_with(path))
        {
            let (path, other) = (path.display(), other.display());
            return Err(format!("`{path}` cannot be included: `{other}` is never part of a backup").into());
        }
    }
    let fixed = leave_out.clone();
    if let Some(git) = git {
        leave_out.extend(ignored(git)?);
    }
    let mut listing = walk(here, &here.root, &leave_out)?;
    for path in include {
        listing.include(here, Path::new(path.as_str()), &fixed)?;
    }
    Ok(listing)
}

/// What git ignores below the root; folders of which all is ignored as one.
fn ignored(git: &Git<'_>) -> Result<Vec<PathBuf>, BoxError> {
    let list = git.bytes(["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"])?;
    let paths = list.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    Ok(paths.map(|path| Name(path.strip_suffix(b"/").unwrap_or(path).to_vec()).as_path().into()).collect())
}

impl Listing {
    /// Adds what is below a folder, level by level, each at once on all processors.
    fn below(
        &mut self,
        here: &Here,
        root: &Path,
        folder: &Path,
        leave_out: &LeftOut,
    ) -> Result<(), BoxError> {
        let mut level = vec![folder.to_path_buf()];
        while !level.is_empty() {
            here.go_on()?;
            let folders = pool::map(&level, |folder| within(root, folder, leave_out))?;
            level.clear();
            for (path, found) in folders.into_iter().flatten() {
                if self.add(&path, found) {
                    level.push(path);
                }
            }
        }
        Ok(())
    }

    /// Adds one thing with what is below it.
    fn one(&mut self, here: &Here, root: &Path, path: &Path, leave_out: &LeftOut) -> Result<(), BoxError> {
        let found = found(path, root.join(path).symlink_metadata())?;
        if self.add(path, found) { self.below(here, root, path, leave_out) } else { Ok(()) }
    }

    /// Adds one thing; whether it is a folder.
    fn add(&mut self, path: &Path, found: Option<Metadata>) -> bool {
        let Some(found) = found else {
            self.unsettle(path, "vanished while being read");
            return false;
        };
        let kind = found.file_type();
        if kind.is_dir() || kind.is_file() || kind.is_symlink() {
            self.found.insert(path.into(), found);
        } else {
            self.unsettle(path, "neither file, link nor folder");
        }
        kind.is_dir()
    }

    /// Adds an ignored path with the folders above it.
    fn include(&mut self, here: &Here, path: &Path, leave_out: &LeftOut) -> Result<(), BoxError> {
        let above: Vec<&Path> =
            path.ancestors().skip(1).filter(|path| !path.as_os_str().is_empty()).collect();
        for folder in above.into_iter().rev() {
            match here.root.join(folder).symlink_metadata() {
                Ok(found) if found.is_dir() => self.found.insert(folder.into(), found),
                Ok(_) => {
                    let (path, folder) = (path.display(), folder.display());
                    return Err(format!("`{path}` cannot be included: `{folder}` is not a folder").into());
                }
                Err(_) => break,
            };
        }
        if here.root.join(path).symlink_metadata().is_ok() {
            return self.one(here, &here.root, path, leave_out);
        }
        self.unsettle(path, "named to be included, but not there");
        Ok(())
    }

    fn unsettle(&mut self, path: &Path, why: &str) {
        self.unsettled.push(Unsettled { path: path.into(), why: why.to_owned() });
    }
}

/// What is in a folder; nothing of what has vanished meanwhile.
fn within(
    root: &Path,
    folder: &Path,
    leave_out: &LeftOut,
) -> Result<Vec<(PathBuf, Option<Metadata>)>, BoxError> {
    let Some(entries) = found(folder, fs::read_dir(root.join(folder)))? else {
        return Ok(vec![(folder.to_path_buf(), None)]);
    };
    let mut all = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let path = folder.join(entry.file_name());
        if !leave_out.contains(&path) {
            let metadata = found(&path, entry.metadata())?;
            all.push((path, metadata));
        }
    }
    Ok(all)
}

/// What was found at a path; none where it is gone.
fn found<T>(path: &Path, look: io::Result<T>) -> Result<Option<T>, BoxError> {
    match look {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// The error of a path that cannot be read: a backup without it would not be one.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> BoxError {
    let path = if path.as_os_str().as_bytes().is_empty() { Path::new(".") } else { path };
    format!("`{}` could not be read: {error}", Name::from(path)).into()
}
