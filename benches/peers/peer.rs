//! What there is to know of a tool: how its pipeline is written, how it is called and what it keeps.

use crate::work::Work;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The most tasks at once, for every tool.
pub(crate) const JOBS: &str = "8";

/// A tool beside ours, or ours. Paths are of the folder that the work is laid out in.
pub(crate) trait Peer {
    /// As in the table and for `--peers`.
    fn name(&self) -> &'static str;

    /// The program, where it is installed.
    fn program(&self) -> Option<&Path>;

    /// How it says its version.
    fn version_argument(&self) -> &'static str {
        "--version"
    }

    /// The most rounds that are bearable.
    fn rounds(&self) -> usize {
        usize::MAX
    }

    /// Writes what it calls a pipeline.
    fn write(&self, top: &Path, work: &Work) -> io::Result<()>;

    /// Adds what makes it do all the work.
    fn run(&self, command: &mut Command, work: &Work);

    /// Adds what makes it list the work without doing it.
    fn list(&self, command: &mut Command, work: &Work);

    /// Files and folders that it keeps between runs.
    fn state(&self) -> &'static [&'static str];

    /// Forgets all earlier runs and what they made.
    fn forget(&self, top: &Path, _command: Command) -> io::Result<()> {
        for name in self.state().iter().chain(&["out"]) {
            let path = top.join(name);
            let gone = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            gone.or_else(|wrong| if wrong.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(wrong) })?;
        }
        fs::create_dir_all(top.join("out"))
    }

    /// Before a measured run of tasks that make no files: what would keep them from running again.
    fn renew(&self, _top: &Path, _command: Command) -> io::Result<()> {
        Ok(())
    }

    /// The folder with the folder `out` that its tasks made.
    fn made(&self, top: &Path) -> PathBuf {
        top.to_owned()
    }

    /// Whether it is the tool that all this is about.
    fn is_ours(&self) -> bool {
        false
    }

    /// The arguments that end what it left running, where it leaves something.
    fn stop(&self) -> Option<&'static [&'static str]> {
        None
    }
}

/// A program that may be missing.
pub(crate) type Program = Option<PathBuf>;
