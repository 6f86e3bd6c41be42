//! Clears caches: ignored paths inside the checkout, and nothing else.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bundle;
use super::made::MANIFEST_DIGEST;
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking, remove_tree};

/// Removes paths that git ignores. There is no undo: what fills caches is a build.
#[derive(Debug, Clone, Copy)]
pub struct ClearPaths;

/// What to remove.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Paths {
    /// Files or folders; they must be ignored by git.
    pub paths: Vec<RelPath>,
    /// Bytes on disk that they took when they were found, for people who read the action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClearedPaths {
    /// Bytes on disk that were freed.
    pub freed: u64,
    /// One for each path.
    pub paths: Vec<Cleared>,
}

/// What was removed of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cleared {
    /// Which one.
    pub path: RelPath,
    /// Whether it was there.
    pub was_there: bool,
    /// Files and links in it.
    pub files: u64,
    /// Bytes on disk that it took.
    pub freed: u64,
}

#[async_trait]
impl Operation for ClearPaths {
    const NAME: &'static str = "clear-paths";
    const EFFECT: Effect = Effect::Writes;
    type Input = Paths;
    type Output = ClearedPaths;

    fn advice(&self, _: &Paths) -> Option<String> {
        Some("caches: the next build makes them anew".to_owned())
    }

    async fn call(&self, input: Paths, _: &OrderKey, site: &Site<'_>) -> Result<ClearedPaths, BoxError> {
        blocking(site, move |here| clear(here, &input.paths)).await
    }

    /// What is gone already is not missed, so it is simply done again.
    async fn already(&self, _: &Paths, _: &OrderKey, _: &Site<'_>) -> Already<ClearedPaths> {
        Already::NotDone
    }
}

fn clear(here: &Here, paths: &[RelPath]) -> Result<ClearedPaths, BoxError> {
    let git = bundle::repository(here)?;
    for path in paths {
        allowed(here, git.as_ref(), path)?;
    }
    let mut cleared = Vec::new();
    for path in paths {
        here.go_on()?;
        let full = path.under(&here.root);
        let was_there = full.symlink_metadata().is_ok();
        let (mut files, mut freed) = (0, 0);
        if was_there {
            measure(&full, &mut files, &mut freed)?;
            remove_tree(&full).map_err(|error| format!("`{path}` could not be removed: {error}"))?;
        }
        cleared.push(Cleared { path: path.clone(), was_there, files, freed });
    }
    Ok(ClearedPaths { freed: cleared.iter().map(|cleared| cleared.freed).sum(), paths: cleared })
}

/// Refuses what is not a cache: the root, the state, anything that git keeps or that lies behind a link.
pub(super) fn allowed(here: &Here, git: Option<&Git<'_>>, path: &RelPath) -> Result<(), BoxError> {
    let refuse = |why: &str| -> Result<(), BoxError> {
        Err(format!("`{path}` is not cleared: {why}; nothing was removed").into())
    };
    let below = Path::new(path.as_str());
    let state =
        here.state_below_root().is_some_and(|state| state.starts_with(below) || below.starts_with(state));
    if path.is_root() || below.starts_with(".git") || state {
        return refuse("it is never a cache");
    }
    if holds_backups(&path.under(&here.root)) {
        return refuse("it holds backups");
    }
    let mut above = below.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
    if above.any(|folder| here.root.join(folder).is_symlink()) {
        return refuse("a link leads to it");
    }
    let Some(git) = git else { return refuse("without git nobody says that it is ignored") };
    // With a slash at its end a pattern for folders matches too, also where there is none yet.
    let folder = format!("{path}/");
    if git.maybe(["check-ignore", "--quiet", "--", path.as_str()])?.is_none()
        && (path.under(&here.root).exists()
            || git.maybe(["check-ignore", "--quiet", "--", &folder])?.is_none())
    {
        return refuse("git does not ignore it");
    }
    let literal = format!(":(literal){path}");
    if !git.text(["ls-files", "--cached", "--", &literal])?.is_empty() {
        return refuse("git keeps files in it");
    }
    Ok(())
}

/// Whether a path is, lies in, or holds a snapshot.
fn holds_backups(path: &Path) -> bool {
    let is_snapshot = |folder: &Path| folder.join(MANIFEST_DIGEST).exists();
    path.ancestors().any(is_snapshot)
        || fs::read_dir(path).is_ok_and(|entries| entries.flatten().any(|entry| is_snapshot(&entry.path())))
}

pub(super) fn measure(path: &Path, files: &mut u64, freed: &mut u64) -> io::Result<()> {
    let found = path.symlink_metadata()?;
    // The space of a file with other names is not freed.
    if found.is_dir() || found.nlink() == 1 {
        *freed += found.blocks() * 512;
    }
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            measure(&entry?.path(), files, freed)?;
        }
    } else {
        *files += 1;
    }
    Ok(())
}
