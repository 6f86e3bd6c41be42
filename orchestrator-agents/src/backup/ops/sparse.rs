//! What of a file is on the disk: holes are neither read nor stored.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};

use orchestrator_core::path::Digest;
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::ops::here::Here;

/// Files below this size are stored as they read.
const LEAST: u64 = 1 << 20;
/// A file in more pieces than this is stored as it reads.
const MOST: usize = 100_000;
/// Blocks of tar: what is stored begins at a multiple of this.
const BLOCK: u64 = 512;
/// How much is read at once.
pub(super) const PIECE: usize = 4 << 20;

/// Whether a file may have holes.
pub(super) fn is_likely(found: &Metadata) -> bool {
    found.len() >= LEAST && found.blocks().saturating_mul(512) < found.len()
}

/// Start and length of what a sparse file holds; none where it is not sparse.
pub(super) fn extents(file: &File, found: &Metadata) -> io::Result<Option<Vec<(u64, u64)>>> {
    if !is_likely(found) {
        return Ok(None);
    }
    let all = data(file, found.len(), MOST)?;
    let is_whole = all == [(0, found.len())];
    Ok((all.len() <= MOST && !is_whole).then_some(all))
}

/// Start and length of all that is no hole, in whole blocks, as far as there are at most so many.
fn data(file: &File, length: u64, most: usize) -> io::Result<Vec<(u64, u64)>> {
    let mut all: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    while at < length && all.len() <= most {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) if start < length => start,
            // Nothing but a hole up to the end.
            Ok(_) | Err(Errno::NXIO) => break,
            // A file system that knows no holes.
            Err(_) => return Ok(vec![(0, length)]),
        };
        let end = match seek(file, SeekFrom::Hole(start)) {
            Ok(end) => end,
            Err(_) => length,
        };
        at = end.next_multiple_of(BLOCK).min(length);
        let start = start / BLOCK * BLOCK;
        match all.last_mut() {
            Some((from, size)) if *from + *size >= start => *size = at - *from,
            _ => all.push((start, at - start)),
        }
        if at <= start {
            return Err(io::Error::other("its holes change while they are looked at"));
        }
    }
    Ok(all)
}

/// Digest of the extents of a file, of all of it where there are none.
pub(super) fn digest(
    here: &Here,
    file: &File,
    length: u64,
    extents: Option<&[(u64, u64)]>,
) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    for ranges in pieces(extents.unwrap_or(&[(0, length)])) {
        here.go_on().map_err(io::Error::other)?;
        hasher.update(&read(file, &ranges)?);
    }
    Ok(hasher.finalize().into())
}

/// Cuts extents into lists of ranges, each list of one piece at most.
pub(super) fn pieces(extents: &[(u64, u64)]) -> impl Iterator<Item = Vec<(u64, u64)>> + use<> {
    let mut left: std::collections::VecDeque<(u64, u64)> =
        extents.iter().copied().filter(|(_, length)| *length > 0).collect();
    std::iter::from_fn(move || {
        let (mut ranges, mut room) = (Vec::new(), PIECE as u64);
        while room > 0 {
            let Some((start, length)) = left.pop_front() else { break };
            let taken = length.min(room);
            ranges.push((start, taken));
            room -= taken;
            if taken < length {
                left.push_front((start + taken, length - taken));
            }
        }
        (!ranges.is_empty()).then_some(ranges)
    })
}

/// The bytes of ranges of a file, one after the other; zeros where it ends before them.
pub(super) fn read(file: &File, ranges: &[(u64, u64)]) -> io::Result<Vec<u8>> {
    let length: u64 = ranges.iter().map(|(_, length)| length).sum();
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    let mut left = &mut bytes[..];
    for (start, length) in ranges {
        let (mut part, rest) = left.split_at_mut(usize::try_from(*length).map_err(io::Error::other)?);
        left = rest;
        let mut at = *start;
        while !part.is_empty() {
            match file.read_at(part, at) {
                Ok(0) => break,
                Ok(read) => {
                    at += read as u64;
                    part = &mut part[read..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    Ok(bytes)
}

/// Whether a file holds nothing but zeros outside of these extents. Its own holes are not read.
pub(super) fn empty_outside(
    here: &Here,
    file: &File,
    length: u64,
    extents: &[(u64, u64)],
) -> io::Result<bool> {
    for (start, size) in data(file, length, usize::MAX)? {
        let (mut at, first) = (start, extents.partition_point(|(from, taken)| from + taken <= start));
        for (from, taken) in extents[first..].iter().take_while(|(from, _)| *from < start + size) {
            if *from > at && !zeros(here, file, at, *from)? {
                return Ok(false);
            }
            at = at.max(from + taken);
        }
        if at < start + size && !zeros(here, file, at, start + size)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn zeros(here: &Here, file: &File, from: u64, to: u64) -> io::Result<bool> {
    for ranges in pieces(&[(from, to - from)]) {
        here.go_on().map_err(io::Error::other)?;
        if read(file, &ranges)?.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}
