//! The files that count: what git ignores, its own folder, the state folder and what editors leave behind do not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

/// The files that count, by folder.
pub(super) struct Tree {
    root: PathBuf,
    state: PathBuf,
    folders: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

type OnFolder<'f> = &'f mut dyn FnMut(&Path);

impl Tree {
    pub(super) fn new(root: &Path, state: &Path) -> Self {
        Self { root: root.to_owned(), state: state.to_owned(), folders: BTreeMap::new() }
    }

    pub(super) fn folders(&self) -> usize {
        self.folders.len()
    }

    /// Looks at everything: what came or went since the last look. `on_folder` is told of every folder before it is read.
    pub(super) fn look(&mut self, on_folder: OnFolder<'_>) -> BTreeSet<PathBuf> {
        let before = std::mem::take(&mut self.folders);
        self.walk(&self.root.clone(), None, on_folder);
        let files = |folders: &BTreeMap<PathBuf, BTreeSet<PathBuf>>| -> BTreeSet<PathBuf> {
            folders.values().flatten().cloned().collect()
        };
        files(&before).symmetric_difference(&files(&self.folders)).cloned().collect()
    }

    /// Those of the paths that are files here.
    pub(super) fn files_among(&self, paths: &BTreeSet<PathBuf>) -> Vec<PathBuf> {
        let is_here = |path: &&PathBuf| {
            path.parent()
                .and_then(|folder| self.folders.get(folder))
                .is_some_and(|files| files.contains(*path))
        };
        paths.iter().filter(is_here).cloned().collect()
    }

    /// Looks again where something was touched: files that were touched, came or went.
    pub(super) fn touched(
        &mut self,
        paths: &BTreeSet<PathBuf>,
        on_folder: OnFolder<'_>,
    ) -> BTreeSet<PathBuf> {
        let mut again = BTreeSet::new();
        for path in paths {
            let folders = [Some(path.as_path()), path.parent()];
            let known = folders.into_iter().flatten().filter(|folder| self.folders.contains_key(*folder));
            again.extend(known.map(Path::to_owned));
        }
        let mut candidates = BTreeSet::new();
        for folder in again {
            self.again(&folder, on_folder, &mut candidates);
        }
        candidates.extend(self.files_among(paths));
        candidates
    }

    fn again(&mut self, folder: &Path, on_folder: OnFolder<'_>, candidates: &mut BTreeSet<PathBuf>) {
        let before = self.folders.remove(folder).unwrap_or_default();
        let below = self.walk(folder, Some(1), on_folder);
        let after = self.folders.get(folder).cloned().unwrap_or_default();
        candidates.extend(before.symmetric_difference(&after).cloned());
        let gone: Vec<PathBuf> = self
            .folders
            .range(folder.to_owned()..)
            .map(|(known, _)| known)
            .take_while(|known| known.starts_with(folder))
            .filter(|known| *known != folder && !below.iter().any(|below| known.starts_with(below)))
            .cloned()
            .collect();
        for gone in gone {
            candidates.extend(self.folders.remove(&gone).unwrap_or_default());
        }
        if after.is_empty() && !folder.is_dir() {
            self.folders.remove(folder);
        }
        for new in below {
            if !self.folders.contains_key(&new) {
                let known: BTreeSet<PathBuf> = self.folders.keys().cloned().collect();
                self.walk(&new, None, on_folder);
                let came = self.folders.iter().filter(|(folder, _)| !known.contains(*folder));
                candidates.extend(came.flat_map(|(_, files)| files.iter().cloned()));
            }
        }
    }

    /// Takes in what is below a folder; gives the folders that were met below it.
    fn walk(&mut self, folder: &Path, depth: Option<usize>, on_folder: OnFolder<'_>) -> Vec<PathBuf> {
        let state = self.state.clone();
        let walk = WalkBuilder::new(folder)
            .hidden(false)
            .ignore(false)
            .require_git(false)
            .follow_links(false)
            .max_depth(depth)
            .filter_entry(move |entry| {
                let name = entry.file_name().to_str().unwrap_or_default();
                name != ".git" && entry.path() != state && !is_editors(name)
            })
            .build();
        let mut below = Vec::new();
        // A folder that is gone meanwhile has nothing in it.
        for entry in walk.flatten() {
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let path = entry.into_path();
            if is_folder && (path == folder || depth.is_none()) {
                on_folder(&path);
                self.folders.entry(path.clone()).or_default();
            }
            if is_folder && path != folder {
                below.push(path);
            } else if !is_folder && let Some(parent) = path.parent() {
                self.folders.entry(parent.to_owned()).or_default().insert(path);
            }
        }
        below
    }
}

/// What editors lay beside the files that they have open.
fn is_editors(name: &str) -> bool {
    let extension = Path::new(name).extension();
    name.starts_with(".#") || name.ends_with('~') || extension.is_some_and(|is| is == "swp" || is == "swx")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    struct Folder {
        temp: tempfile::TempDir,
        tree: Tree,
    }

    impl Folder {
        fn new(files: &[&str]) -> Self {
            let temp = tempfile::tempdir().unwrap();
            let tree = Tree::new(temp.path(), &temp.path().join("state"));
            let mut folder = Self { temp, tree };
            for file in files {
                folder.put(file, "");
            }
            folder.tree.look(&mut |_| ());
            folder
        }

        fn put(&self, file: &str, text: &str) {
            let path = self.temp.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn shown(&self, paths: impl IntoIterator<Item = PathBuf>) -> Vec<String> {
            let short = |path: PathBuf| path.strip_prefix(self.temp.path()).unwrap().display().to_string();
            paths.into_iter().map(short).collect()
        }

        fn touched(&mut self, paths: &[&str]) -> Vec<String> {
            let paths = paths.iter().map(|path| self.temp.path().join(path)).collect();
            let touched = self.tree.touched(&paths, &mut |_| ());
            self.shown(touched)
        }

        fn files(&self) -> Vec<String> {
            self.shown(self.tree.folders.values().flatten().cloned())
        }
    }

    #[test]
    fn what_git_ignores_does_not_count() {
        let mut folder =
            Folder::new(&["a", "src/b", "src/deep/c", "target/x", "src/y.o", ".git/HEAD", "state/j", ".env"]);
        folder.put(".gitignore", "target/\n*.o\n");
        folder.put("src/deep/.gitignore", "local\n");
        folder.put("src/deep/local", "");
        folder.put("a~", "");
        folder.tree.look(&mut |_| ());
        assert_eq!(folder.files(), [".env", ".gitignore", "a", "src/b", "src/deep/.gitignore", "src/deep/c"]);
        let touched =
            folder.touched(&["target/x", "src/y.o", "src/deep/local", ".git/HEAD", "state/j", "a~", "src/b"]);
        assert_eq!(touched, ["src/b"]);
        folder.put("src/new.o", "");
        folder.put("src/new/deep/z.o", "");
        folder.put("src/new/deep/z", "");
        assert_eq!(folder.touched(&["src/new.o", "src/new"]), ["src/new/deep/z"]);
    }

    #[test]
    fn folders_come_go_and_are_renamed() {
        let mut folder = Folder::new(&["a/one", "a/deep/two", "b"]);
        fs::rename(folder.temp.path().join("a"), folder.temp.path().join("c")).unwrap();
        assert_eq!(folder.touched(&["a", "c"]), ["a/deep/two", "a/one", "c/deep/two", "c/one"]);
        assert_eq!(folder.files(), ["b", "c/one", "c/deep/two"]);
        fs::remove_dir_all(folder.temp.path().join("c")).unwrap();
        assert_eq!(folder.touched(&["c/deep/two", "c/deep", "c/one", "c"]), ["c/deep/two", "c/one"]);
        assert_eq!(folder.files(), ["b"]);
        // One that came and went counts where it is seen; its content tells that it is not there.
        assert_eq!(folder.touched(&["gone", "gone/x"]), [""; 0]);
        folder.put("d/e/f", "");
        assert_eq!(folder.touched(&["d"]), ["d/e/f"]);
    }
}
