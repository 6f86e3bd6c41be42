//! Where an operation works, owned, so that blocking work can take it to another thread.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator_core::BoxError;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::Site;
use orchestrator_core::progress::ProgressSink;
use orchestrator_core::stop::{Stop, StopLevel};

/// A [`Site`] that can go to another thread.
#[derive(Clone)]
pub(crate) struct Here {
    /// The root of the checkout.
    pub(crate) root: PathBuf,
    /// The state folder.
    pub(crate) state: PathBuf,
    /// The environment that commands get.
    pub(crate) env: Arc<[(OsString, OsString)]>,
    /// Says when to stop.
    pub(crate) stop: Stop,
    /// Where signs of life go.
    pub(crate) progress: ProgressSink,
}

/// The run was stopped while an operation worked.
#[derive(Debug, thiserror::Error)]
#[error("stopped before it was finished")]
pub(crate) struct Stopped;

impl Here {
    fn of(site: &Site<'_>) -> Self {
        let Site { root, state, progress, stop, secrets: _, env } = *site;
        Self {
            root: root.to_path_buf(),
            state: state.to_path_buf(),
            env: Arc::from(env),
            stop: stop.clone(),
            progress: progress.clone(),
        }
    }

    /// Fails once a stop was asked for.
    pub(crate) fn go_on(&self) -> Result<(), Stopped> {
        if self.stop.level() > StopLevel::Go { Err(Stopped) } else { Ok(()) }
    }

    /// The path of a scratch folder of an order. What an interrupted attempt left there goes first.
    pub(crate) fn scratch(&self, order: &OrderKey, what: &str) -> io::Result<Scratch> {
        let folder = self.state.join("scratch");
        std::fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}-{}-{what}", order.run, order.file_stem()));
        remove_tree(&path)?;
        Ok(Scratch(path))
    }

    /// The state folder relative to the root, where it lies below it.
    pub(crate) fn state_below_root(&self) -> Option<&Path> {
        self.state.strip_prefix(&self.root).ok().filter(|path| !path.as_os_str().is_empty())
    }
}

/// Does blocking work on a thread that may block.
pub(crate) async fn blocking<T: Send + 'static>(
    site: &Site<'_>,
    work: impl FnOnce(&Here) -> Result<T, BoxError> + Send + 'static,
) -> Result<T, BoxError> {
    let here = Here::of(site);
    tokio::task::spawn_blocking(move || work(&here)).await?
}

/// A path that goes, with all below it, when this does. Nothing is there at first.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Makes a folder below it, and says where.
    pub(crate) fn folder(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path)?;
        Ok(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now goes before the next use of the same path; nobody reads it.
        let _ = remove_tree(&self.0);
    }
}

/// Removes a file or a folder with all below it, also below folders that may not be written; nothing there is fine.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(found) if !found.is_dir() => return std::fs::remove_file(path),
        Ok(_) => {}
    }
    if std::fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    make_writable(path)?;
    std::fs::remove_dir_all(path)
}

fn make_writable(folder: &Path) -> io::Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}
