//! A copy of the example tree in a repository of its own, with the tools that `tests/run` installed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Folder, Said, git, output, until};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/roadmap");
/// What people who try the example leave behind.
const NOT_COPIED: [&str; 9] = [
    "node_modules",
    ".venv",
    "dist",
    "build",
    "coverage",
    ".orchestrate",
    "__pycache__",
    ".pytest_cache",
    ".ruff_cache",
];

/// The example tree.
pub(super) struct Tree {
    pub(super) folder: Folder,
}

impl Tree {
    /// Without any tool: what only reads and writes files works.
    pub(super) fn bare() -> Self {
        let folder = Folder::new();
        copy(Path::new(SOURCE), folder.path());
        git(folder.path(), &["init", "-q", "-b", "main"]);
        for (key, value) in [("user.name", "t"), ("user.email", "t@example.invalid")] {
            git(folder.path(), &["config", key, value]);
        }
        let tree = Self { folder };
        tree.commit();
        tree
    }

    /// With node modules, and a virtual environment with pytest.
    pub(super) fn equipped() -> Self {
        let tree = Self::bare();
        symlink(tool("ORCHESTRATE_TEST_NODE_MODULES"), tree.path().join("node_modules")).unwrap();
        let python = tool("ORCHESTRATE_TEST_PYTHON");
        let venv = python.parent().and_then(Path::parent).expect("the interpreter of a virtual environment");
        symlink(venv, tree.path().join(".venv")).unwrap();
        assert_eq!(git(tree.path(), &["status", "--porcelain"]), "", "git ignores the tools");
        tree
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Replaces text of a file, which must be there.
    #[track_caller]
    pub(super) fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.folder.read(name);
        assert!(text.contains(from), "`{from}` is not in {name}");
        self.folder.write(name, &text.replace(from, to));
    }

    /// Commits all that differs.
    pub(super) fn commit(&self) {
        git(self.path(), &["add", "-A"]);
        git(self.path(), &["commit", "-q", "--allow-empty", "-m", "feat: as it stands"]);
    }

    /// Files that git does not ignore and their bytes, without the state folder.
    pub(super) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let listed = git(self.path(), &["ls-files", "-co", "--exclude-standard"]);
        let names = listed.lines().filter(|name| !name.starts_with(".orchestrate/"));
        names.filter_map(|name| Some((name.to_owned(), fs::read(self.path().join(name)).ok()?))).collect()
    }

    /// Runs a command line here, without questions.
    pub(super) fn sh(&self, line: &str) -> Said {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(self.path())
            .stdin(Stdio::null())
            .env("CI", "1")
            .env("NO_COLOR", "1");
        output(command)
    }

    /// Builds the API and serves it on a port of its own, which the roadmap then asks.
    pub(super) fn serve(&self) {
        let port = orchestrator_traffic::ports::pick().unwrap();
        self.replace("orchestration.yaml", "http://127.0.0.1:38080/", &format!("http://127.0.0.1:{port}/"));
        self.commit();
        self.sh("npm run --silent build").exits(0);
        let mut server = Command::new("node");
        server.arg("dist/server.js").current_dir(self.path()).env("PORT", port.to_string());
        // The folder ends it when it goes.
        drop(server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        until("the API answers", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
}

/// What `tests/run` installed.
#[track_caller]
pub(super) fn tool(name: &str) -> PathBuf {
    let path =
        std::env::var_os(name).unwrap_or_else(|| panic!("`{name}` is not set: start this test by tests/run"));
    let path = PathBuf::from(path);
    assert!(path.exists(), "{name}: there is no {}", path.display());
    path
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if NOT_COPIED.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
