//! A file on its way into a repository: read once, digested, exactly as long as its entry says.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use super::tally::{End, Token};
use crate::ops::here::Here;

/// A file that may be opened. One that an earlier snapshot holds never is.
pub(in super::super) struct FileOpener {
    here: Here,
    path: PathBuf,
    found: Metadata,
    token: Token,
}

/// A file that is being read.
pub(super) struct FileReader {
    here: Here,
    file: File,
    found: Metadata,
    left: u64,
    cut: bool,
    hasher: blake3::Hasher,
    token: Token,
}

impl FileOpener {
    pub(super) fn new(here: &Here, path: PathBuf, found: Metadata, token: Token) -> Self {
        Self { here: here.clone(), path, found, token }
    }

    pub(super) fn open(self) -> io::Result<FileReader> {
        let Self { here, path, found, mut token } = self;
        // A link that took the file's place meanwhile is not followed, a pipe not waited for.
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
        let file = match opened {
            Ok(file) => file,
            Err(error) if super::is_gone(&error) => {
                token.end(End::Gone("vanished while being read"));
                return Err(error);
            }
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                token.end(End::Gone("changed while being read"));
                return Err(error);
            }
            Err(error) => {
                token.end(End::Failed(error.to_string()));
                return Err(error);
            }
        };
        let left = found.len();
        token.opened();
        let mut reader =
            FileReader { here, file, found, left, cut: false, hasher: blake3::Hasher::new(), token };
        if left == 0 {
            reader.finish()?;
        }
        Ok(reader)
    }
}

impl FileReader {
    fn more(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.here.go_on().map_err(io::Error::other)?;
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let mut read = self.file.read(&mut buffer[..most])?;
        if read == 0 {
            // Zeros where it shrank: entries have the length that they were listed with.
            buffer[..most].fill(0);
            (read, self.cut) = (most, true);
        }
        self.hasher.update(&buffer[..read]);
        self.left -= read as u64;
        if self.left == 0 {
            self.finish()?;
        }
        Ok(read)
    }

    fn finish(&mut self) -> io::Result<()> {
        let settled = !self.cut && same(&self.found, &self.file.metadata()?);
        self.token.end(End::Read { digest: self.hasher.finalize().into(), settled });
        Ok(())
    }
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        self.more(buffer).inspect_err(|error| self.token.end(End::Failed(error.to_string())))
    }
}

fn same(before: &Metadata, after: &Metadata) -> bool {
    let facts = |found: &Metadata| {
        (found.ino(), found.len(), found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec())
    };
    facts(before) == facts(after)
}
