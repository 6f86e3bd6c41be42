//! What the file system says of a file without reading it. While it says the same, the content is the same.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A change within this time of the look might leave no trace: clocks of file systems tick in steps.
const TICK: i128 = 20_000_000;

/// What kind of thing is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// Size, times, inode and mode of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    pub(super) kind: Kind,
    pub(super) executable: bool,
    pub(super) size: u64,
    inode: u64,
    modified: (i64, u32),
    changed: (i64, u32),
}

/// What is known of a place from an earlier look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Seen {
    /// Nothing was there.
    Absent,
    /// This was there.
    There(Stamp),
    /// Something was there that may have changed since without a trace.
    Unsure,
}

impl Stamp {
    fn of(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            _ => Kind::Other,
        };
        let nanos = |nanos: u64| u32::try_from(nanos).unwrap_or(u32::MAX);
        #[expect(clippy::cast_sign_loss, clippy::unnecessary_cast, reason = "signs differ between systems")]
        Self {
            kind,
            executable: kind == Kind::File && stat.st_mode & 0o111 != 0,
            size: stat.st_size as u64,
            inode: stat.st_ino as u64,
            modified: (stat.st_mtime as i64, nanos(stat.st_mtime_nsec as u64)),
            changed: (stat.st_ctime as i64, nanos(stat.st_ctime_nsec as u64)),
        }
    }

    /// What may be believed of a look at `now`: what changed a moment ago may change again without a trace, and so may a
    /// link's target at any time.
    pub(super) fn believed(self, now: SystemTime) -> Seen {
        let since = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let nanos = |(secs, nanos): (i64, u32)| i128::from(secs) * 1_000_000_000 + i128::from(nanos);
        let latest = nanos(self.modified).max(nanos(self.changed));
        let settled = i128::try_from(since).unwrap_or(0) - latest >= TICK;
        if settled && self.kind != Kind::Link { Seen::There(self) } else { Seen::Unsure }
    }
}

/// Looks at things below a folder.
#[derive(Debug)]
pub(super) struct Eyes {
    root: OwnedFd,
}

impl Eyes {
    pub(super) fn at(root: &Path) -> std::io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { root: rustix::fs::open(root, flags, Mode::empty())? })
    }

    /// What is at `path`; none where nothing is.
    pub(super) fn stamp(&self, path: &str) -> std::io::Result<Option<Stamp>> {
        match rustix::fs::statat(&self.root, path, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(Stamp::of(&stat))),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is behind an open file.
    pub(super) fn behind(file: impl AsFd) -> std::io::Result<Stamp> {
        Ok(Stamp::of(&rustix::fs::fstat(file)?))
    }

    /// Opens a file to read it, itself and not what a link leads to; never waits for the other end of a pipe.
    pub(super) fn open(&self, path: &str) -> std::io::Result<std::fs::File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.root, path, flags, Mode::empty())?.into())
    }

    /// Where a link leads.
    pub(super) fn link(&self, path: &str) -> std::io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(&self.root, path, Vec::new())?.into_bytes())
    }

    /// Opens a folder to list it.
    pub(super) fn list(&self, path: &str) -> std::io::Result<rustix::fs::Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(rustix::fs::Dir::new(rustix::fs::openat(&self.root, path, flags, Mode::empty())?)?)
    }
}
