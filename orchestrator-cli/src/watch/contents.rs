//! What files held when they were last looked at: a change is another content, not another time.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use orchestrator_core::path::Digest;

/// Larger files are compared by size and time.
const READ: u64 = 64 << 20;

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Absent,
    /// Its digest, and whether it may be executed.
    File(Digest, bool),
    Link(PathBuf),
    /// Size, and time of the last change in seconds and nanoseconds.
    Large(u64, i64, i64),
    /// A pipe, a socket, a device: whatever comes out of it, it is not read.
    Other,
}

/// What files held when they were last looked at.
#[derive(Default)]
pub(super) struct Contents(HashMap<PathBuf, Content>);

impl Contents {
    /// Those of the files whose content is another one than before, or was not known before.
    pub(super) fn changed(&mut self, files: impl IntoIterator<Item = PathBuf>) -> BTreeSet<PathBuf> {
        let mut changed = BTreeSet::new();
        for path in files {
            let now = content(&path);
            if self.0.insert(path.clone(), now.clone()).as_ref() != Some(&now) {
                changed.insert(path);
            }
        }
        changed
    }
}

pub(super) fn content(path: &Path) -> Content {
    let Ok(meta) = fs::symlink_metadata(path) else { return Content::Absent };
    if meta.is_symlink() {
        return fs::read_link(path).map_or(Content::Absent, Content::Link);
    }
    if !meta.is_file() {
        return Content::Other;
    }
    if meta.len() > READ {
        return Content::Large(meta.len(), meta.mtime(), meta.mtime_nsec());
    }
    let mut bytes = Vec::new();
    match fs::File::open(path).and_then(|file| file.take(READ + 1).read_to_end(&mut bytes)) {
        Ok(_) => Content::File(Digest::of(&bytes), meta.mode() & 0o100 != 0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Content::Absent,
        // What cannot be read may have changed.
        Err(_) => Content::Large(meta.len(), meta.mtime(), meta.mtime_nsec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_content_is_a_change() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("f");
        let mut contents = Contents::default();
        let mut changed = || !contents.changed([path.clone()]).is_empty();
        fs::write(&path, "one").unwrap();
        assert!(changed(), "not known before");
        fs::write(&path, "one").unwrap();
        assert!(!changed());
        fs::write(&path, "two").unwrap();
        assert!(changed());
        fs::remove_file(&path).unwrap();
        assert!(changed() && !changed());
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert!(changed() && !changed());
        fs::remove_file(&path).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode;
        fs::write(&path, "two").unwrap();
        assert!(changed());
        fs::set_permissions(&path, mode(0o755)).unwrap();
        assert!(changed());
    }
}
