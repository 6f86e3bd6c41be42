//! A folder as the library wants it: every file is written beside its place and renamed when it is on the disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use rustic_core::{
    ALL_FILE_TYPES, BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};

use crate::ops::here::Here;

/// How names of files end that are not whole yet.
pub(super) const PARTIAL: &str = "-tmp-orchestrate";

/// Says why a snapshot must not be written, where that is so.
type Gate = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// A folder in restic's layout.
#[derive(Clone)]
pub(super) struct Folder {
    here: Here,
    path: PathBuf,
    gate: Arc<OnceLock<Gate>>,
    /// The first file that could not be written: whatever the library makes of it, no snapshot follows.
    failure: Arc<OnceLock<String>>,
}

impl Folder {
    pub(super) fn new(here: &Here, path: &Path) -> Self {
        Self { here: here.clone(), path: path.to_path_buf(), gate: Arc::default(), failure: Arc::default() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// From now on snapshots are written only where this has nothing against it. The library passes over what it cannot
    /// read; a backup without it would not be one.
    pub(super) fn guard(&self, gate: Gate) -> Result<(), &'static str> {
        self.gate.set(gate).map_err(|_| "a repository that was opened stores one snapshot")
    }

    /// Why a file could not be written.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.get().cloned()
    }

    /// Why a file must not be written.
    fn refusal(&self, kind: FileType) -> Option<String> {
        if let Err(stopped) = self.here.go_on() {
            return Some(stopped.to_string());
        }
        let gate = self.gate.get().filter(|_| kind == FileType::Snapshot)?;
        self.failure().or_else(gate)
    }

    /// Where a file lies, relative to the folder.
    pub(super) fn place(kind: FileType, id: &Id) -> PathBuf {
        let name = id.to_hex();
        match kind {
            FileType::Config => "config".into(),
            FileType::Pack => [kind.dirname(), &name.as_str()[..2], name.as_str()].iter().collect(),
            FileType::Index | FileType::Key | FileType::Snapshot => {
                [kind.dirname(), name.as_str()].iter().collect()
            }
        }
    }

    fn open(&self, kind: FileType, id: &Id) -> RusticResult<File> {
        let place = Self::place(kind, id);
        File::open(self.path.join(&place)).map_err(|error| failed("read", &place, error))
    }

    fn write(&self, kind: FileType, id: &Id, content: &BytesList) -> io::Result<()> {
        let path = self.path.join(Self::place(kind, id));
        let folder = path.parent().unwrap_or(&self.path);
        make_folder(folder)?;
        let mut partial = path.clone().into_os_string();
        partial.push(PARTIAL);
        let partial = PathBuf::from(partial);
        let written = write_synced(&partial, content).and_then(|()| {
            // A repository is set up once: whoever comes second does not replace the key of the first.
            if kind == FileType::Config { rename_new(&partial, &path) } else { fs::rename(&partial, &path) }
        });
        if let Err(error) = written {
            // The first error is the one to tell; what is left goes with the next pruning.
            let _ = fs::remove_file(&partial);
            return Err(error);
        }
        File::open(folder)?.sync_all()
    }
}

fn write_synced(path: &Path, content: &BytesList) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    for bytes in content.slice() {
        file.write_all(bytes)?;
    }
    file.sync_all()
}

/// Renames where nothing stands yet.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // File systems that cannot tell.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if !to.exists() => fs::rename(from, to),
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            Err(io::Error::from(io::ErrorKind::AlreadyExists))
        }
        renamed => Ok(renamed?),
    }
}

/// Makes a folder that only its owner may enter, with those above it.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The files below a folder of the repository whose names are ids, with their sizes.
pub(super) fn files(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                match entry.metadata() {
                    Ok(found_now) => found.push((entry.path(), found_now.len())),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
    found.sort();
    Ok(found)
}

/// An error of a file of the repository.
fn failed(verb: &str, place: &Path, error: io::Error) -> Box<RusticError> {
    RusticError::with_source(
        ErrorKind::Backend,
        format!("`{}` of the repository: cannot {verb}", place.display()),
        error,
    )
}

impl ReadBackend for Folder {
    fn location(&self) -> String {
        format!("local:{}", self.path.display())
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let place = Path::new(kind.dirname());
        let error = |error| failed("list", place, error);
        if kind == FileType::Config {
            return match self.path.join(place).metadata() {
                Ok(found) => Ok(vec![(Id::default(), u32::try_from(found.len()).unwrap_or(u32::MAX))]),
                Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
                Err(why) => Err(error(why)),
            };
        }
        let found = files(&self.path.join(place)).map_err(error)?;
        let ids = found.into_iter().filter_map(|(path, bytes)| {
            let name = path.file_name()?.to_str()?;
            Some((Id::parse_some(name, kind)?, u32::try_from(bytes).unwrap_or(u32::MAX)))
        });
        Ok(ids.collect())
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        let mut bytes = Vec::new();
        let read = self.open(kind, id)?.read_to_end(&mut bytes);
        read.map_err(|error| failed("read", &Self::place(kind, id), error))?;
        Ok(bytes.into())
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let mut file = self.open(kind, id)?;
        let mut bytes = Vec::new();
        let wanted = u64::from(length);
        let read = file
            .seek(SeekFrom::Start(offset.into()))
            .and_then(|_| Read::by_ref(&mut file).take(wanted).read_to_end(&mut bytes));
        let read = read.and_then(|read| {
            if read as u64 == wanted { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        });
        read.map_err(|error| failed("read", &Self::place(kind, id), error))?;
        Ok(bytes.into())
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.path.join(Self::place(kind, id)).display().to_string()
    }
}

impl WriteBackend for Folder {
    fn create(&self) -> RusticResult<()> {
        let make =
            |place: &Path| make_folder(&self.path.join(place)).map_err(|error| failed("make", place, error));
        for kind in ALL_FILE_TYPES {
            make(Path::new(kind.dirname()))?;
        }
        make(Path::new("locks"))?;
        (0..=u8::MAX).try_for_each(|n| make(Path::new(&format!("data/{n:02x}"))))
    }

    fn write_bytes(&self, kind: FileType, id: &Id, _cacheable: bool, content: BytesList) -> RusticResult<()> {
        if let Some(why) = self.refusal(kind) {
            return Err(RusticError::new(ErrorKind::InputOutput, why));
        }
        self.write(kind, id, &content).map_err(|error| {
            let place = Self::place(kind, id);
            self.failure.get_or_init(|| {
                format!("`{}` of the repository could not be written: {error}", place.display())
            });
            failed("write", &place, error)
        })
    }

    fn remove(&self, kind: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        let place = Self::place(kind, id);
        match fs::remove_file(self.path.join(&place)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|error| failed("remove", &place, error)),
        }
    }
}
