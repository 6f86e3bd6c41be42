//! Unpacks an archive and compares what came out with what the manifest says.

use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use orchestrator_core::BoxError;

use super::archive::digest;
use super::list::{LeftOut, walk};
use crate::backup::manifest::{Entry, Manifest, Name, What};
use crate::ops::here::Here;

/// Unpacks the archive of a snapshot into an empty folder.
pub(super) fn unpack(archive: &Path, into: &Path) -> Result<(), BoxError> {
    let mut tar = tar::Archive::new(MultiGzDecoder::new(BufReader::new(File::open(archive)?)));
    tar.set_preserve_permissions(true);
    tar.set_preserve_mtime(true);
    tar.unpack(into)?;
    Ok(())
}

/// Says where a restored tree differs from the manifest: content, modes, links, what is missing, what is too much.
pub(super) fn compare(here: &Here, manifest: &Manifest, restored: &Path) -> Result<Vec<String>, BoxError> {
    let mut found = walk(here, restored, &LeftOut::from([".git".into()]))?.found;
    let mut wrong = Vec::new();
    for entry in &manifest.entries {
        here.go_on()?;
        let path = &entry.path;
        match found.remove(path) {
            None => wrong.push(format!("`{path}`: missing")),
            Some(metadata) => {
                let difference = differs(entry, &metadata, &restored.join(path.as_path()))?;
                wrong.extend(difference.map(|what| format!("`{path}`: {what}")));
            }
        }
    }
    wrong.extend(found.keys().map(|path| format!("`{path}`: not in the manifest")));
    Ok(wrong)
}

fn differs(entry: &Entry, found: &fs::Metadata, path: &Path) -> Result<Option<String>, BoxError> {
    let mode = found.mode() & 0o7777;
    Ok(match &entry.what {
        What::Folder if !found.is_dir() => Some("not a folder".to_owned()),
        What::Link { .. } if !found.is_symlink() => Some("not a link".to_owned()),
        What::File { .. } if !found.is_file() => Some("not a file".to_owned()),
        What::Link { target } => {
            let points = Name::from(fs::read_link(path)?.as_path());
            (points != *target).then(|| format!("points to `{points}` instead of `{target}`"))
        }
        What::Folder | What::File { .. } if mode != entry.mode => {
            Some(format!("mode {mode:o} instead of {:o}", entry.mode))
        }
        What::Folder => None,
        What::File { bytes, .. } if found.len() != *bytes => {
            Some(format!("{} bytes instead of {bytes}", found.len()))
        }
        What::File { blake3, .. } => (digest(path)?.1 != *blake3).then(|| "content differs".to_owned()),
    })
}
