//! Finds caches: those that were named, and those that the stacks of the project are known to keep. Measures them; removes
//! nothing.

use std::collections::{BTreeMap, BTreeSet};
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
use super::caches::{allowed, measure};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};

/// Manifests of a stack, and what it keeps beside them: rebuilt by itself, slower once.
const KNOWN: [(&[&str], &[&str]); 4] = [
    (&["Cargo.toml"], &["target/debug/incremental", "target/release/incremental"]),
    (
        &["package.json"],
        &["node_modules/.cache", ".next/cache", ".turbo", ".parcel-cache", ".eslintcache", ".stylelintcache"],
    ),
    (PYTHON, &[".pytest_cache", ".mypy_cache", ".ruff_cache"]),
    (&["composer.json"], &[".phpunit.cache", ".phpunit.result.cache", ".php-cs-fixer.cache"]),
];
const PYTHON: &[&str] = &["pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "Pipfile"];
/// What Python keeps in every folder with modules.
const PYCACHE: &str = "__pycache__";
/// The most caches that are found.
const MOST: usize = 10_000;

/// Finds caches that are there, with the bytes that they take.
#[derive(Debug, Clone, Copy)]
pub struct FindCaches;

/// Which caches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CachesInput {
    /// Paths that are meant; an error where one is no cache.
    pub paths: Vec<RelPath>,
    /// Whether those that stacks are known to keep are meant as well; what git does not ignore is passed over.
    pub known: bool,
}

/// What is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundCaches {
    /// By path.
    pub caches: Vec<FoundCache>,
    /// Paths that were named and are not there.
    pub absent: Vec<RelPath>,
}

/// A cache that is there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct FoundCache {
    /// Where.
    pub path: RelPath,
    /// The manifest of the stack that keeps it; none where it was named.
    pub of: Option<RelPath>,
    /// Files and links in it.
    pub files: u64,
    /// Bytes on disk that it takes.
    pub bytes: u64,
}

#[async_trait]
impl Operation for FindCaches {
    const NAME: &'static str = "find-caches";
    const EFFECT: Effect = Effect::Reads;
    type Input = CachesInput;
    type Output = FoundCaches;

    async fn call(&self, input: CachesInput, _: &OrderKey, site: &Site<'_>) -> Result<FoundCaches, BoxError> {
        blocking(site, move |here| find(here, &input)).await
    }

    async fn already(&self, _: &CachesInput, _: &OrderKey, _: &Site<'_>) -> Already<FoundCaches> {
        Already::NotDone
    }
}

fn find(here: &Here, input: &CachesInput) -> Result<FoundCaches, BoxError> {
    let git = bundle::repository(here)?;
    let mut wanted: BTreeMap<RelPath, Option<RelPath>> = BTreeMap::new();
    for path in &input.paths {
        allowed(here, git.as_ref(), path)?;
        wanted.insert(path.clone(), None);
    }
    if let (true, Some(git)) = (input.known, &git) {
        for (path, manifest) in known(here, git)? {
            // What git keeps, what a link leads to and the like is no cache, whatever it is called.
            let covered = wanted.keys().any(|other| Path::new(path.as_str()).starts_with(other.as_str()));
            if !covered && allowed(here, Some(git), &path).is_ok() {
                wanted.insert(path, Some(manifest));
            }
        }
    }
    let mut found = FoundCaches::default();
    for (path, of) in wanted {
        here.go_on()?;
        let full = path.under(&here.root);
        if full.symlink_metadata().is_err() {
            found.absent.push(path);
            continue;
        }
        let (mut files, mut bytes) = (0, 0);
        measure(&full, &mut files, &mut bytes)?;
        found.caches.push(FoundCache { path, of, files, bytes });
    }
    Ok(found)
}

/// The caches of stacks that are there, each with its manifest, which git must know.
fn known(here: &Here, git: &Git<'_>) -> Result<BTreeMap<RelPath, RelPath>, BoxError> {
    let mut found = BTreeMap::new();
    let mut python = BTreeSet::new();
    for manifest in manifests(git)? {
        let (folder, name) = manifest.as_str().rsplit_once('/').unwrap_or(("", manifest.as_str()));
        for (_, caches) in KNOWN.iter().filter(|(names, _)| names.contains(&name)) {
            for cache in *caches {
                let path = if folder.is_empty() {
                    RelPath::new(cache)?
                } else {
                    RelPath::new(folder)?.join(cache)?
                };
                if path.under(&here.root).symlink_metadata().is_ok() {
                    found.insert(path, manifest.clone());
                }
            }
        }
        if PYTHON.contains(&name) {
            python.insert((folder.to_owned(), manifest.clone()));
        }
    }
    if !python.is_empty() {
        for path in ignored_named(git, PYCACHE)? {
            let above = |(folder, _): &&(String, RelPath)| {
                folder.is_empty() || Path::new(path.as_str()).starts_with(folder)
            };
            if let Some((_, manifest)) = python.iter().rfind(above) {
                found.insert(path, manifest.clone());
            }
        }
    }
    if found.len() > MOST {
        return Err(
            format!("more than {MOST} caches of stacks were found; name those to clear in `caches`").into()
        );
    }
    Ok(found)
}

/// The manifests of all stacks that git keeps.
fn manifests(git: &Git<'_>) -> Result<Vec<RelPath>, BoxError> {
    let names = KNOWN.iter().flat_map(|(names, _)| *names);
    let patterns = names.flat_map(|name| [format!(":(literal){name}"), format!(":(glob)**/{name}")]);
    let args = ["ls-files", "-z", "--cached", "--"].map(str::to_owned).into_iter().chain(patterns);
    Ok(paths(&git.bytes(args)?))
}

/// Ignored folders of a name; those inside of a folder that is ignored as a whole are not looked for.
fn ignored_named(git: &Git<'_>, name: &str) -> Result<Vec<RelPath>, BoxError> {
    let list = git.bytes(["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"])?;
    let mut found = paths(&list);
    found.retain(|path| path.as_str().rsplit('/').next() == Some(name));
    Ok(found)
}

/// Paths that are text; others are nobody's manifest and no known cache.
fn paths(list: &[u8]) -> Vec<RelPath> {
    let texts = list.split(|byte| *byte == 0).filter_map(|path| std::str::from_utf8(path).ok());
    texts
        .filter_map(|path| RelPath::new(path.strip_suffix('/').unwrap_or(path)).ok())
        .filter(|path| !path.is_root())
        .collect()
}
