//! Unpacks the segments of an archive, each by itself.

use std::collections::BTreeMap;
use std::fs::{File, FileTimes, OpenOptions, Permissions};
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use orchestrator_core::BoxError;

use super::unwritten;
use crate::backup::manifest::{Entry, Manifest, Name, Segment, What};
use crate::backup::ops::archive::BLOCK;
use crate::backup::ops::compress::Compressor;
use crate::backup::ops::untar::{self, Found, Kind};
use crate::ops::here::Here;

/// How much is written at once.
const CHUNK: usize = 256 << 10;

/// Where from and where to.
pub(super) struct Unpacker<'a> {
    pub(super) here: &'a Here,
    pub(super) archive: &'a Path,
    pub(super) compressor: Compressor,
    pub(super) entries: &'a BTreeMap<&'a Name, &'a Entry>,
    pub(super) into: &'a Path,
}

/// An entry that was found in an archive, and what the archive says of it.
pub(super) struct Done<'a> {
    pub(super) entry: &'a Entry,
    pub(super) mode: u32,
    pub(super) modified: u64,
}

impl Done<'_> {
    /// Gives a file or folder its time and mode.
    pub(super) fn finish(&self, file: &File) -> io::Result<()> {
        file.set_times(
            FileTimes::new().set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(self.seconds())),
        )?;
        file.set_permissions(Permissions::from_mode(self.mode))
    }

    /// When it was modified, as far as file systems count.
    pub(super) fn seconds(&self) -> u64 {
        self.modified.min(u64::from(u32::MAX))
    }
}

/// A segment and where it begins.
pub(super) struct Job {
    start: u64,
    segment: Segment,
    is_last: bool,
}

/// The segments of the archive; all of it as one where the manifest knows none.
pub(super) fn segments(manifest: &Manifest) -> Result<Vec<Job>, BoxError> {
    let most = most(manifest);
    let whole = [Segment { packed: manifest.archive.bytes, bytes: most }];
    let known = if manifest.segments.is_empty() { &whole[..] } else { &manifest.segments };
    let (mut start, mut bytes, mut jobs) = (0_u64, 0_u64, Vec::with_capacity(known.len()));
    for (at, segment) in known.iter().enumerate() {
        jobs.push(Job { start, segment: *segment, is_last: at + 1 == known.len() });
        start = start.saturating_add(segment.packed);
        bytes = bytes.saturating_add(segment.bytes);
    }
    if start != manifest.archive.bytes || bytes > most {
        return Err("its segments do not fit its archive".into());
    }
    Ok(jobs)
}

impl<'a> Unpacker<'a> {
    /// Unpacks a segment. Gives its entries, with their times.
    pub(super) fn unpack(&self, job: Job) -> Result<Vec<Done<'a>>, BoxError> {
        let mut file = File::open(self.archive)?;
        file.seek(SeekFrom::Start(job.start))?;
        let packed = BufReader::with_capacity(CHUNK, file.take(job.segment.packed));
        // No more comes out than the manifest says, whatever was packed.
        let mut raw =
            BufReader::with_capacity(CHUNK, self.compressor.unpack(packed)?.take(job.segment.bytes));
        let mut done = Vec::new();
        while let Some(found) = untar::next(&mut raw)? {
            self.here.go_on()?;
            let entry = self.listed(&found)?;
            let Found { mode, modified, .. } = found;
            let this = Done { entry, mode, modified };
            if let (What::File { extents, .. }, Kind::File { stored, .. }) = (&entry.what, &found.what) {
                let whole = [(0, *stored)];
                let extents = extents.as_deref().unwrap_or(&whole);
                self.file(&mut raw, &this, extents)?;
                untar::skip(&mut raw, *stored)?;
            }
            done.push(this);
        }
        let rest = io::copy(&mut raw, &mut io::sink())?;
        if rest > 20 * BLOCK as u64 || (rest > 0 && !job.is_last) {
            return Err("something follows its end".into());
        }
        let mut beyond = raw.into_inner().into_inner();
        if beyond.read(&mut [0])? != 0 {
            return Err("more comes out of it than the manifest says".into());
        }
        Ok(done)
    }

    /// The entry of the manifest that something in the archive is.
    fn listed(&self, found: &Found) -> Result<&'a Entry, BoxError> {
        let path = &found.path;
        let entry = *self.entries.get(path).ok_or_else(|| format!("`{path}` is not in the manifest"))?;
        let is_it = match (&entry.what, &found.what) {
            (What::Folder, Kind::Folder) => true,
            (What::Link { target }, Kind::Link(found)) => target == found,
            (What::File { bytes, extents, .. }, Kind::File { stored, size }) => {
                let extents = extents.as_deref();
                let held = extents.map_or(*bytes, |extents| extents.iter().map(|(_, length)| length).sum());
                bytes == size && held == *stored
            }
            _ => false,
        };
        if is_it { Ok(entry) } else { Err(format!("`{path}` is not what the manifest says").into()) }
    }

    /// Writes a new file: its extents, as they follow one another in the archive.
    fn file(&self, raw: &mut impl Read, this: &Done<'_>, extents: &[(u64, u64)]) -> Result<(), BoxError> {
        let entry = this.entry;
        let What::File { bytes, .. } = entry.what else { return Ok(()) };
        let failed = |error: io::Error| unwritten(entry, &error);
        let path = self.into.join(entry.path.as_path());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
        let mut buffer = Vec::new();
        for (start, length) in extents {
            let (mut at, mut left) = (*start, *length);
            while left > 0 {
                self.here.go_on()?;
                buffer.resize(usize::try_from(left).unwrap_or(CHUNK).min(CHUNK), 0);
                raw.read_exact(&mut buffer)?;
                file.write_all_at(&buffer, at).map_err(failed)?;
                (at, left) = (at + buffer.len() as u64, left - buffer.len() as u64);
            }
        }
        if extents.last().is_none_or(|(start, length)| start + length < bytes) {
            file.set_len(bytes).map_err(failed)?;
        }
        this.finish(&file).map_err(failed)
    }
}

/// The most that an archive of these entries holds.
fn most(manifest: &Manifest) -> u64 {
    let block = BLOCK as u64;
    let each = manifest.entries.iter().map(|entry| {
        let (bytes, target, extents) = match &entry.what {
            What::File { bytes, extents: None, .. } => (*bytes, 0, 0),
            What::File { extents: Some(all), .. } => {
                (all.iter().map(|(_, length)| length).sum(), 0, all.len())
            }
            What::Link { target } => (0, target.0.len(), 0),
            What::Folder => (0, 0, 0),
        };
        let names = (entry.path.0.len() + target) as u64;
        bytes.saturating_add(names).saturating_add(extents as u64 / 21 * block + 10 * block)
    });
    each.fold(20 * block, u64::saturating_add)
}
