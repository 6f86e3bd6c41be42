//! Git refs of a snapshot: bundled, and fetched back into an empty repository to prove that they can be.

use std::collections::BTreeMap;
use std::path::Path;

use orchestrator_core::BoxError;

use super::archive::digest;
use super::earlier::Earlier;
use crate::backup::manifest::{Position, Stored};
use crate::ops::git::Git;
use crate::ops::here::{Here, Scratch};

/// Name of the bundle in a snapshot.
pub(super) const BUNDLE: &str = "refs.bundle";

/// Git at the root; none where there is no repository. A repository without a git to read it is an error.
pub(super) fn repository(here: &Here) -> Result<Option<Git<'_>>, BoxError> {
    let marked = here.root.ancestors().any(|folder| folder.join(".git").exists());
    let git = Git::new(here);
    match git.maybe(["rev-parse", "--is-inside-work-tree"]) {
        Ok(Some(answer)) if answer == "true" => Ok(Some(git)),
        Ok(None) if here.root.join(".git").exists() => {
            // Ask again for git's own words: a broken repository, or one that belongs to somebody else.
            git.text(["rev-parse", "--is-inside-work-tree"])?;
            Ok(None)
        }
        Ok(_) => Ok(None),
        Err(error) if marked => Err(error.into()),
        Err(_) => {
            here.go_on()?;
            Ok(None)
        }
    }
}

/// Where the repository stands.
pub(super) fn position(git: &Git<'_>) -> Result<Position, BoxError> {
    let branch = git.maybe(["symbolic-ref", "--quiet", "--short", "HEAD"])?;
    let object_format =
        git.maybe(["rev-parse", "--show-object-format"])?.unwrap_or_else(|| "sha1".to_owned());
    Ok(Position {
        head: git.commit("HEAD")?,
        branch,
        prefix: git.text(["rev-parse", "--show-prefix"])?,
        object_format,
        refs: BTreeMap::new(),
    })
}

/// Bundles every ref into the snapshot and notes them; links the bundle of an earlier one that has the same. Nothing where there is no commit yet, or where the history is
/// not whole.
pub(super) fn write(
    git: &Git<'_>,
    position: &mut Position,
    snapshot: &Path,
    earlier: Option<&Earlier>,
) -> Result<Option<Stored>, BoxError> {
    let none = git.text(["for-each-ref", "--count=1"])?.is_empty() && position.head.is_none();
    if none || is_shallow(git)? {
        return Ok(None);
    }
    position.refs = present(git, position)?;
    if let Some(stored) = earlier.and_then(|earlier| earlier.bundle(position))
        && earlier.is_some_and(|earlier| earlier.link(stored, snapshot))
    {
        return Ok(Some(stored.clone()));
    }
    let path = snapshot.join(BUNDLE);
    git.bytes([
        "bundle".as_ref(),
        "create".as_ref(),
        "--quiet".as_ref(),
        path.as_os_str(),
        "--all".as_ref(),
    ])?;
    std::fs::File::open(&path)?.sync_all()?;
    position.refs = refs(&git.text(["bundle".as_ref(), "list-heads".as_ref(), path.as_os_str()])?);
    // The heads of other worktrees are bundled too; their refs are not of this checkout.
    position.refs.retain(|name, _| name == "HEAD" || name.starts_with("refs/"));
    let (bytes, blake3) = digest(&path)?;
    let stored = Stored { file: BUNDLE.to_owned(), bytes, blake3 };
    if let Some(earlier) = earlier {
        earlier.share(&stored, snapshot);
    }
    Ok(Some(stored))
}

/// The refs that a bundle would hold.
fn present(git: &Git<'_>, position: &Position) -> Result<BTreeMap<String, String>, BoxError> {
    let mut present = refs(&git.text(["for-each-ref", "--format=%(objectname) %(refname)"])?);
    present.extend(position.head.clone().map(|head| ("HEAD".to_owned(), head)));
    Ok(present)
}

/// Whether the history was cut off when it was cloned.
pub(super) fn is_shallow(git: &Git<'_>) -> Result<bool, BoxError> {
    Ok(git.maybe(["rev-parse", "--is-shallow-repository"])?.as_deref() == Some("true"))
}

/// Fetches the bundle into an empty repository. Gives what is wrong with it.
pub(super) fn verify(
    here: &Here,
    bundle: &Path,
    position: &Position,
    scratch: &Scratch,
) -> Result<Vec<String>, BoxError> {
    let folder = scratch.folder("refs.git")?;
    let git = Git::new(here).at(&folder);
    let format = format!("--object-format={}", position.object_format);
    git.bytes(["init", "--quiet", "--bare", &format])?;
    let bundle = bundle.as_os_str();
    let mut fetch = vec!["fetch".as_ref(), "--quiet".as_ref(), bundle, "+refs/*:refs/*".as_ref()];
    if position.refs.contains_key("HEAD") {
        fetch.push("+HEAD:refs/bundled/HEAD".as_ref());
    }
    for args in [vec!["bundle".as_ref(), "verify".as_ref(), "--quiet".as_ref(), bundle], fetch] {
        if let Err(error) = git.bytes(args) {
            here.go_on()?;
            return Ok(vec![format!("`{BUNDLE}`: {error}")]);
        }
    }
    let restored = refs(&git.text(["for-each-ref", "--format=%(objectname) %(refname)"])?);
    Ok(compare(&position.refs, &restored, "refs/bundled/HEAD"))
}

/// Says which refs differ. `head` is how HEAD is called among those restored.
pub(super) fn compare(
    wanted: &BTreeMap<String, String>,
    restored: &BTreeMap<String, String>,
    head: &str,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, object) in wanted {
        let found = restored.get(if name == "HEAD" { head } else { name });
        if found != Some(object) {
            let found = found.map_or("missing", String::as_str);
            wrong.push(format!("`{name}`: {found} instead of {object}"));
        }
    }
    let extra = restored.keys().filter(|name| *name != head && !wanted.contains_key(*name));
    wrong.extend(extra.map(|name| format!("`{name}`: not in the repository that was backed up")));
    wrong
}

/// Reads lines of object and ref.
pub(super) fn refs(lines: &str) -> BTreeMap<String, String> {
    let pairs = lines.lines().filter_map(|line| line.split_once(' '));
    pairs.map(|(object, name)| (name.to_owned(), object.to_owned())).collect()
}
