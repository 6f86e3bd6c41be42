//! Cuts a listing into jobs and packs them: small things together, a large file in pieces.

use std::fs::Metadata;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use orchestrator_core::BoxError;
use orchestrator_core::path::Digest;

use super::large::{Large, Piece, Raw};
use super::{block, open, same};
use crate::backup::manifest::{Entry, Name, Unsettled, What};
use crate::backup::ops::compress::Compressor;
use crate::backup::ops::list::unreadable;
use crate::backup::ops::stamp::stamp;
use crate::ops::here::Here;

/// Files up to this size are read whole before anything of them is stored, so that one that changes is read again.
const WHOLE: u64 = 4 << 20;
/// A block is closed once it holds so many bytes.
const FULL: u64 = 2 << 20;
/// How often a file that changes is read.
const TRIES: usize = 3;

/// What jobs are made of.
pub(super) struct Packer<'a> {
    pub(super) here: &'a Here,
    pub(super) root: &'a Path,
    pub(super) found: &'a [(Name, Metadata)],
    pub(super) compressor: Compressor,
}

/// Work for one thread.
pub(super) enum Job {
    /// Things that are packed into one block.
    Block(Range<usize>),
    /// A piece of a large file.
    Piece(Piece),
    /// What an archive ends with.
    End,
    /// A large file that could not be opened.
    Failed(usize, io::Error),
}

/// A packed block.
#[derive(Default)]
pub(super) struct Packed {
    pub(super) bytes: Vec<u8>,
    /// How many bytes come out of it.
    pub(super) holds: u64,
    /// Whether an entry ends with it.
    pub(super) ends: bool,
    /// The piece of a large file that it was made of.
    pub(super) raw: Option<Raw>,
    pub(super) entries: Vec<Entry>,
    pub(super) unsettled: Vec<Unsettled>,
}

impl Packed {
    /// What is not there any more is left out; what cannot be read is an error.
    fn gone(&mut self, path: &Name, error: &io::Error) -> Result<(), BoxError> {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(unreadable(path.as_path(), error));
        }
        self.unsettle(path, "vanished while being read");
        Ok(())
    }

    pub(super) fn unsettle(&mut self, path: &Name, why: &str) {
        self.unsettled.push(Unsettled { path: path.clone(), why: why.to_owned() });
    }
}

impl<'a> Packer<'a> {
    /// All work, in order.
    pub(super) fn jobs(&self) -> impl Iterator<Item = Job> + Send + use<'a, '_> {
        let mut at = 0;
        let mut large: Option<Box<dyn Iterator<Item = Piece> + Send>> = None;
        let mut is_over = false;
        std::iter::from_fn(move || {
            loop {
                if let Some(piece) = large.as_mut().and_then(Iterator::next) {
                    return Some(Job::Piece(piece));
                }
                large = None;
                let Some((path, found)) = self.found.get(at) else {
                    return (!std::mem::replace(&mut is_over, true)).then_some(Job::End);
                };
                if !is_large(found) {
                    let from = at;
                    at = self.block_end(from);
                    return Some(Job::Block(from..at));
                }
                at += 1;
                match Large::open(at - 1, &self.root.join(path.as_path())) {
                    Ok(opened) => large = Some(Box::new(opened.pieces())),
                    Err(error) => return Some(Job::Failed(at - 1, error)),
                }
            }
        })
    }

    /// Where the block ends that begins there.
    fn block_end(&self, from: usize) -> usize {
        let mut bytes = 0;
        let rest = &self.found[from..];
        let count = rest.iter().take_while(|(_, found)| {
            let goes_on = bytes < FULL && !is_large(found);
            bytes += block::BLOCK as u64 + if found.is_file() { found.len() } else { 0 };
            goes_on
        });
        from + count.count()
    }

    /// Does a job.
    pub(super) fn pack(&self, job: Job) -> Result<Packed, BoxError> {
        self.here.go_on()?;
        match job {
            Job::Block(range) => self.block(range),
            Job::Piece(piece) => {
                let (path, _) = &self.found[piece.file.at];
                piece.pack(path, self.compressor).map_err(|error| unreadable(path.as_path(), &error))
            }
            Job::End => self.close(Packed { ends: true, ..Packed::default() }, &block::END),
            Job::Failed(at, error) => {
                let mut packed = Packed::default();
                packed.gone(&self.found[at].0, &error)?;
                Ok(packed)
            }
        }
    }

    fn block(&self, range: Range<usize>) -> Result<Packed, BoxError> {
        let (mut raw, mut packed) = (Vec::with_capacity(FULL as usize), Packed::default());
        packed.ends = true;
        for (path, found) in &self.found[range] {
            let start = raw.len();
            if let Err(error) = self.add(&mut raw, &mut packed, path, found) {
                raw.truncate(start);
                packed.gone(path, &error)?;
            }
        }
        self.close(packed, &raw)
    }

    fn close(&self, mut packed: Packed, raw: &[u8]) -> Result<Packed, BoxError> {
        packed.holds = raw.len() as u64;
        packed.bytes = self.compressor.pack(raw)?;
        Ok(packed)
    }

    fn add(&self, raw: &mut Vec<u8>, packed: &mut Packed, path: &Name, found: &Metadata) -> io::Result<()> {
        let full = self.root.join(path.as_path());
        if found.is_file() {
            return file(raw, packed, path, &full);
        }
        let (mode, what) = if found.is_symlink() {
            let target = std::fs::read_link(full)?;
            block::link(raw, path.as_path(), &target, found)?;
            (0o777, What::Link { target: target.as_path().into() })
        } else {
            block::folder(raw, path.as_path(), found)?;
            (found.mode() & 0o7777, What::Folder)
        };
        let stamp = Some(stamp(found, SystemTime::now()));
        packed.entries.push(Entry { path: path.clone(), mode, what, stamp });
        Ok(())
    }
}

/// Whether a file is stored in pieces. Holes are looked for where there may be some.
fn is_large(found: &Metadata) -> bool {
    found.is_file() && (found.len() > WHOLE || super::super::sparse::is_likely(found))
}

/// Adds a file that is read whole.
fn file(raw: &mut Vec<u8>, packed: &mut Packed, path: &Name, full: &Path) -> io::Result<()> {
    let mut tries = TRIES;
    loop {
        let file = open(full)?;
        let (looked, before) = (SystemTime::now(), file.metadata()?);
        let mut bytes = Vec::with_capacity(usize::try_from(before.len().min(WHOLE)).unwrap_or(0) + 1);
        (&file).take(WHOLE + 1).read_to_end(&mut bytes)?;
        tries -= 1;
        let settled = same(&before, &file.metadata()?) && bytes.len() as u64 == before.len();
        if !settled && tries > 0 {
            continue;
        }
        if !settled {
            packed.unsettle(path, "changed while being read");
        }
        let (length, mode) = (bytes.len() as u64, before.mode() & 0o7777);
        block::file(raw, path.as_path(), &before, length)?;
        let what = What::File { bytes: length, blake3: Digest::of(&bytes), extents: None };
        raw.append(&mut bytes);
        block::pad(raw, length);
        let stamp = settled.then(|| stamp(&before, looked));
        packed.entries.push(Entry { path: path.clone(), mode, what, stamp });
        return Ok(());
    }
}
