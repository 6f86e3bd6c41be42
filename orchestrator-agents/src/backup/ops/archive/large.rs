//! Large and sparse files: stored in pieces, which are packed each by itself.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use orchestrator_core::path::Digest;

use super::pack::Packed;
use super::{block, open, same};
use crate::backup::manifest::{Entry, Name, What};
use crate::backup::ops::compress::Compressor;
use crate::backup::ops::sparse;
use crate::backup::ops::stamp::stamp;

/// A file that is open while its pieces are packed.
pub(super) struct Large {
    /// Which of those that were listed.
    pub(super) at: usize,
    file: File,
    looked: SystemTime,
    before: Metadata,
    extents: Option<Vec<(u64, u64)>>,
}

/// Some ranges of a large file.
pub(super) struct Piece {
    pub(super) file: Arc<Large>,
    ranges: Vec<(u64, u64)>,
    is_first: bool,
    is_last: bool,
}

/// A piece as it was read.
pub(super) struct Raw {
    pub(super) file: Arc<Large>,
    bytes: Vec<u8>,
    data: std::ops::Range<usize>,
}

impl Large {
    pub(super) fn open(at: usize, path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        let (looked, before) = (SystemTime::now(), file.metadata()?);
        if !before.is_file() {
            return Err(io::Error::other("it is no file any more"));
        }
        let extents = sparse::extents(&file, &before)?;
        Ok(Self { at, file, looked, before, extents })
    }

    /// All of it in pieces, one at least.
    pub(super) fn pieces(self) -> impl Iterator<Item = Piece> + Send {
        let file = Arc::new(self);
        let whole = [(0, file.before.len())];
        let mut rest = sparse::pieces(file.extents.as_deref().unwrap_or(&whole)).peekable();
        let mut is_first = true;
        std::iter::from_fn(move || {
            let ranges = match rest.next() {
                Some(ranges) => ranges,
                None if is_first => Vec::new(),
                None => return None,
            };
            let is_last = rest.peek().is_none();
            Some(Piece { file: Arc::clone(&file), ranges, is_first: std::mem::take(&mut is_first), is_last })
        })
    }

    /// The bytes of it that are stored.
    fn stored(&self) -> u64 {
        let extents = self.extents.as_deref();
        extents.map_or(self.before.len(), |extents| extents.iter().map(|(_, length)| length).sum())
    }

    /// What a manifest says of it once all of it was read.
    pub(super) fn entry(&self, path: &Name, blake3: Digest, packed: &mut Packed) -> io::Result<()> {
        let settled = same(&self.before, &self.file.metadata()?);
        if !settled {
            packed.unsettle(path, "changed while being read");
        }
        let what = What::File { bytes: self.before.len(), blake3, extents: self.extents.clone() };
        let stamp = settled.then(|| stamp(&self.before, self.looked));
        packed.entries.push(Entry { path: path.clone(), mode: self.before.mode() & 0o7777, what, stamp });
        Ok(())
    }
}

impl Piece {
    /// Reads and packs it.
    pub(super) fn pack(self, path: &Name, compressor: Compressor) -> io::Result<Packed> {
        let Self { file, ranges, is_first, is_last } = self;
        let (mut bytes, path) = (Vec::new(), path.as_path());
        if is_first {
            match &file.extents {
                Some(extents) => block::sparse(&mut bytes, path, &file.before, extents)?,
                None => block::file(&mut bytes, path, &file.before, file.before.len())?,
            }
        }
        let start = bytes.len();
        bytes.append(&mut sparse::read(&file.file, &ranges)?);
        let data = start..bytes.len();
        if is_last {
            block::pad(&mut bytes, file.stored());
        }
        let packed = compressor.pack(&bytes)?;
        let (holds, raw) = (bytes.len() as u64, Some(Raw { file, bytes, data }));
        Ok(Packed { bytes: packed, holds, ends: is_last, raw, ..Packed::default() })
    }
}

impl Raw {
    /// What of it is the file's.
    pub(super) fn data(&self) -> &[u8] {
        &self.bytes[self.data.clone()]
    }
}
