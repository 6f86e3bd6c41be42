//! A cache that a team shares: the same entries and bytes, somewhere else.

use std::io::Write;
use std::path::Path;

use crate::BoxError;

/// A place elsewhere for entries and bytes. Calls block, within a time that the place itself limits.
pub trait Shared: Send + Sync + 'static {
    /// What people call it: its address without secrets.
    fn address(&self) -> &str;
    /// Writes what is kept under `name` to `to`; false where nothing is.
    fn get(&self, name: &str, to: &mut dyn Write) -> Result<bool, BoxError>;
    /// Keeps the content of a file under `name`. The same name always has the same content, so who comes second may leave it.
    fn put(&self, name: &str, from: &Path) -> Result<(), BoxError>;
}
