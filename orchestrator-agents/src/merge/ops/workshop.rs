//! Where conflicts are solved: a worktree below the state folder that has what git merged, with what conflicts in its index.
//! It outlives the process, since a person may work in it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use orchestrator_core::BoxError;
use orchestrator_core::path::Digest;
use orchestrator_core::stop::Stop;
use serde::{Deserialize, Serialize};

use super::conflict::{File, Solved};
use crate::ops::git::Git;
use crate::ops::here::{Here, remove_tree};

/// A worktree for a conflict.
pub(super) struct Workshop<'a> {
    here: &'a Here,
    folder: PathBuf,
}

/// What is known of it, beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Digest of what is merged: another one is another conflict.
    pub(super) key: String,
    /// What conflicts.
    pub(super) files: Vec<File>,
    /// What rules solved of it.
    pub(super) solved: Vec<Solved>,
}

impl<'a> Workshop<'a> {
    /// That of a branch which goes into another; it may not be there.
    pub(super) fn of(here: &'a Here, into: &str, branch: &str) -> Self {
        let plain = |name: &str| -> String {
            name.chars()
                .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') { c } else { '-' })
                .collect()
        };
        let digest = Digest::of(format!("{into}\0{branch}").as_bytes()).to_string();
        let short: String = plain(branch).chars().take(60).collect();
        Self { here, folder: here.state.join("conflicts").join(format!("{short}-{}", &digest[..8])) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its path as people can use it from the root.
    pub(super) fn shown(&self) -> String {
        let path = self.folder.strip_prefix(&self.here.root).unwrap_or(&self.folder);
        path.display().to_string()
    }

    /// Git in it: without hooks, with every file.
    pub(super) fn git(&self) -> InWorkshop<'a> {
        InWorkshop(Git::new(self.here).at(&self.folder))
    }

    fn beside(&self, what: &str) -> PathBuf {
        let mut name = self.folder.as_os_str().to_owned();
        name.push(what);
        name.into()
    }

    /// What is noted of it; none where it is not there.
    pub(super) fn note(&self) -> Option<Note> {
        let text = std::fs::read(self.beside(".json")).ok()?;
        self.folder.join(".git").exists().then(|| serde_json::from_slice(&text).ok())?
    }

    /// Notes what is in it.
    pub(super) fn write_note(&self, note: &Note) -> Result<(), BoxError> {
        write(&self.beside(".json"), &serde_json::to_vec(note)?)
    }

    /// Makes it: at a commit, with a tree, and files in the index as they conflict.
    pub(super) fn make(&self, commit: &str, tree: &str, files: &[File]) -> Result<(), BoxError> {
        self.remove()?;
        if let Some(folder) = self.folder.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let main = Git::new(self.here);
        let add =
            ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--no-checkout", "--detach"];
        let place = [self.folder.as_os_str(), commit.as_ref()];
        main.bytes(add.iter().map(AsRef::as_ref).chain(place))?;
        let git = self.git();
        git.run(&["read-tree", tree])?;
        git.run(&["checkout-index", "--all", "--force", "--quiet"])?;
        let mut entries = Vec::new();
        for file in files {
            entries.extend_from_slice(format!("0 {} 0\t", "0".repeat(commit.len())).as_bytes());
            entries.extend_from_slice(&file.path);
            entries.push(0);
            for (stage, side) in [(1, &file.base), (2, &file.ours), (3, &file.theirs)] {
                let Some((mode, object)) = side else { continue };
                entries.extend_from_slice(format!("{mode} {object} {stage}\t").as_bytes());
                entries.extend_from_slice(&file.path);
                entries.push(0);
            }
        }
        git.feed(&["update-index", "-z", "--index-info"], entries)?;
        git.run(&["update-index", "-q", "--refresh"]).or_else(|_| Ok::<_, BoxError>(Vec::new()))?;
        Ok(())
    }

    /// The paths that are still unmerged.
    pub(super) fn unmerged(&self) -> Result<Vec<Vec<u8>>, BoxError> {
        let list = self.git().run(&["ls-files", "--unmerged", "-z"])?;
        let mut paths: Vec<Vec<u8>> = list
            .split(|byte| *byte == 0)
            .filter_map(|line| Some(line[line.iter().position(|byte| *byte == b'\t')? + 1..].to_vec()))
            .collect();
        paths.dedup();
        Ok(paths)
    }

    /// The paths that differ from the index, or are new and not ignored; unmerged ones aside.
    pub(super) fn not_added(&self) -> Result<Vec<String>, BoxError> {
        let git = self.git();
        git.run(&["update-index", "-q", "--refresh"]).or_else(|_| Ok::<_, BoxError>(Vec::new()))?;
        let changed = git.run(&["diff-files", "--name-only", "-z", "--ignore-submodules"])?;
        let new = git.run(&["ls-files", "--others", "--exclude-standard", "-z"])?;
        let unmerged = self.unmerged()?;
        let mut paths: Vec<String> = [changed, new]
            .iter()
            .flat_map(|list| list.split(|byte| *byte == 0))
            .filter(|path| !path.is_empty() && !unmerged.iter().any(|own| own == path))
            .map(|path| String::from_utf8_lossy(path).into_owned())
            .collect();
        paths.dedup();
        Ok(paths)
    }

    /// Puts a file, or its absence, into index and folder.
    pub(super) fn put(&self, path: &[u8], side: Option<(&str, &str)>) -> Result<(), BoxError> {
        let git = self.git();
        let mut entry =
            side.map_or_else(Vec::new, |(mode, object)| format!("{mode} {object} 0\t").into_bytes());
        entry.extend_from_slice(path);
        entry.push(0);
        let how = if side.is_some() { "--index-info" } else { "--force-remove" };
        let args: &[&str] = if side.is_some() { &[how] } else { &[how, "--stdin"] };
        git.feed(&["update-index", "-z"].iter().chain(args).copied().collect::<Vec<_>>(), entry)?;
        match side {
            Some(_) => {
                let args = ["checkout-index", "--force", "--quiet", "--"].map(OsStr::new);
                git.os(args.into_iter().chain([OsStr::from_bytes(path)]))?;
            }
            None => remove_tree(&self.folder.join(OsStr::from_bytes(path)))?,
        }
        Ok(())
    }

    /// Takes a file into the index as it lies in the folder.
    pub(super) fn add(&self, path: &[u8]) -> Result<(), BoxError> {
        let args = ["--literal-pathspecs", "add", "--force", "--"].map(OsStr::new);
        self.git().os(args.into_iter().chain([OsStr::from_bytes(path)]))
    }

    /// The tree of its index.
    pub(super) fn tree(&self) -> Result<String, BoxError> {
        Ok(String::from_utf8(self.git().run(&["write-tree"])?)?.trim().to_owned())
    }

    /// Takes it away; nothing there is fine. Also while the run is being stopped.
    pub(super) fn remove(&self) -> Result<(), BoxError> {
        if !self.folder.exists() && !self.beside(".json").exists() {
            return Ok(());
        }
        let here = Here { stop: Stop::new(), ..self.here.clone() };
        remove_tree(&self.beside(".json"))?;
        remove_tree(&self.folder)?;
        Git::new(&here).bytes(["worktree", "prune"])?;
        Ok(())
    }

    /// Moves its files aside, as plain files; where to.
    pub(super) fn set_aside(&self) -> Result<String, BoxError> {
        let mut number = 1;
        let aside = loop {
            let aside = self.beside(&format!(".before-{number}"));
            if !aside.exists() {
                break aside;
            }
            number += 1;
        };
        remove_tree(&self.folder.join(".git"))?;
        std::fs::rename(&self.folder, &aside)?;
        self.remove()?;
        let path = aside.strip_prefix(&self.here.root).unwrap_or(&aside);
        Ok(path.display().to_string())
    }

    /// The trees that conflicts of this branch came to, by their keys: a rebase may have several.
    pub(super) fn solutions(&self) -> Vec<(String, String, Vec<Solved>)> {
        let text = std::fs::read(self.beside(".solved.json")).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Keeps one more.
    pub(super) fn keep(&self, key: &str, tree: &str, solved: &[Solved]) -> Result<(), BoxError> {
        let mut all = self.solutions();
        all.retain(|(own, _, _)| own != key);
        all.push((key.to_owned(), tree.to_owned(), solved.to_vec()));
        write(&self.beside(".solved.json"), &serde_json::to_vec(&all)?)
    }

    /// Forgets them.
    pub(super) fn forget(&self) -> Result<(), BoxError> {
        Ok(remove_tree(&self.beside(".solved.json"))?)
    }
}

/// Whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), BoxError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    std::fs::write(&part, bytes)?;
    Ok(std::fs::rename(&part, path)?)
}

/// Git in a workshop.
pub(super) struct InWorkshop<'a>(Git<'a>);

const PLAIN: [&str; 4] = ["-c", "core.hooksPath=/dev/null", "-c", "core.sparseCheckout=false"];

impl InWorkshop<'_> {
    pub(super) fn run(&self, args: &[&str]) -> Result<Vec<u8>, BoxError> {
        Ok(self.0.bytes(PLAIN.iter().chain(args))?)
    }

    fn os<'s>(&self, args: impl IntoIterator<Item = &'s OsStr>) -> Result<(), BoxError> {
        Ok(self.0.bytes(PLAIN.map(OsStr::new).into_iter().chain(args)).map(drop)?)
    }

    fn feed(&self, args: &[&str], stdin: Vec<u8>) -> Result<(), BoxError> {
        let args: Vec<&str> = PLAIN.iter().chain(args).copied().collect();
        Ok(self.0.input(&args, stdin).map(drop)?)
    }
}
