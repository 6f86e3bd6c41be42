//! A folder that a team shares, such as one on NFS. What is written is there whole or not at all.

use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use orchestrator_core::BoxError;

use super::place::{Place, part};

/// A folder that a team shares. It must be there: one that is not mounted is not made anew.
pub(super) struct Folder {
    root: PathBuf,
    /// Tells what this process is writing from what other machines are.
    token: u64,
    next: AtomicU64,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, token: RandomState::new().build_hasher().finish(), next: AtomicU64::new(0) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Nothing under a name is no answer where the folder itself is not there.
    fn or_gone<T>(&self, error: io::Error, nothing: T) -> Result<T, BoxError> {
        if error.kind() != io::ErrorKind::NotFound {
            return Err(error.into());
        }
        self.is_there().map(|()| nothing)
    }

    fn is_there(&self) -> Result<(), BoxError> {
        match fs::metadata(&self.root) {
            Ok(found) if found.is_dir() => Ok(()),
            Ok(_) => Err("it is no folder".into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err("the folder does not exist".into()),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes beside the name, then does `place` with what was written.
    fn write(
        &self,
        name: &str,
        from: &mut dyn Read,
        step: &mut dyn FnMut(),
        place: impl FnOnce(&Path, &Path) -> io::Result<bool>,
    ) -> Result<bool, BoxError> {
        self.is_there()?;
        let path = self.path(name);
        let folder = path.parent().ok_or("it has no folder")?;
        fs::create_dir_all(folder)?;
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let beside = folder.join(format!(".{:016x}-{n}.new", self.token));
        let written = copy(from, &beside, step).and_then(|()| place(&beside, &path));
        if !matches!(written, Ok(true)) {
            let _ = fs::remove_file(&beside);
        }
        Ok(written?)
    }
}

fn copy(from: &mut dyn Read, to: &Path, step: &mut dyn FnMut()) -> io::Result<()> {
    let mut file = File::create_new(to)?;
    loop {
        let bytes = part(from)?;
        if bytes.is_empty() {
            return Ok(());
        }
        file.write_all(&bytes)?;
        step();
    }
}

impl Place for Folder {
    fn get(&self, name: &str, each: &mut dyn FnMut(Vec<u8>) -> bool) -> Result<bool, BoxError> {
        let mut file = match File::open(self.path(name)) {
            Ok(file) => file,
            Err(error) => return self.or_gone(error, false),
        };
        loop {
            let bytes = part(&mut file)?;
            if bytes.is_empty() || !each(bytes) {
                return Ok(true);
            }
        }
    }

    fn size(&self, name: &str) -> Result<Option<u64>, BoxError> {
        match fs::metadata(self.path(name)) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(error) => self.or_gone(error, None),
        }
    }

    fn put(&self, name: &str, from: &mut (dyn Read + Send), step: &mut dyn FnMut()) -> Result<(), BoxError> {
        self.write(name, from, step, |beside, path| fs::rename(beside, path).map(|()| true)).map(|_| ())
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<bool, BoxError> {
        // A second name for what is whole already: it is refused where the name is taken, also over NFS.
        self.write(name, &mut &*bytes, &mut || {}, |beside, path| match fs::hard_link(beside, path) {
            Ok(()) => fs::remove_file(beside).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, BoxError> {
        let entries = match fs::read_dir(self.path(folder)) {
            Ok(entries) => entries,
            Err(error) => return self.or_gone(error, Vec::new()),
        };
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }
}
