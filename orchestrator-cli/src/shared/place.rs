//! What a shared place must be able to do.

use std::io::Read;

use orchestrator_core::BoxError;

/// Names with bytes, somewhere. Calls block for as long as the place takes; [`super::timed::Timed`] limits them.
pub(super) trait Place: Send + Sync + 'static {
    /// Whether it can list and lease, and so hold runs. One that cannot holds results only.
    fn holds_runs(&self) -> bool {
        true
    }

    /// Hands the bytes of a name on, in parts of up to [`PART`], until `each` has enough; false where nothing is.
    fn get(&self, name: &str, each: &mut dyn FnMut(Vec<u8>) -> bool) -> Result<bool, BoxError>;

    /// How many bytes a name has; none where nothing is.
    fn size(&self, name: &str) -> Result<Option<u64>, BoxError>;

    /// Puts bytes under a name, whole or not at all, in place of what is there. `step` is told of each part.
    fn put(&self, name: &str, from: &mut (dyn Read + Send), step: &mut dyn FnMut()) -> Result<(), BoxError>;

    /// Puts bytes under a name where nothing is; false where something is. Of many who try at once, one gets true. A place
    /// that cannot promise that says so.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool, BoxError>;

    /// The last parts of the names below a folder, in any order; empty where there is no such folder.
    fn list(&self, folder: &str) -> Result<Vec<String>, BoxError>;
}

/// How many bytes go in one part.
pub(super) const PART: usize = 1 << 20;

/// Reads the next part; empty at the end.
pub(super) fn part(from: &mut (impl Read + ?Sized)) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(PART as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
