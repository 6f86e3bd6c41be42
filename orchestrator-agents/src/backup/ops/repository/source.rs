//! What goes into a snapshot, read once: every file is digested on its way into the repository, and the manifest, which goes
//! in with them, waits until all of them are read.

mod file;
mod tally;

use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orchestrator_core::path::Digest;
use rustic_core::jiff::Timestamp;
use rustic_core::repofile::{Metadata as Meta, Node, NodeType};
use rustic_core::{ErrorKind, ReadSource, ReadSourceEntry, ReadSourceOpen, RusticError, RusticResult};

use super::{BUNDLE, FILES, Known, MANIFEST};
use crate::backup::manifest::Name;
use crate::backup::repository::Contents;
use crate::ops::here::Here;
use file::FileOpener;
use tally::{ManifestOpener, Tally};

/// What a snapshot is made of.
pub(super) struct Source {
    here: Here,
    /// Paths below the root, folders before what is in them.
    paths: Arc<[PathBuf]>,
    bundle: Option<PathBuf>,
    tally: Arc<Tally>,
}

/// What was stored.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) contents: Contents,
    /// Digest of the manifest.
    pub(super) manifest: Digest,
}

impl Source {
    /// `contents` is all of the manifest but its entries; `known` are digests of files that the earlier snapshot holds.
    pub(super) fn new(
        here: &Here,
        mut paths: Vec<PathBuf>,
        bundle: Option<PathBuf>,
        contents: Contents,
        known: Known,
    ) -> Self {
        // Part by part, as trees are walked: `a/b` before `a-b`.
        paths.sort();
        let tally = Arc::new(Tally::new(here.clone(), contents, known));
        Self { here: here.clone(), paths: paths.into(), bundle, tally }
    }

    /// Says why this is no backup, where a file could not be read.
    pub(super) fn complaint(&self) -> impl Fn() -> Option<String> + Send + Sync + 'static {
        let tally = Arc::clone(&self.tally);
        move || tally.complaint()
    }

    /// What was stored, once all of it was.
    pub(super) fn stored(&self) -> Result<Stored, String> {
        self.tally.stored()
    }
}

impl ReadSource for Source {
    type Open = Open;
    type Iter = Entries;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Entries {
        Entries {
            here: self.here.clone(),
            paths: Arc::clone(&self.paths),
            bundle: self.bundle.clone(),
            tally: Arc::clone(&self.tally),
            step: Step::Root,
        }
    }
}

/// How the content of an entry is read.
pub(super) enum Open {
    File(Box<FileOpener>),
    Manifest(ManifestOpener),
    Bundle(PathBuf),
}

impl ReadSourceOpen for Open {
    type Reader = Box<dyn Read + Send>;

    fn open(self) -> RusticResult<Self::Reader> {
        match self {
            Self::File(opener) => opener.open().map(|reader| Box::new(reader) as Self::Reader),
            Self::Manifest(opener) => opener.open().map(|reader| Box::new(reader) as Self::Reader),
            Self::Bundle(path) => std::fs::File::open(path).map(|file| Box::new(file) as Self::Reader),
        }
        .map_err(|error| RusticError::with_source(ErrorKind::InputOutput, "could not be read", error))
    }
}

#[derive(Clone, Copy)]
enum Step {
    Root,
    Files(usize),
    Manifest,
    Bundle,
    End,
}

/// The entries of a snapshot, in the order of a tree: `files`, `manifest.json`, `refs.bundle`.
pub(super) struct Entries {
    here: Here,
    paths: Arc<[PathBuf]>,
    bundle: Option<PathBuf>,
    tally: Arc<Tally>,
    step: Step,
}

impl Iterator for Entries {
    type Item = RusticResult<ReadSourceEntry<Open>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Err(stopped) = self.here.go_on() {
                self.tally.complain(stopped.to_string());
                return None;
            }
            let entry = match self.step {
                Step::Root => {
                    self.step = Step::Files(0);
                    self.root()
                }
                Step::Files(at) if at < self.paths.len() => {
                    self.step = Step::Files(at + 1);
                    self.file(at)
                }
                Step::Files(_) => {
                    self.step = Step::Manifest;
                    None
                }
                Step::Manifest => {
                    self.step = Step::Bundle;
                    let (opener, bytes) = self.tally.manifest()?;
                    Some(entry(Path::new(MANIFEST), NodeType::File, own(bytes), Some(Open::Manifest(opener))))
                }
                Step::Bundle => {
                    self.step = Step::End;
                    self.bundle()
                }
                Step::End => return None,
            };
            if let Some(entry) = entry {
                return Some(Ok(entry));
            }
        }
    }
}

impl Entries {
    fn root(&self) -> Option<ReadSourceEntry<Open>> {
        let found =
            self.here.root.metadata().map_err(|error| self.unreadable(Path::new("."), &error)).ok()?;
        Some(entry(Path::new(FILES), NodeType::Dir, meta(&found), None))
    }

    /// A path as it is now; what was listed a moment ago may be gone.
    fn file(&self, at: usize) -> Option<ReadSourceEntry<Open>> {
        let (path, all) = (&self.paths[at], self.paths.len() as u64);
        if at.is_multiple_of(256) {
            self.here.progress.step("storing files", Some((at as u64, all)));
        }
        let place = self.here.root.join(path);
        let name = Name::from(path.as_path());
        let found = match place.symlink_metadata() {
            Ok(found) => found,
            Err(error) if is_gone(&error) => {
                self.tally.unsettle(name, "vanished while being read");
                return None;
            }
            Err(error) => {
                self.unreadable(path, &error);
                return None;
            }
        };
        let stored = Path::new(FILES).join(path);
        if found.is_dir() {
            self.tally.folder(name, mode(&found));
            return Some(entry(&stored, NodeType::Dir, meta(&found), None));
        }
        if found.is_symlink() {
            let target = std::fs::read_link(&place).map_err(|error| self.unreadable(path, &error)).ok()?;
            self.tally.link(name, target.as_path().into());
            return Some(entry(&stored, NodeType::from_link(&target), meta(&found), None));
        }
        if !found.is_file() {
            self.tally.unsettle(name, "neither file, link nor folder");
            return None;
        }
        let token = self.tally.file(name, mode(&found), found.len());
        let meta = meta(&found);
        let opener = Box::new(FileOpener::new(&self.here, place, found, token));
        Some(entry(&stored, NodeType::File, meta, Some(Open::File(opener))))
    }

    fn bundle(&self) -> Option<ReadSourceEntry<Open>> {
        let path = self.bundle.clone()?;
        let found = path.metadata().map_err(|error| self.unreadable(Path::new(BUNDLE), &error)).ok()?;
        Some(entry(Path::new(BUNDLE), NodeType::File, meta(&found), Some(Open::Bundle(path))))
    }

    fn unreadable(&self, path: &Path, error: &io::Error) {
        self.tally.complain(super::super::list::unreadable(path, error).to_string());
    }
}

fn entry(path: &Path, kind: NodeType, meta: Meta, open: Option<Open>) -> ReadSourceEntry<Open> {
    let node = Node::new_node(path.file_name().unwrap_or_default(), kind, meta);
    ReadSourceEntry { path: path.to_path_buf(), node, open }
}

/// Whether something is not there any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn mode(found: &Metadata) -> u32 {
    found.mode() & 0o7777
}

/// A file of our own, made now.
fn own(bytes: u64) -> Meta {
    let now = Timestamp::now();
    Meta { mode: Some(0o600), mtime: Some(now), ctime: Some(now), size: bytes, links: 1, ..Meta::default() }
}

fn meta(found: &Metadata) -> Meta {
    let time = |seconds, nanos: i64| Timestamp::new(seconds, i32::try_from(nanos).ok()?).ok();
    Meta {
        mode: Some(go_mode(found)),
        mtime: time(found.mtime(), found.mtime_nsec()),
        atime: None,
        ctime: time(found.ctime(), found.ctime_nsec()),
        uid: Some(found.uid()),
        gid: Some(found.gid()),
        inode: found.ino(),
        size: if found.is_file() { found.len() } else { 0 },
        // Each name is restored as a file of its own.
        links: 1,
        ..Meta::default()
    }
}

/// Modes as Go has them, and so restic (`fs.FileMode`): nine permission bits, the others elsewhere.
fn go_mode(found: &Metadata) -> u32 {
    let mode = found.mode();
    let bit = |set: bool, at: u32| if set { 1 << at } else { 0 };
    mode & 0o777
        | bit(found.is_dir(), 31)
        | bit(found.is_symlink(), 27)
        | bit(mode & 0o4000 != 0, 23)
        | bit(mode & 0o2000 != 0, 22)
        | bit(mode & 0o1000 != 0, 20)
}
