//! The folders that are looked into.

use std::path::Path;

use crate::path::RelPath;

/// The most folders that are looked into.
const MAX_FOLDERS: usize = 200;
/// The most entries that are read to find them.
const MAX_ENTRIES: usize = 20_000;
/// Folders of what others wrote or tools made, which git need not ignore.
const FOREIGN: [&str; 8] =
    ["node_modules", "vendor", "target", "dist", "build", "venv", "__pycache__", "testdata"];

/// The root, then the folders below it, then those below them; by name, without those that git ignores.
pub(super) fn below(root: &Path) -> Vec<RelPath> {
    let mut walk = ignore::WalkBuilder::new(root);
    walk.max_depth(Some(2))
        .require_git(false)
        .git_global(false)
        .sort_by_file_name(std::ffi::OsStr::cmp)
        .filter_entry(|entry| {
            entry.depth() == 0
                || entry.file_type().is_some_and(|kind| kind.is_dir())
                    && !entry.file_name().to_str().is_some_and(|name| FOREIGN.contains(&name))
        });
    let mut folders: Vec<(usize, RelPath)> = Vec::new();
    for entry in walk.build().take(MAX_ENTRIES) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                tracing::warn!(%error, "left out while looking at the project");
                continue;
            }
        };
        let below = entry.path().strip_prefix(root).ok().and_then(Path::to_str);
        match below {
            Some("") => folders.push((0, RelPath::root())),
            Some(below) => folders.extend(RelPath::new(below).ok().map(|path| (entry.depth(), path))),
            None => {}
        }
    }
    folders.sort();
    folders.truncate(MAX_FOLDERS);
    folders.into_iter().map(|(_, folder)| folder).collect()
}
