//! Writes the archive of a tree: read, digested and packed on all processors, written in the order of the paths.

mod block;
mod large;
mod pack;

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use orchestrator_core::BoxError;
use orchestrator_core::path::Digest;

use super::compress::Compressor;
use super::list::{Listing, unreadable};
use super::pool;
use crate::backup::manifest::{Entry, Segment, Stored, Unsettled};
use crate::ops::here::Here;
use pack::{Packed, Packer};

pub(super) use block::BLOCK;

/// What an archive holds.
#[derive(Debug)]
pub(super) struct Archived {
    pub(super) stored: Stored,
    pub(super) segments: Vec<Segment>,
    pub(super) entries: Vec<Entry>,
    pub(super) unsettled: Vec<Unsettled>,
}

/// Writes everything that was listed below `root` into a new file, down to the disk.
pub(super) fn write(
    here: &Here,
    root: &Path,
    listing: Listing,
    compressor: Compressor,
    file: &Path,
) -> Result<Archived, BoxError> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = |error: io::Error| format!("`{name}` could not be written: {error}");
    let mut out = Out::new(File::create_new(file).map_err(failed)?);
    let Listing { found, mut unsettled } = listing;
    let found: Vec<_> = found.into_iter().collect();
    let packer = Packer { here, root, found: &found, compressor };
    let (mut entries, mut segments) = (Vec::with_capacity(found.len()), Vec::new());
    let (mut open, mut steps) = (Segment { packed: 0, bytes: 0 }, 0);
    let mut large = blake3::Hasher::new();
    pool::in_order(
        packer.jobs(),
        |job| packer.pack(job),
        |packed| {
            let mut packed = packed?;
            here.go_on()?;
            if let Some(raw) = packed.raw.take() {
                large.update(raw.data());
                if packed.ends {
                    let (path, digest) = (&found[raw.file.at].0, large.finalize().into());
                    raw.file
                        .entry(path, digest, &mut packed)
                        .map_err(|error| unreadable(path.as_path(), &error))?;
                    large.reset();
                }
            }
            let Packed { bytes, holds, ends, entries: more, unsettled: changed, raw: _ } = packed;
            out.write(&bytes).map_err(failed)?;
            open.packed += bytes.len() as u64;
            open.bytes += holds;
            if ends {
                segments.push(std::mem::replace(&mut open, Segment { packed: 0, bytes: 0 }));
            }
            entries.extend(more);
            unsettled.extend(changed);
            if entries.len() >= steps {
                here.progress.step("storing files", Some((entries.len() as u64, found.len() as u64)));
                steps = entries.len() + 256;
            }
            Ok(())
        },
    )?;
    let (bytes, blake3) = out.finish().map_err(failed)?;
    let stored = Stored { file: name.clone(), bytes, blake3 };
    Ok(Archived { stored, segments, entries, unsettled })
}

/// A file that counts and digests what is written to it.
struct Out {
    file: File,
    bytes: u64,
    hasher: blake3::Hasher,
}

impl Out {
    fn new(file: File) -> Self {
        Self { file, bytes: 0, hasher: blake3::Hasher::new() }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    fn finish(self) -> io::Result<(u64, Digest)> {
        self.file.sync_all()?;
        Ok((self.bytes, self.hasher.finalize().into()))
    }
}

/// Opens a file to read it. A link that took its place meanwhile is not followed, a pipe not waited for.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)
}

/// Whether a file was not changed between two looks.
pub(super) fn same(before: &Metadata, after: &Metadata) -> bool {
    let facts = |found: &Metadata| {
        (found.len(), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec())
    };
    facts(before) == facts(after)
}

/// Size and digest of a file.
pub(super) fn digest(path: &Path) -> io::Result<(u64, Digest)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok((bytes, hasher.finalize().into()))
}
