//! What git ignores: the rules of a folder and of all above it.

use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::path::Digest;

/// The most bytes of rules that are read of one file.
const MOST: u64 = 1 << 20;

/// The rules that hold in a folder, the nearest last.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    list: Vec<Arc<Gitignore>>,
    /// Names the rules: digests of the files that they come from.
    pub(super) digest: Option<Digest>,
}

impl Rules {
    /// The rules of a folder: those of the folder above, then its own.
    pub(super) fn with(&self, own: Arc<Gitignore>, digest: Digest) -> Self {
        let mut list = self.list.clone();
        list.push(own);
        let above = self.digest.map(|above| above.to_string()).unwrap_or_default();
        Self { list, digest: Some(Digest::of(format!("{above}{digest}").as_bytes())) }
    }

    /// Whether git ignores something in the folder that the rules are of, its name aside that of no folder above.
    pub(super) fn ignore(&self, path: &str, is_folder: bool) -> bool {
        for rules in self.list.iter().rev() {
            match rules.matched(path, is_folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => {}
            }
        }
        false
    }
}

/// Reads a file of rules for what lies below `folder`. Lines that are no rules are passed over, as git does.
pub(super) fn read(root: &Path, folder: &str, file: &str) -> Arc<Gitignore> {
    use std::io::Read as _;
    // Paths are given from the root, so the rules of a folder are those below its path.
    let mut builder = GitignoreBuilder::new(if folder == "." { "" } else { folder });
    let mut text = Vec::new();
    if let Ok(file) = std::fs::File::open(root.join(file)) {
        let _ = file.take(MOST).read_to_end(&mut text);
    }
    for line in String::from_utf8_lossy(&text).lines() {
        let _ = builder.add_line(None, line);
    }
    Arc::new(builder.build().unwrap_or_else(|_| Gitignore::empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_rule_counts() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join(".gitignore"), "*.log\n/target\n# x\nbuild/\n").unwrap();
        std::fs::write(dir.path().join("a/.gitignore"), "!keep.log\n/own\n").unwrap();
        let top = Rules::default().with(read(dir.path(), ".", ".gitignore"), Digest::of(b"1"));
        let a = top.with(read(dir.path(), "a", "a/.gitignore"), Digest::of(b"2"));
        assert!(top.ignore("x.log", false) && top.ignore("target", true) && top.ignore("build", true));
        assert!(!top.ignore("build", false) && !top.ignore("src", true) && !top.ignore("a/target", true));
        assert!(a.ignore("a/x.log", false) && !a.ignore("a/keep.log", false) && a.ignore("a/own", false));
        assert_ne!(top.digest, a.digest);
    }
}
