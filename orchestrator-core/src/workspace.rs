//! The read-only look that planning gets: the files as they will be, git, tool versions.

mod tools;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;

use crate::id::RunId;
use crate::path::RelPath;
use tools::Tools;

pub(crate) use tools::Sayings;

/// Files that a dry run would have written (`Some`) or removed (`None`).
pub type Overlay = BTreeMap<RelPath, Option<Vec<u8>>>;

/// The files as they will be (a dry run's withheld edits lie over the tree), git, tool versions.
#[derive(Debug, Clone)]
pub struct Workspace {
    root: PathBuf,
    run: Option<RunId>,
    started: Timestamp,
    overlay: Arc<Mutex<Overlay>>,
    modes: Arc<Mutex<BTreeMap<RelPath, u32>>>,
    env: Arc<[(std::ffi::OsString, std::ffi::OsString)]>,
    tools: Arc<Tools>,
    /// The files on disk as they were first seen, where the tree does not change: in a dry run.
    still: Option<Arc<OnceLock<BTreeSet<RelPath>>>>,
}

impl Workspace {
    /// A look at the tree below `root`, by a run that began at `started`.
    pub fn new(root: impl Into<PathBuf>, started: Timestamp) -> Self {
        let env = Arc::from([]);
        let (overlay, modes, tools) = (Arc::default(), Arc::default(), Arc::default());
        Self { root: root.into(), run: None, started, overlay, modes, env, tools, still: None }
    }

    /// Believes that the tree does not change: what lies in it is listed once. A dry run that changes it fails anyway.
    pub(crate) fn still(mut self) -> Self {
        self.still = Some(Arc::default());
        self
    }

    /// Names the run.
    #[must_use]
    pub fn run_id(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Gives the environment that commands get.
    #[must_use]
    pub fn environment(mut self, env: impl Into<Arc<[(std::ffi::OsString, std::ffi::OsString)]>>) -> Self {
        self.env = env.into();
        self
    }

    /// The value of an environment variable that commands get.
    pub fn variable(&self, name: &str) -> Option<&std::ffi::OsStr> {
        self.env.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_os_str())
    }

    /// The environment variables that commands get and whose names are text.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &std::ffi::OsStr)> {
        self.env.iter().filter_map(|(name, value)| Some((name.to_str()?, value.as_os_str())))
    }

    /// Believes what tools said in earlier runs, for as long as `lifetimes` says.
    pub(crate) fn believe(&self, sayings: Sayings, lifetimes: crate::settings::Lifetimes) {
        self.tools.believe(sayings, lifetimes);
    }

    /// What tools said of their versions.
    pub(crate) fn sayings(&self) -> Sayings {
        self.tools.sayings()
    }

    /// The root of the checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The run that plans.
    pub fn run(&self) -> Option<&RunId> {
        self.run.as_ref()
    }

    /// When the run began: the same after a resume, so that names made of it are.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// Lays a withheld edit over the tree. A mode that the edit does not name is kept.
    pub(crate) fn lay_over(&self, path: RelPath, content: Option<Vec<u8>>, mode: Option<u32>) {
        let mode = content.is_some().then(|| mode.or(self.mode(&path)).unwrap_or(0o644) & 0o7777);
        let mut modes = self.modes.lock().unwrap_or_else(PoisonError::into_inner);
        match mode {
            Some(mode) => drop(modes.insert(path.clone(), mode)),
            None => drop(modes.remove(&path)),
        }
        drop(modes);
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner).insert(path, content);
    }

    /// The files that differ from those on disk, since edits of them were withheld; in order.
    pub fn laid_over(&self) -> Vec<RelPath> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// The bytes of a file as they will be; none where there is none. A folder is an error.
    pub fn read(&self, path: &RelPath) -> io::Result<Option<Vec<u8>>> {
        if let Some(content) = self.overlay.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            return Ok(content.clone());
        }
        match std::fs::read(path.under(&self.root)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(io::Error::new(error.kind(), format!("`{path}` could not be read: {error}"))),
        }
    }

    /// The permission bits of a file as they will be; none where there is none.
    pub fn mode(&self, path: &RelPath) -> Option<u32> {
        use std::os::unix::fs::PermissionsExt;
        if let Some(laid) = self.overlay.lock().unwrap_or_else(PoisonError::into_inner).get(path) {
            laid.as_ref()?;
            return self.modes.lock().unwrap_or_else(PoisonError::into_inner).get(path).copied();
        }
        Some(path.under(&self.root).metadata().ok()?.permissions().mode() & 0o7777)
    }

    /// The text of a file as it will be; none where there is none.
    pub fn read_text(&self, path: &RelPath) -> io::Result<Option<String>> {
        let Some(bytes) = self.read(path)? else { return Ok(None) };
        let text = String::from_utf8(bytes);
        text.map(Some)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("`{path}` is not UTF-8")))
    }

    /// Whether a file action may touch the path: no link itself, and none on the way that leads out of the checkout.
    pub fn is_own(&self, path: &RelPath) -> bool {
        let full = path.under(&self.root);
        let Ok(root) = self.root.canonicalize() else { return false };
        let near = full.ancestors().skip(1).find_map(|folder| folder.canonicalize().ok());
        near.is_some_and(|near| near.starts_with(&root)) && !full.is_symlink()
    }

    /// Whether a file or folder will be there.
    pub fn exists(&self, path: &RelPath) -> bool {
        let overlay = self.overlay.lock().unwrap_or_else(PoisonError::into_inner);
        match overlay.get(path) {
            Some(content) => content.is_some(),
            None => {
                let below = format!("{path}/");
                overlay.iter().any(|(laid, content)| content.is_some() && laid.as_str().starts_with(&below))
                    || path.under(&self.root).symlink_metadata().is_ok()
            }
        }
    }

    /// The files below `folder` that git does not ignore, in order; withheld edits counted.
    pub fn files(&self, folder: &RelPath) -> Vec<RelPath> {
        let mut files = match &self.still {
            Some(seen) if folder.is_root() => seen.get_or_init(|| self.walk(folder)).clone(),
            _ => self.walk(folder),
        };
        let below = format!("{folder}/");
        for (path, content) in self.overlay.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if folder.is_root() || path.as_str().starts_with(&below) {
                if content.is_some() {
                    files.insert(path.clone());
                } else {
                    files.remove(path);
                }
            }
        }
        files.into_iter().collect()
    }

    /// The files of the checkout that git does not ignore, in order, withheld edits aside.
    pub(crate) fn files_on_disk(&self) -> BTreeSet<RelPath> {
        self.walk(&RelPath::root())
    }

    fn walk(&self, folder: &RelPath) -> BTreeSet<RelPath> {
        let mut files = BTreeSet::new();
        let start = folder.under(&self.root);
        if !start.exists() {
            return files;
        }
        let mut walk = ignore::WalkBuilder::new(&start);
        walk.hidden(false).require_git(false).git_global(false);
        walk.filter_entry(|entry| !matches!(entry.file_name().to_str(), Some(".git" | ".orchestrate")));
        for entry in walk.build() {
            let Ok(entry) = entry else { continue };
            if entry.file_type().is_some_and(|kind| !kind.is_dir())
                && let Ok(below) = entry.path().strip_prefix(&self.root)
                && let Some(Ok(path)) = below.to_str().map(RelPath::new)
            {
                files.insert(path);
            }
        }
        files
    }

    /// What a git command that only reads prints, without the last line break. The error has git's own words.
    pub fn git(&self, args: &[&str]) -> io::Result<String> {
        let output = self.command("git").args(["--no-optional-locks"]).args(args).output()?;
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
        } else {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(io::Error::other(format!("`git {}` failed: {said}", args.join(" "))))
        }
    }

    /// The first line that `TOOL --version` prints; none where there is no such tool. `go` only knows `go version`. What it
    /// said a while ago is believed while the program, and the files that choose its version, are the same.
    pub fn tool_version(&self, tool: &str) -> Option<String> {
        if self.env.is_empty() {
            return self.ask_version(tool);
        }
        let env = |name: &str| self.variable(name).map(PathBuf::from);
        self.tools.version(tool, &self.root, env, || self.ask_version(tool))
    }

    fn ask_version(&self, tool: &str) -> Option<String> {
        let flag = if tool == "go" { "version" } else { "--version" };
        let output = self.command(tool).arg(flag).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout);
        output.status.success().then(|| text.lines().next().unwrap_or_default().trim().to_owned())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).stdin(std::process::Stdio::null());
        if !self.env.is_empty() {
            command.env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        }
        command
    }
}
