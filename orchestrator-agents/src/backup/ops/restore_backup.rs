//! Restores a snapshot into a folder of its own: made beside it under another name, compared, and renamed when it is whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::restore;
use super::script::compare_refs;
use super::verify::{changed_files, sound};
use crate::backup::manifest::{Manifest, Position, What};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking, remove_tree};
use crate::said;

/// Restores files and refs of a snapshot into a folder that is new or empty.
#[derive(Debug, Clone, Copy)]
pub struct RestoreBackup;

/// Which snapshot, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreInput {
    /// The snapshot's folder.
    pub snapshot: RelPath,
    /// The folder to make, from the root of the file system.
    pub to: String,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Restored {
    /// Where it is.
    pub to: String,
    /// Files that were restored and compared.
    pub files: u64,
    /// Refs that were restored and compared; none where the snapshot holds none.
    pub refs: Option<u64>,
    /// Milliseconds that restoring took, comparing not counted; none where that is not known any more.
    pub restore_ms: Option<f64>,
}

#[async_trait]
impl Operation for RestoreBackup {
    const NAME: &'static str = "restore-backup";
    const EFFECT: Effect = Effect::Writes;
    type Input = RestoreInput;
    type Output = Restored;

    async fn call(
        &self,
        input: RestoreInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Restored, BoxError> {
        let order = order.clone();
        blocking(site, move |here| restore_into(here, &input, &order)).await
    }

    /// The folder has its name when it is whole, and not before.
    async fn already(&self, input: &RestoreInput, _: &OrderKey, site: &Site<'_>) -> Already<Restored> {
        let input = input.clone();
        match blocking(site, move |here| is_there(here, &input)).await {
            Ok(Some(restored)) => Already::Done(restored),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

fn restore_into(here: &Here, input: &RestoreInput, order: &OrderKey) -> Result<Restored, BoxError> {
    let RestoreInput { snapshot, to } = input;
    let to = target(here, to, snapshot)?;
    let folder = snapshot.under(&here.root);
    let manifest = whole(&folder, snapshot)?;
    let part = beside(&to, order);
    remove_tree(&part)?;
    fs::create_dir_all(&part).map_err(|error| format!("`{}` could not be made: {error}", part.display()))?;
    let restored = fill(here, &folder, &manifest, &part).and_then(|restore_ms| {
        let wrong = differences(here, &manifest, &part)?;
        if !wrong.is_empty() {
            return Err(format!("backup `{snapshot}` does not restore: {}", said::some(&wrong)).into());
        }
        fs::rename(&part, &to).map_err(|error| format!("`{}` could not be made: {error}", to.display()))?;
        Ok(told(&manifest, &to, Some(restore_ms)))
    });
    if restored.is_err() {
        // The first error is the one to tell.
        let _ = remove_tree(&part);
    }
    restored
}

/// The folder, if it may be used: from the root of the file system, new or empty, and neither among backups nor among the
/// files of git or of runs.
fn target(here: &Here, to: &str, snapshot: &RelPath) -> Result<PathBuf, BoxError> {
    let path = PathBuf::from(to);
    if !path.is_absolute() || path.file_name().is_none() {
        return Err(
            format!("`{to}` is no folder to restore into: say it from the root of the file system").into()
        );
    }
    let store = snapshot.as_str().rsplit_once('/').map_or("", |(store, _)| store);
    let real =
        path.ancestors().find_map(|above| Some((above.canonicalize().ok()?, path.strip_prefix(above).ok()?)));
    let real = real.map_or_else(|| path.clone(), |(above, below)| above.join(below));
    let root = here.root.canonicalize()?;
    if (!store.is_empty() && real.starts_with(root.join(store)))
        || real.starts_with(root.join(".git"))
        || root.starts_with(&real)
    {
        return Err(format!(
            "`{to}` is no folder to restore into: it belongs to the project; give one of its own"
        )
        .into());
    }
    match fs::read_dir(&path).map(|mut entries| entries.next().is_some()) {
        Ok(true) => {
            Err(format!("`{to}` is not empty: nothing was restored; give a new folder, or use `--in-place`")
                .into())
        }
        Ok(false) => Ok(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(path),
        Err(error) => Err(format!("`{to}` cannot be restored into: {error}").into()),
    }
}

/// The manifest of a snapshot whose files are as it says.
fn whole(folder: &Path, snapshot: &RelPath) -> Result<Manifest, BoxError> {
    let wrong = match sound(folder, None) {
        Ok((manifest, _)) => match changed_files(folder, &manifest, snapshot) {
            wrong if wrong.is_empty() => return Ok(manifest),
            wrong => wrong,
        },
        Err(wrong) => vec![wrong],
    };
    Err(format!("backup `{snapshot}` is damaged: {}; nothing was restored", said::some(&wrong)).into())
}

/// The same folder under the name that it has while it is being filled: on the same disk, of this order alone.
fn beside(to: &Path, order: &OrderKey) -> PathBuf {
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    to.with_file_name(format!(".{name}.restoring-{}", order.run))
}

/// Gives the milliseconds that it took.
fn fill(here: &Here, folder: &Path, manifest: &Manifest, into: &Path) -> Result<f64, BoxError> {
    let start = Instant::now();
    here.progress.step("restoring files", None);
    restore::tree(here, folder, manifest, into)?;
    here.go_on()?;
    if let (Some(stored), Some(position)) = (&manifest.bundle, &manifest.git) {
        here.progress.step("restoring refs", None);
        refs(here, &folder.join(&stored.file), position, into)?;
    }
    Ok(start.elapsed().as_secs_f64() * 1000.0)
}

/// Makes a repository of the folder, with the refs of the bundle, HEAD and an index like HEAD. The files stay as they are.
fn refs(here: &Here, bundle: &Path, position: &Position, into: &Path) -> Result<(), BoxError> {
    let git = Git::new(here).at(into);
    let format = format!("--object-format={}", position.object_format);
    git.bytes(["init", "--quiet", "--template=", &format])?;
    let mut fetch = vec!["fetch".as_ref(), "--quiet".as_ref(), "--update-head-ok".as_ref()];
    fetch.extend([
        "--no-tags".as_ref(),
        "--no-write-fetch-head".as_ref(),
        bundle.as_os_str(),
        "+refs/*:refs/*".as_ref(),
    ]);
    if position.refs.contains_key("HEAD") {
        // Brings the commits of a detached HEAD; the ref itself goes again.
        fetch.push("+HEAD:refs/restored/HEAD".as_ref());
    }
    git.bytes(fetch)?;
    match (&position.branch, &position.head) {
        (Some(branch), _) => drop(git.bytes(["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")])?),
        (None, Some(head)) => drop(git.bytes(["update-ref", "--no-deref", "HEAD", head])?),
        (None, None) => {}
    }
    if position.refs.contains_key("HEAD") {
        git.bytes(["update-ref", "-d", "refs/restored/HEAD"])?;
    }
    if position.head.is_some() {
        git.bytes(["reset", "--quiet", "--mixed"])?;
    }
    Ok(())
}

fn differences(here: &Here, manifest: &Manifest, restored: &Path) -> Result<Vec<String>, BoxError> {
    here.progress.step("comparing", None);
    let mut wrong = restore::compare(here, manifest, restored)?;
    wrong.extend(compare_refs(here, manifest, restored)?);
    Ok(wrong)
}

/// What was restored, where the folder is as the snapshot says.
fn is_there(here: &Here, input: &RestoreInput) -> Result<Option<Restored>, BoxError> {
    let to = PathBuf::from(&input.to);
    if fs::read_dir(&to).map_or(true, |mut entries| entries.next().is_none()) {
        return Ok(None);
    }
    let folder = input.snapshot.under(&here.root);
    let manifest = whole(&folder, &input.snapshot)?;
    let wrong = differences(here, &manifest, &to)?;
    Ok(wrong.is_empty().then(|| told(&manifest, &to, None)))
}

fn told(manifest: &Manifest, to: &Path, restore_ms: Option<f64>) -> Restored {
    let files = manifest.entries.iter().filter(|entry| matches!(entry.what, What::File { .. }));
    let position = manifest.git.as_ref().filter(|_| manifest.bundle.is_some());
    Restored {
        to: to.display().to_string(),
        files: files.count() as u64,
        refs: position.map(|position| position.refs.len() as u64),
        restore_ms,
    }
}

/// The manifest of a snapshot that may be restored in place.
pub(super) fn checked(here: &Here, snapshot: &RelPath) -> Result<Manifest, BoxError> {
    whole(&snapshot.under(&here.root), snapshot)
}
