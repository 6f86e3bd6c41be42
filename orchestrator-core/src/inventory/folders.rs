//! Listings of folders, and what git ignores of them.

use std::io;
use std::time::SystemTime;

use rustix::fs::FileType;

use super::rules::Rules;
use super::stamp::{Eyes, Kind, Seen};
use super::tables::{Entry, FolderRecord};
use crate::path::RelPath;

/// The path of `name` in `folder`.
pub(super) fn below(folder: &str, name: &str) -> String {
    if folder == "." { name.to_owned() } else { format!("{folder}/{name}") }
}

/// Lists a folder; one that is not there has no entries.
pub(super) fn list(eyes: &Eyes, path: &str, rules: &Rules, never: &[String]) -> io::Result<FolderRecord> {
    let rules_digest = rules.digest.map(|digest| *digest.as_bytes());
    let record = |seen, entries, foreign| FolderRecord {
        path: path.into(),
        seen,
        rules: rules_digest,
        entries,
        foreign,
    };
    let now = SystemTime::now();
    let seen = match eyes.stamp(path)? {
        Some(stamp) if stamp.kind == Kind::Folder => stamp.believed(now),
        _ => return Ok(record(Seen::Absent, Vec::new(), false)),
    };
    let mut entries = Vec::new();
    let mut foreign = false;
    for entry in eyes.list(path)? {
        let entry = entry?;
        let name = match entry.file_name().to_str() {
            Ok("." | "..") => continue,
            Ok(name) if RelPath::new(name).is_ok() => name,
            _ => {
                foreign = true;
                continue;
            }
        };
        let full = below(path, name);
        if name == ".git" || never.contains(&full) {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            // Some file systems do not say.
            FileType::Unknown => match eyes.stamp(&full)? {
                Some(stamp) => stamp.kind,
                None => continue,
            },
            _ => Kind::Other,
        };
        let ignored = rules.ignore(&full, kind == Kind::Folder);
        entries.push(Entry { name: name.into(), kind, ignored });
    }
    entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(record(seen, entries, foreign))
}
