//! Whether a manifest can be relied on to restore from: names that stay in their folder, entries below folders alone.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use orchestrator_core::BoxError;

use super::{Entry, MANIFEST_VERSION, Manifest, Name, What};

impl Manifest {
    /// Its entries by path, each after the folder that it is in.
    ///
    /// # Errors
    ///
    /// A manifest of a later version, and one that would lead out of the folder that is restored into: hostile, or damaged.
    pub fn checked(&self) -> Result<BTreeMap<&Name, &Entry>, BoxError> {
        if self.version > MANIFEST_VERSION {
            let version = self.version;
            return Err(format!(
                "its format {version} is newer than {MANIFEST_VERSION}: use a later version"
            )
            .into());
        }
        for stored in self.stored() {
            // Dumps of databases have a folder of their own.
            if !is_plain(stored.file.strip_prefix("databases/").unwrap_or(&stored.file)) {
                return Err(format!(
                    "`{}` is not a name of a file in the snapshot",
                    stored.file.escape_debug()
                )
                .into());
            }
        }
        let mut entries = BTreeMap::new();
        for entry in &self.entries {
            if !is_below(entry.path.as_path()) {
                return Err(format!("`{}` is not a path below the root", entry.path).into());
            }
            if entries.insert(&entry.path, entry).is_some() {
                return Err(format!("`{}` is listed twice", entry.path).into());
            }
            extents_fit(entry)?;
        }
        for entry in &self.entries {
            let parent = entry.path.as_path().parent().map(Name::from).filter(|parent| !parent.0.is_empty());
            let is_folder =
                |parent: &Name| entries.get(parent).is_some_and(|found| found.what == What::Folder);
            if parent.as_ref().is_some_and(|parent| !is_folder(parent)) {
                return Err(format!("`{}` is below something that is no folder", entry.path).into());
            }
        }
        Ok(entries)
    }
}

/// Whether it names a file in a folder and nothing else.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) && !name.contains(['/', '\0'])
}

/// Whether it is a path of names alone, written in the one way that there is.
fn is_below(path: &Path) -> bool {
    let name = Name::from(path);
    !name.0.is_empty()
        && name.0.split(|byte| *byte == b'/').all(|part| !matches!(part, b"" | b"." | b".."))
        && !name.0.contains(&0)
}

fn extents_fit(entry: &Entry) -> Result<(), BoxError> {
    let What::File { bytes, extents: Some(extents), .. } = &entry.what else { return Ok(()) };
    let mut from = 0;
    for (start, length) in extents {
        match start.checked_add(*length) {
            Some(end) if *start >= from && end <= *bytes => from = end,
            _ => return Err(format!("`{}` has extents that do not fit into it", entry.path).into()),
        }
    }
    Ok(())
}
