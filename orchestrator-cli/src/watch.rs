//! Which files change: told by the system, compared by content, and without what git ignores.

mod contents;
mod made;
mod tree;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::Notify;

use crate::error::CliError;
use contents::Contents;
use tree::Tree;

pub(crate) use made::Made;

/// Changes follow each other within this time: they are one change.
const QUIET: Duration = Duration::from_millis(150);
/// As long as they may go on to do so.
const ROUNDS: u32 = 20;
/// The most paths that are remembered; beyond them everything counts as changed.
const MOST: usize = 100_000;

/// Watches the files of a project.
pub(crate) struct Watch {
    watcher: RecommendedWatcher,
    touched: Arc<Touched>,
    tree: Tree,
    contents: Contents,
    /// The pipeline file, which counts wherever it lies.
    file: Option<PathBuf>,
}

/// What the system told of.
#[derive(Default)]
struct Touched {
    batch: Mutex<Batch>,
    more: Notify,
}

#[derive(Default)]
struct Batch {
    paths: BTreeSet<PathBuf>,
    /// Some changes were not told, so that anything may have changed.
    lost: bool,
}

/// What changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Files that have another content, or are new or gone; in order.
    pub(crate) files: BTreeSet<PathBuf>,
    /// There were more than could be followed.
    pub(crate) lost: bool,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.lost
    }
}

impl Touched {
    fn batch(&self) -> MutexGuard<'_, Batch> {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, event: notify::Result<Event>) {
        let mut batch = self.batch();
        match event {
            Ok(event) if event.need_rescan() => batch.lost = true,
            // Reading changes nothing.
            Ok(Event { kind: EventKind::Access(_), .. }) => return,
            Ok(event) => batch.paths.extend(event.paths),
            Err(error) => {
                tracing::debug!(%error, "changes were lost");
                batch.lost = true;
            }
        }
        if batch.paths.len() > MOST {
            batch.lost = true;
            batch.paths.clear();
        }
        drop(batch);
        self.more.notify_one();
    }
}

impl Watch {
    /// Watches the files below `root` that git does not ignore, save the state folder; and the pipeline file.
    pub(crate) fn new(root: &Path, state: &Path, file: Option<&Path>) -> Result<Self, CliError> {
        let touched = Arc::new(Touched::default());
        let teller = touched.clone();
        let watcher = notify::recommended_watcher(move |event| teller.tell(event)).map_err(failed)?;
        let file = file.map(|file| file.canonicalize().unwrap_or_else(|_| file.to_owned()));
        let (tree, contents) = (Tree::new(root, state), Contents::default());
        let mut watch = Self { watcher, touched, tree, contents, file };
        watch.look()?;
        Ok(watch)
    }

    /// Looks at the whole tree anew.
    fn look(&mut self) -> Result<(), CliError> {
        if let Some(folder) = self.file.as_deref().and_then(Path::parent) {
            self.watcher.watch(folder, RecursiveMode::NonRecursive).map_err(failed)?;
        }
        let mut error = None;
        let watcher = &mut self.watcher;
        self.tree.look(&mut |folder| follow(watcher, folder, &mut error));
        error.map_or(Ok(()), |error| Err(failed(error)))
    }

    /// How many folders are watched.
    pub(crate) fn folders(&self) -> usize {
        self.tree.folders()
    }

    /// Returns once something was touched, and then was quiet for a moment. May be dropped and called again at any time.
    pub(crate) async fn touched(&self) {
        loop {
            self.touched.more.notified().await;
            if self.is_touched() {
                return self.quiet().await;
            }
        }
    }

    fn is_touched(&self) -> bool {
        let batch = self.touched.batch();
        batch.lost || !batch.paths.is_empty()
    }

    /// Returns once nothing was touched for a moment, or that goes on for long.
    pub(crate) async fn quiet(&self) {
        for _ in 0..ROUNDS {
            if tokio::time::timeout(QUIET, self.touched.more.notified()).await.is_err() {
                break;
            }
        }
        // What was told is taken together with what it told of.
        self.touched.more.notify_one();
    }

    /// What changed since the last time, by content. A file that was not looked at before counts as changed when it is touched.
    pub(crate) fn changes(&mut self) -> Changes {
        let Batch { paths, lost } = std::mem::take(&mut *self.touched.batch());
        let mut error = None;
        let watcher = &mut self.watcher;
        let mut on_folder = |folder: &Path| follow(watcher, folder, &mut error);
        let candidates = if lost || paths.iter().any(|path| path.ends_with(".gitignore")) {
            let mut candidates = self.tree.look(&mut on_folder);
            candidates.extend(self.tree.files_among(&paths));
            candidates
        } else {
            self.tree.touched(&paths, &mut on_folder)
        };
        if let Some(error) = error {
            tracing::warn!(%error, "changes in a new folder are not seen");
        }
        let file = self.file.iter().filter(|file| paths.contains(*file)).cloned();
        let files = self.contents.changed(candidates.into_iter().chain(file));
        if lost {
            self.contents = Contents::default();
        }
        Changes { files, lost }
    }
}

fn follow(watcher: &mut RecommendedWatcher, folder: &Path, failed: &mut Option<notify::Error>) {
    match watcher.watch(folder, RecursiveMode::NonRecursive) {
        // It is gone again, which its parent's watch tells.
        Err(error) if !matches!(error.kind, notify::ErrorKind::PathNotFound) && folder.is_dir() => {
            failed.get_or_insert(error);
        }
        _ => {}
    }
}

fn failed(error: notify::Error) -> CliError {
    let what = if matches!(error.kind, notify::ErrorKind::MaxFilesWatch) {
        "there are more folders than may be watched; raise `fs.inotify.max_user_watches`, or have git ignore some"
    } else {
        "the files could not be watched"
    };
    CliError::io(what, std::io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use notify::event::Flag;

    use super::*;

    #[tokio::test]
    async fn changes_that_were_lost_may_be_anything() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        let mut watch = Watch::new(&root, &root.join("state"), None).unwrap();
        assert!(watch.changes().is_empty());
        watch.touched.tell(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        watch.touched().await;
        assert!(watch.changes().lost);
        assert!(watch.changes().is_empty(), "told once");
        for n in 0..=MOST {
            let event = Event::new(EventKind::Any).add_path(root.join(n.to_string()));
            watch.touched.tell(Ok(event));
        }
        assert!(watch.touched.batch().paths.is_empty(), "memory has an end");
        assert!(watch.changes().lost);
    }

    #[tokio::test]
    async fn a_new_folder_is_followed_and_the_pipeline_file_counts_anywhere() {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        let (root, file) = (base.join("root"), base.join("elsewhere/pipeline.yaml"));
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::create_dir(&root).unwrap();
        std::fs::write(&file, "one").unwrap();
        let mut watch = Watch::new(&root, &root.join("state"), Some(&file)).unwrap();
        let mut next = async |path: &Path| {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "two").unwrap();
            loop {
                watch.touched().await;
                let changes = watch.changes();
                if !changes.is_empty() {
                    return changes.files.into_iter().collect::<Vec<_>>();
                }
            }
        };
        for path in [root.join("a/b/c"), root.join("a/b/d"), file.clone()] {
            assert_eq!(next(&path).await, [path]);
        }
        // As a change of branches does it: gone and there again before anybody looked.
        std::fs::remove_dir_all(root.join("a")).unwrap();
        std::fs::create_dir_all(root.join("a/b")).unwrap();
        std::fs::rename(&file, root.join("a/b/c")).unwrap();
        let mut all = next(&root.join("a/b/e")).await;
        all.extend(next(&root.join("a/b/f")).await);
        for name in ["d", "e", "f"] {
            assert!(all.contains(&root.join("a/b").join(name)), "{name}: {all:?}");
        }
    }
}
