//! What a checkout looks like to git: used to catch a command that says it only reads and changes the tree.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use crate::path::{Digest, RelPath};
use crate::workspace::Workspace;

/// Files above this size are compared by size and time alone.
const HASHED: u64 = 16 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    stamp: (u64, Option<SystemTime>),
    digest: Option<Digest>,
}

/// The files of a checkout at a moment, the ignored ones aside.
#[derive(Debug)]
pub(crate) struct Tree {
    look: Workspace,
    seen: Mutex<BTreeMap<RelPath, Seen>>,
}

impl Tree {
    /// Looks at the checkout now.
    pub(crate) fn new(look: Workspace) -> Self {
        let mut seen = BTreeMap::new();
        for (path, meta) in list(&look) {
            let digest = digest(&look, &path, &meta);
            seen.insert(path, Seen { stamp: stamp(&meta), digest });
        }
        Self { look, seen: Mutex::new(seen) }
    }

    /// What changed since the last look, in order. It is said once.
    pub(crate) fn changes(&self) -> Vec<RelPath> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        let mut now = BTreeMap::new();
        for (path, meta) in list(&self.look) {
            let stamp = stamp(&meta);
            let before = seen.remove(&path);
            let same = before.as_ref().filter(|before| before.stamp == stamp);
            let digest = match same {
                Some(same) => same.digest,
                None => digest(&self.look, &path, &meta),
            };
            let is_same = before.is_some_and(|before| match (before.digest, digest) {
                (Some(before), Some(now)) => before == now,
                _ => before.stamp == stamp,
            });
            if !is_same {
                changed.push(path.clone());
            }
            now.insert(path, Seen { stamp, digest });
        }
        changed.extend(seen.keys().cloned());
        changed.sort();
        *seen = now;
        changed
    }
}

fn list(look: &Workspace) -> Vec<(RelPath, Metadata)> {
    let files = look.files_on_disk();
    let meta = |path: RelPath| path.under(look.root()).symlink_metadata().ok().map(|meta| (path, meta));
    files.into_iter().filter_map(meta).collect()
}

fn stamp(meta: &Metadata) -> (u64, Option<SystemTime>) {
    (meta.len(), meta.modified().ok())
}

fn digest(look: &Workspace, path: &RelPath, meta: &Metadata) -> Option<Digest> {
    if meta.is_symlink() {
        let target = std::fs::read_link(path.under(look.root())).ok()?;
        return Some(Digest::of(target.as_os_str().as_encoded_bytes()));
    }
    if meta.len() > HASHED {
        return None;
    }
    std::fs::read(path.under(look.root())).ok().map(|bytes| Digest::of(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_seen_once_and_ignored_files_never() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(".gitignore", "ignored\n");
        write("a", "1");
        write("b", "1");
        let tree = Tree::new(Workspace::new(dir.path(), jiff::Timestamp::UNIX_EPOCH));
        assert_eq!(tree.changes(), []);
        write("ignored", "x");
        write("a", "1");
        assert_eq!(tree.changes(), [], "the same content is no change");
        write("a", "2");
        write("c", "1");
        std::fs::remove_file(dir.path().join("b")).unwrap();
        let names: Vec<_> = tree.changes().iter().map(ToString::to_string).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(tree.changes(), []);
    }
}
