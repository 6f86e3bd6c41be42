//! Writes the archive of a tree, and digests what goes into it and what comes out.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, BufWriter, Cursor, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use orchestrator_core::BoxError;
use orchestrator_core::path::Digest;
use tar::{Builder, Header};

use super::list::{Listing, unreadable};
use crate::backup::manifest::{Entry, Name, Stored, Unsettled, What};
use crate::ops::here::Here;

/// Files up to this size are read whole before anything of them is stored, so that one that changes is read again.
const WHOLE: u64 = 4 << 20;
/// How often a file that changes is read.
const TRIES: usize = 3;

/// What an archive holds.
pub(super) struct Archived {
    pub(super) stored: Stored,
    pub(super) entries: Vec<Entry>,
    pub(super) unsettled: Vec<Unsettled>,
}

/// Writes everything that was listed below `root` into a new file, down to the disk.
pub(super) fn write(here: &Here, root: &Path, listing: Listing, file: &Path) -> Result<Archived, BoxError> {
    let out = Counted::new(BufWriter::new(File::create_new(file)?));
    let mut archive = Archive {
        here,
        root,
        tar: Builder::new(GzEncoder::new(out, Compression::new(5))),
        entries: Vec::with_capacity(listing.found.len()),
        unsettled: listing.unsettled,
    };
    let all = listing.found.len() as u64;
    for (at, (path, found)) in listing.found.iter().enumerate() {
        here.go_on()?;
        if at % 256 == 0 {
            here.progress.step("storing files", Some((at as u64, all)));
        }
        archive.add(path, found)?;
    }
    let Archive { tar, entries, unsettled, .. } = archive;
    let out = tar.into_inner()?.finish()?;
    let (bytes, blake3) = (out.bytes, out.hasher.finalize().into());
    out.inner.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Archived { stored: Stored { file: name, bytes, blake3 }, entries, unsettled })
}

struct Archive<'a> {
    here: &'a Here,
    root: &'a Path,
    tar: Builder<GzEncoder<Counted<BufWriter<File>>>>,
    entries: Vec<Entry>,
    unsettled: Vec<Unsettled>,
}

impl Archive<'_> {
    fn add(&mut self, path: &Name, found: &Metadata) -> Result<(), BoxError> {
        let added = if found.is_symlink() {
            self.link(path, found)
        } else if found.is_dir() {
            self.tar.append_data(&mut header(found), path.as_path(), io::empty()).map(|()| What::Folder)
        } else {
            self.file(path)
        };
        match added {
            Ok(what) => {
                let mode = if found.is_symlink() { 0o777 } else { found.mode() & 0o7777 };
                self.entries.push(Entry { path: path.clone(), mode, what });
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.unsettle(path, "vanished while being read");
                Ok(())
            }
            Err(error) => Err(unreadable(path.as_path(), &error)),
        }
    }

    fn link(&mut self, path: &Name, found: &Metadata) -> io::Result<What> {
        let target = std::fs::read_link(self.root.join(path.as_path()))?;
        self.tar.append_link(&mut header(found), path.as_path(), &target)?;
        Ok(What::Link { target: target.as_path().into() })
    }

    fn file(&mut self, path: &Name) -> io::Result<What> {
        let open = || {
            // A link that took the file's place meanwhile is not followed, a pipe not waited for.
            let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
            OpenOptions::new()
                .read(true)
                .custom_flags(flags.bits().cast_signed())
                .open(self.root.join(path.as_path()))
        };
        let mut tries = TRIES;
        loop {
            let mut file = open()?;
            let before = file.metadata()?;
            if before.len() > WHOLE {
                return self.large(path, file, &before);
            }
            let mut bytes = Vec::with_capacity(before.len() as usize);
            Read::by_ref(&mut file).take(WHOLE + 1).read_to_end(&mut bytes)?;
            tries -= 1;
            let settled = same(&before, &file.metadata()?) && bytes.len() as u64 == before.len();
            if !settled && tries > 0 {
                continue;
            }
            if !settled {
                self.unsettle(path, "changed while being read");
            }
            let mut header = header(&before);
            header.set_size(bytes.len() as u64);
            self.tar.append_data(&mut header, path.as_path(), Cursor::new(&bytes))?;
            return Ok(What::File { bytes: bytes.len() as u64, blake3: Digest::of(&bytes) });
        }
    }

    fn large(&mut self, path: &Name, file: File, before: &Metadata) -> io::Result<What> {
        let mut source = Exactly { here: self.here, file, left: before.len(), hasher: blake3::Hasher::new() };
        self.tar.append_data(&mut header(before), path.as_path(), &mut source)?;
        if !same(before, &source.file.metadata()?) {
            self.unsettle(path, "changed while being read");
        }
        Ok(What::File { bytes: before.len(), blake3: source.hasher.finalize().into() })
    }

    fn unsettle(&mut self, path: &Name, why: &str) {
        self.unsettled.push(Unsettled { path: path.clone(), why: why.to_owned() });
    }
}

fn header(found: &Metadata) -> Header {
    let mut header = Header::new_gnu();
    header.set_metadata(found);
    header.set_mode(found.permissions().mode() & 0o7777);
    header.set_mtime(u64::try_from(found.mtime()).unwrap_or(0));
    if !found.is_file() {
        header.set_size(0);
    }
    header
}

fn same(before: &Metadata, after: &Metadata) -> bool {
    let facts = |found: &Metadata| {
        (found.len(), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec())
    };
    facts(before) == facts(after)
}

/// Reads exactly as much as a file had when it was opened: no more where it grew, zeros where it shrank.
struct Exactly<'a> {
    here: &'a Here,
    file: File,
    left: u64,
    hasher: blake3::Hasher,
}

impl Read for Exactly<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.here.go_on().map_err(io::Error::other)?;
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut read = self.file.read(&mut buffer[..most])?;
        if read == 0 && most > 0 {
            buffer[..most].fill(0);
            read = most;
        }
        self.hasher.update(&buffer[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}

/// Counts and digests what is written.
struct Counted<W> {
    inner: W,
    bytes: u64,
    hasher: blake3::Hasher,
}

impl<W> Counted<W> {
    fn new(inner: W) -> Self {
        Self { inner, bytes: 0, hasher: blake3::Hasher::new() }
    }
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Size and digest of a file.
pub(super) fn digest(path: &Path) -> io::Result<(u64, Digest)> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut File::open(path)?, &mut hasher)?;
    Ok((bytes, hasher.finalize().into()))
}
