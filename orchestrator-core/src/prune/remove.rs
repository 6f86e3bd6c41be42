//! Removes runs so that a crash at any moment leaves either the run or a leftover that is deleted next time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::judge::MADE_BY_THEN;
use super::known::{self, Seal};
use super::{Goes, Pruned, Pruning};
use crate::id::RunId;
use crate::layout::Layout;
use crate::lock::{Lock, LockError, Owner};

const GONE: &str = ".gone-";
const NEW: &str = ".new-";

/// What is left of runs whose removal was cut off, and of those whose making was, an hour ago or longer.
pub(crate) fn leftovers(layout: &Layout) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(layout.runs()) else { return Vec::new() };
    let now = SystemTime::now();
    let is_left = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let old = || {
            let changed = fs::symlink_metadata(path).and_then(|meta| meta.modified()).ok();
            changed.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age >= MADE_BY_THEN)
        };
        let draft = known::is_draft(name) || name.starts_with(NEW);
        name.starts_with(GONE) || draft && old()
    };
    let mut left: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(is_left).collect();
    left.sort();
    left
}

/// Does what was judged. A run that a process took up since, or that went on, stays.
pub(crate) fn carry_out(layout: &Layout, pruning: &Pruning) -> Pruned {
    let mut pruned = Pruned::default();
    for Goes { run, seal, .. } in &pruning.goes {
        match away(layout, run, Some(*seal), |folder| gone(layout, run, folder)) {
            Ok(Some(gone)) => {
                pruned.gone.push(run.clone());
                delete(&gone, &mut pruned.failed);
            }
            Ok(None) => {}
            Err(error) => pruned.failed.push(format!("run `{run}` could not be removed: {error}")),
        }
    }
    for stays in &pruning.aside {
        let run = &stays.run;
        match away(layout, run, None, |folder| crate::aside::set_aside(layout.state(), folder)) {
            Ok(Some(to)) => pruned.aside.push((run.clone(), to)),
            Ok(None) => {}
            Err(error) => pruned.failed.push(format!("run `{run}` could not be set aside: {error}")),
        }
    }
    for left in &pruning.leftovers {
        delete(left, &mut pruned.failed);
    }
    pruned
}

/// Renames a run's folder while its lock is held, so that no process takes it up meanwhile. None: it is not to be removed.
fn away(
    layout: &Layout,
    run: &RunId,
    seal: Option<Seal>,
    rename: impl FnOnce(&Path) -> io::Result<PathBuf>,
) -> io::Result<Option<PathBuf>> {
    let folder = layout.run_dir(run);
    if !folder.is_dir() {
        return Ok(None);
    }
    let lock = match Lock::acquire(&layout.run_lock(run), &Owner::here(run.clone(), "prune")) {
        Ok(lock) => lock,
        Err(LockError::Held { .. }) => return Ok(None),
        Err(LockError::Io { source, .. }) => return Err(source),
        Err(LockError::Stopped { .. }) => return Err(io::ErrorKind::Interrupted.into()),
    };
    let unchanged = seal.is_none_or(|seal| Seal::of(layout, run).map_or(seal.is_empty(), |now| now == seal));
    let moved = if unchanged { rename(&folder).map(Some) } else { Ok(None) };
    drop(lock);
    moved
}

fn gone(layout: &Layout, run: &RunId, folder: &Path) -> io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let to = layout.runs().join(format!("{GONE}{run}-{now:x}-{:x}", std::process::id()));
    fs::rename(folder, &to).map(|()| to)
}

fn delete(path: &Path, failed: &mut Vec<String>) {
    let deleted = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match deleted {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            failed.push(format!("`{}` could not be deleted: {error}", path.display()));
        }
        _ => {}
    }
}
