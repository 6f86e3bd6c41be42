//! Whether a restored tree is what the manifest says: content, modes, links, what is missing, what is too much.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use orchestrator_core::BoxError;

use super::super::archive::digest;
use super::super::list::{LeftOut, walk};
use crate::backup::manifest::{Entry, Name, What};
use crate::ops::here::Here;

/// Says where a tree differs.
pub(super) fn differences(here: &Here, entries: &[Entry], tree: &Path) -> Result<Vec<String>, BoxError> {
    let mut found = walk(here, tree, &LeftOut::new())?.found;
    let mut wrong = Vec::new();
    for entry in entries {
        here.go_on()?;
        let path = &entry.path;
        let why = match found.remove(path) {
            None => Some("missing".to_owned()),
            Some(metadata) => difference(entry, &metadata, &tree.join(path.as_path()))?,
        };
        wrong.extend(why.map(|why| format!("`{path}`: {why}")));
    }
    wrong.extend(found.keys().map(|path| format!("`{path}`: not in the manifest")));
    Ok(wrong)
}

fn difference(entry: &Entry, found: &Metadata, path: &Path) -> Result<Option<String>, BoxError> {
    let kind = match &entry.what {
        What::File { .. } => (found.is_file(), "file"),
        What::Folder => (found.is_dir(), "folder"),
        What::Link { .. } => (found.is_symlink(), "link"),
    };
    if let (false, kind) = kind {
        return Ok(Some(format!("not a {kind}")));
    }
    if let What::Link { target } = &entry.what {
        let points = Name::from(fs::read_link(path)?.as_path());
        return Ok((points != *target).then(|| format!("points to `{points}` instead of `{target}`")));
    }
    let mode = found.mode() & 0o7777;
    if mode != entry.mode {
        return Ok(Some(format!("mode {mode:o} instead of {:o}", entry.mode)));
    }
    Ok(match &entry.what {
        What::File { bytes, .. } if found.len() != *bytes => {
            Some(format!("{} bytes instead of {bytes}", found.len()))
        }
        What::File { blake3, .. } => (digest(path)?.1 != *blake3).then(|| "content differs".to_owned()),
        What::Link { .. } | What::Folder => None,
    })
}
