//! Reads a file of the checkout: bounded, and never one outside.

use std::path::Path;

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;

/// The text of a file of the checkout, at most so many bytes of it.
pub(super) fn text(path: &RelPath, root: &Path, most: usize) -> Result<String, BoxError> {
    let unread = |error: std::io::Error| format!("`{path}` could not be read: {error}");
    let real = path.under(root).canonicalize().map_err(unread)?;
    if !real.starts_with(root.canonicalize()?) {
        return Err(format!("`{path}` leads out of the checkout").into());
    }
    let found = std::fs::metadata(&real).map_err(unread)?;
    if !found.is_file() {
        return Err(format!("`{path}` is no file").into());
    }
    if found.len() > most as u64 {
        return Err(format!("`{path}` is longer than {} MiB", most >> 20).into());
    }
    let bytes = std::fs::read(&real).map_err(unread)?;
    Ok(String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8"))?)
}
