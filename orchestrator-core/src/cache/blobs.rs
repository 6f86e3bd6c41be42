//! Bytes by digest. Written once, never changed; what goes out is a copy, so that nobody can change what is kept.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::inventory::hash;
use crate::path::Digest;

/// Up to this size a file is read into memory whole.
const SMALL: u64 = 1 << 20;

/// Bytes by digest, in a folder.
#[derive(Debug)]
pub(super) struct Blobs {
    folder: PathBuf,
    next: AtomicU32,
}

impl Blobs {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, next: AtomicU32::new(0) }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the bytes of a digest are, or would be.
    pub(super) fn path(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    pub(super) fn has(&self, digest: Digest, bytes: u64) -> bool {
        self.path(digest).metadata().is_ok_and(|meta| meta.len() == bytes)
    }

    /// A name beside the blobs for something that is not finished.
    fn beside(&self) -> io::Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(self.folder.join(format!(".{}-{n}.new", std::process::id())))
    }

    /// Keeps the content of a file.
    pub(super) fn keep(&self, from: &Path) -> io::Result<(Digest, u64)> {
        let mut file = File::open(from)?;
        let size = file.metadata()?.len();
        if size <= SMALL {
            let mut bytes = Vec::with_capacity(size as usize + 1);
            file.read_to_end(&mut bytes)?;
            let digest = Digest::of(&bytes);
            if !self.has(digest, bytes.len() as u64) {
                self.place(digest, |new| new.write_all(&bytes))?;
            }
            return Ok((digest, bytes.len() as u64));
        }
        // The copy is what is hashed: the file may change meanwhile, the copy does not.
        let beside = self.beside()?;
        let kept = clone(&mut file, &beside).and_then(|copy| {
            let size = copy.metadata()?.len();
            Ok((hash::content(&copy)?, size))
        });
        let kept = kept.and_then(|(digest, size)| {
            self.settle(&beside, digest)?;
            Ok((digest, size))
        });
        kept.inspect_err(|_| drop(fs::remove_file(&beside)))
    }

    /// Keeps what `write` writes, which must have that digest.
    pub(super) fn keep_written(
        &self,
        digest: Digest,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<()> {
        let beside = self.beside()?;
        let mut file = File::options().read(true).write(true).create_new(true).open(&beside)?;
        let kept = write(&mut file).and_then(|()| {
            let file = File::open(&beside)?;
            if hash::content(&file)? != digest {
                let message = format!("its content does not have the digest {}", digest.short());
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            self.settle(&beside, digest)
        });
        kept.inspect_err(|_| drop(fs::remove_file(&beside)))
    }

    fn place(&self, digest: Digest, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let beside = self.beside()?;
        let written = File::create_new(&beside).and_then(|mut file| write(&mut file));
        written.and_then(|()| self.settle(&beside, digest)).inspect_err(|_| drop(fs::remove_file(&beside)))
    }

    fn settle(&self, beside: &Path, digest: Digest) -> io::Result<()> {
        let path = self.path(digest);
        fs::set_permissions(beside, Permissions::from_mode(0o444))?;
        match fs::rename(beside, &path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(path.parent().expect("it lies in a folder"))?;
                fs::rename(beside, &path)
            }
            done => done,
        }
    }

    /// Copies what is kept to `to`, with that mode, in place of whatever is there. What is kept is checked: damaged bytes
    /// are an error and go nowhere.
    pub(super) fn copy(&self, digest: Digest, to: &Path, mode: u32) -> io::Result<()> {
        let damaged = || {
            let _ = fs::remove_file(self.path(digest));
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the kept bytes {} are damaged", digest.short()),
            )
        };
        let mut kept = File::open(self.path(digest))?;
        let beside = self.beside_of(to)?;
        let copied = if kept.metadata()?.len() <= SMALL {
            let mut bytes = Vec::new();
            kept.read_to_end(&mut bytes)?;
            if Digest::of(&bytes) != digest {
                return Err(damaged());
            }
            fs::write(&beside, &bytes)
        } else {
            clone(&mut kept, &beside)
                .and_then(|copy| if hash::content(&copy)? == digest { Ok(()) } else { Err(damaged()) })
        };
        let placed = copied
            .and_then(|()| fs::set_permissions(&beside, Permissions::from_mode(mode & 0o7777)))
            .and_then(|()| fs::rename(&beside, to));
        placed.inspect_err(|_| drop(fs::remove_file(&beside)))
    }

    fn beside_of(&self, to: &Path) -> io::Result<PathBuf> {
        let folder = to.parent().ok_or(io::ErrorKind::InvalidInput)?;
        fs::create_dir_all(folder)?;
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(folder.join(format!(".orchestrate-{}-{n}.new", std::process::id())))
    }

    /// Puts what is kept beside a run's own files, for people to read: a second name of the same bytes where that works.
    pub(super) fn show(&self, digest: Digest, to: &Path) -> io::Result<()> {
        let kept = self.path(digest);
        let mut shown = fs::hard_link(&kept, to);
        if shown.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            && let Some(folder) = to.parent()
        {
            fs::create_dir_all(folder)?;
            shown = fs::hard_link(&kept, to);
        }
        match shown {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(_) => fs::copy(&kept, to).map(drop),
            Ok(()) => Ok(()),
        }
    }
}

/// A copy of a file that shares its blocks where the file system can do that; open for reading.
fn clone(from: &mut File, to: &Path) -> io::Result<File> {
    let mut copy = File::options().read(true).write(true).create_new(true).open(to)?;
    if rustix::fs::ioctl_ficlone(&copy, &*from).is_err() {
        io::copy(from, &mut copy)?;
    }
    copy.flush()?;
    File::open(to)
}
