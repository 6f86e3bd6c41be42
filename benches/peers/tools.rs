//! Where the programs are: under the folder that `install.sh` filled (`PEERS`), else on the `PATH`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Folders to look in, and the home of all that runs.
pub(crate) struct Tools {
    folders: Vec<PathBuf>,
    /// A home folder of their own, so that nothing of the user's is read or written.
    home: PathBuf,
    /// The tool that all this is about.
    pub(crate) ours: PathBuf,
}

impl Tools {
    /// Reads `PEERS`, `PATH` and `ORCHESTRATE`.
    pub(crate) fn new(home: PathBuf) -> Self {
        let inside = ["npm/node_modules/.bin", "py/bin", "cargo/bin", "bazel/bin", "apt/usr/bin"];
        let peers = std::env::var_os("PEERS").map(PathBuf::from);
        let mut folders: Vec<PathBuf> =
            peers.iter().flat_map(|peers| inside.map(|inside| peers.join(inside))).collect();
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let ours = std::env::var_os("ORCHESTRATE")
            .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_orchestrate")), PathBuf::from);
        Self { folders, home, ours }
    }

    /// A program by name.
    pub(crate) fn find(&self, name: &str) -> Option<PathBuf> {
        self.folders.iter().map(|folder| folder.join(name)).find(|path| path.is_file())
    }

    /// The native program that an npm package wraps: without the wrapper a start takes 40 ms less.
    pub(crate) fn native(&self, name: &str, scope: &str, inside: &str) -> Option<PathBuf> {
        let wrapper = self.find(name)?;
        let real = wrapper.canonicalize().ok()?;
        let modules = real.ancestors().find(|above| above.ends_with("node_modules"));
        let packages = modules.and_then(|modules| std::fs::read_dir(modules.join(scope)).ok());
        let mut natives = packages.into_iter().flatten().flatten().map(|package| package.path().join(inside));
        Some(natives.find(|path| path.is_file()).unwrap_or(wrapper))
    }

    /// A command of a program in a folder, in the surroundings that all of them get.
    pub(crate) fn command(&self, program: &Path, folder: &Path) -> Command {
        let path: OsString = std::env::join_paths(&self.folders).unwrap_or_default();
        let mut command = Command::new(program);
        command.current_dir(folder).env("PATH", path).env("HOME", &self.home);
        command
            .env("XDG_CACHE_HOME", self.home.join(".cache"))
            .env("XDG_CONFIG_HOME", self.home.join(".config"));
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("DO_NOT_TRACK", "1").env("PYTHONNOUSERSITE", "1");
        for name in ["CI", "GITHUB_ACTIONS", "MAKEFLAGS", "RUST_LOG", "LOG_LEVEL", "NO_COLOR"] {
            command.env_remove(name);
        }
        command
    }
}
