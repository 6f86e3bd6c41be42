//! Puts rendered reports on disk: each file whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use orchestrator_core::path::{Digest, RelPath};
use orchestrator_core::report::{ReportError, ReportGenerator, RunRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A report file that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Written {
    /// Name of the report.
    pub name: String,
    /// The file, below the folder that was given.
    pub path: RelPath,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub digest: Digest,
}

/// Reports could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// One could not be rendered.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// A generator gives a name that does not stay below its folder.
    #[error("report `{report}` gives a file a name that cannot be used")]
    Name {
        /// The report.
        report: String,
        /// What is wrong with it.
        source: orchestrator_core::path::PathError,
    },
    /// A file could not be written.
    #[error("`{path}` could not be written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Renders the record with each generator and writes the files below `folder`, which is made where it is missing.
/// An existing file is replaced at one stroke. Blocks.
pub fn write_reports(
    record: &RunRecord,
    generators: &[Box<dyn ReportGenerator>],
    folder: &Path,
) -> Result<Vec<Written>, WriteError> {
    let mut written = Vec::new();
    for generator in generators {
        let name = generator.name();
        for (file, bytes) in generator.generate(record)?.files {
            let path =
                RelPath::new(&file).map_err(|source| WriteError::Name { report: name.to_owned(), source })?;
            let target = path.under(folder);
            replace(&target, &bytes).map_err(|source| WriteError::Io { path: target, source })?;
            let digest = Digest::of(&bytes);
            written.push(Written { name: name.to_owned(), path, bytes: bytes.len() as u64, digest });
        }
    }
    Ok(written)
}

/// Writes to a file beside it, then renames.
fn replace(target: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut name = std::ffi::OsString::from(".");
    name.push(target.file_name().ok_or(io::ErrorKind::InvalidFilename)?);
    name.push(".new");
    let beside = target.with_file_name(name);
    let done = fs::write(&beside, bytes).and_then(|()| fs::rename(&beside, target));
    if done.is_err() {
        // What could not be put in place is not left behind; the first error is the one that counts.
        let _ = fs::remove_file(&beside);
    }
    done
}
