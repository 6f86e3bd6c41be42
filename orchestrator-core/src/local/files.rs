//! File actions of the local executor, and the bytes that it keeps. Never through a symbolic link out of the checkout.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use super::Place;
use crate::action::{Action, Content, Expects, Remove, Run, Write};
use crate::executor::{ExecutorError, FreeSpace, Mask, blob};
use crate::id::RunId;
use crate::order::{Artifact, Receipt, Status};
use crate::outcome::Failure;
use crate::path::{Digest, RelPath};

/// The most files that one command's `collect` keeps.
const COLLECTED: usize = 1000;

fn io_error(what: impl Into<String>) -> impl FnOnce(io::Error) -> ExecutorError {
    let what = what.into();
    move |source| ExecutorError::Io { what, source }
}

impl Place {
    /// Keeps bytes for a run, by digest.
    pub(super) fn keep(&self, run: &RunId, bytes: &[u8]) -> Result<Digest, ExecutorError> {
        let digest = Digest::of(bytes);
        let folder = self.layout.artifacts(run);
        let path = folder.join(digest.to_string());
        let wrong = || io_error(format!("`{}` could not be written", path.display()));
        if path.metadata().is_ok_and(|meta| meta.len() == bytes.len() as u64) {
            return Ok(digest);
        }
        fs::create_dir_all(&folder).map_err(wrong())?;
        replace(&path, bytes, 0o600).map_err(wrong())?;
        Ok(digest)
    }

    /// Reads what was kept or written for a run. A rollback reads what the run that it reverses kept.
    pub(super) fn read(&self, run: &RunId, artifact: &Artifact, limit: u64) -> io::Result<Vec<u8>> {
        let own = artifact.place.under(&self.layout.run_dir(run));
        let file = match File::open(&own) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.elsewhere_kept(artifact).ok_or(error)?
            }
            opened => opened?,
        };
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn elsewhere_kept(&self, artifact: &Artifact) -> Option<File> {
        let name = format!("artifacts/{}", artifact.digest);
        let runs = fs::read_dir(self.layout.runs()).ok()?;
        runs.flatten().find_map(|run| File::open(run.path().join(&name)).ok())
    }

    /// The bytes of a content. Where there are none, it is the action that is wrong: other tasks can go on.
    pub(super) fn bytes(&self, run: &RunId, content: &Content) -> Result<Vec<u8>, Failure> {
        let Some(artifact) = blob(content) else {
            return content.bytes().ok_or_else(|| Failure::new("a content has malformed hexadecimal digits"));
        };
        let missing = ExecutorError::Missing { digest: artifact.digest, bytes: artifact.bytes };
        let bytes = self.read(run, &artifact, artifact.bytes).ok();
        bytes.filter(|bytes| Digest::of(bytes) == artifact.digest).ok_or(Failure::from_error(&missing))
    }

    /// The absolute path of a file to read; none where a link leads out of the checkout, and where there is no file.
    fn real(&self, path: &RelPath) -> Option<PathBuf> {
        let real = path.under(&self.root).canonicalize().ok()?;
        (real.starts_with(self.root.canonicalize().ok()?) && real.is_file()).then_some(real)
    }

    /// The absolute path of a file; an error where a link leads out of the checkout.
    fn inside(&self, path: &RelPath) -> Result<PathBuf, Failure> {
        let full = path.under(&self.root);
        let root = self.root.canonicalize().map_err(|error| Failure::new(error.to_string()))?;
        let mut near = full.parent();
        while let Some(folder) = near {
            match folder.canonicalize() {
                Ok(real) if real.starts_with(&root) => return Ok(full),
                Ok(_) => {
                    return Err(Failure::new(format!(
                        "`{path}` lies behind a link that leads out of the checkout"
                    )));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => near = folder.parent(),
                Err(error) => {
                    return Err(Failure {
                        message: format!("`{path}` cannot be reached"),
                        causes: vec![error.to_string()],
                    });
                }
            }
        }
        Err(Failure::new(format!("`{path}` lies outside of the checkout")))
    }
}

/// Room on the disk where a folder lies, or will lie; nothing where that cannot be found out.
pub(super) fn free_space(folder: &Path) -> Option<FreeSpace> {
    let there = folder.ancestors().find(|path| path.exists())?;
    let disk = rustix::fs::statvfs(there).ok()?;
    let bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
    Some(FreeSpace { folder: folder.to_owned(), bytes })
}

fn present(path: &Path) -> io::Result<Option<(Vec<u8>, u32)>> {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder")),
        Ok(meta) if meta.is_symlink() => Err(io::Error::other("it is a symbolic link")),
        Ok(meta) => Ok(Some((fs::read(path)?, meta.permissions().mode() & 0o7777))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn refused(what: &str, path: &RelPath, error: &io::Error) -> Receipt {
    Receipt::failed(
        Failure { message: format!("`{path}` could not be {what}"), causes: vec![error.to_string()] },
        false,
    )
}

fn unexpected(path: &RelPath, expects: &Expects, there: Option<&[u8]>) -> Option<Receipt> {
    let fits = match expects {
        Expects::Anything => true,
        Expects::Absent => there.is_none(),
        Expects::Digest(digest) => there.is_some_and(|bytes| Digest::of(bytes) == *digest),
    };
    let is = there.map_or("no file".to_owned(), |bytes| format!("content {}", Digest::of(bytes).short()));
    let message =
        format!("`{path}` changed meanwhile: {expects} was expected, and there is {is}; nothing was touched");
    (!fits).then(|| Receipt::failed(Failure::new(message), false))
}

/// Performs a write.
pub(super) fn write(place: &Place, run: &RunId, write: &Write) -> Receipt {
    let Write { path, content, mode, expects } = write;
    let (bytes, full) = match place.bytes(run, content).and_then(|bytes| Ok((bytes, place.inside(path)?))) {
        Ok(both) => both,
        Err(failure) => return Receipt::failed(failure, false),
    };
    let there = match present(&full) {
        Ok(there) => there,
        Err(error) => return refused("replaced", path, &error),
    };
    let now = there.as_ref().map(|(bytes, _)| bytes.as_slice());
    let wanted = mode.or(there.as_ref().map(|(_, mode)| *mode)).unwrap_or(0o644) & 0o7777;
    if now == Some(&bytes) {
        let right = there.as_ref().is_some_and(|(_, mode)| *mode == wanted);
        if right {
            return Receipt::new(Status::AlreadySo);
        }
    } else if let Some(receipt) = unexpected(path, expects, now) {
        return receipt;
    }
    let made = full.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| replace(&full, &bytes, wanted));
    match made {
        Ok(()) => Receipt::new(Status::Done),
        Err(error) => refused("written", path, &error),
    }
}

/// Performs a removal.
pub(super) fn remove(place: &Place, remove: &Remove) -> Receipt {
    let Remove { path, expects } = remove;
    let full = match place.inside(path) {
        Ok(full) => full,
        Err(failure) => return Receipt::failed(failure, false),
    };
    let there = match present(&full) {
        Ok(None) => return Receipt::new(Status::AlreadySo),
        Ok(Some((bytes, _))) => bytes,
        Err(error) => return refused("removed", path, &error),
    };
    if let Some(receipt) = unexpected(path, expects, Some(&there)) {
        return receipt;
    }
    match fs::remove_file(&full) {
        Ok(()) => Receipt::new(Status::Done),
        Err(error) => refused("removed", path, &error),
    }
}

/// What would bring a file back as it is now, once it holds `after`.
pub(super) fn undo(
    place: &Place,
    run: &RunId,
    path: &RelPath,
    after: Option<Digest>,
) -> Result<Vec<Action>, ExecutorError> {
    let expects = after.map_or(Expects::Absent, Expects::Digest);
    let Ok(full) = place.inside(path) else { return Ok(Vec::new()) };
    Ok(match present(&full) {
        Ok(None) => vec![Remove { path: path.clone(), expects }.into()],
        Ok(Some((bytes, mode))) => {
            let content = if bytes.len() > Content::INLINE {
                Content::Blob { digest: place.keep(run, &bytes)?, bytes: bytes.len() as u64 }
            } else {
                Content::new(bytes)
            };
            vec![Write { path: path.clone(), content, mode: Some(mode), expects }.into()]
        }
        // It will not be replaced either: the action itself says why.
        Err(_) => Vec::new(),
    })
}

/// Writes beside the file, then renames: whoever reads sees the old bytes or the new ones.
fn replace(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let short: String = name.chars().take(100).collect();
    let beside =
        path.with_file_name(format!(".{short}.{}-{:?}.new", std::process::id(), std::thread::current().id()));
    let write = || {
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        fs::rename(&beside, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&beside);
    })
}

/// Keeps the files that a command was told to collect, in order of their names. A name that matches nothing collects
/// nothing: the agent sees what is there. A pattern that is none and a file that cannot be read are the task's failure.
pub(super) fn collect(
    place: &Place,
    run: &RunId,
    command: &Run,
    mask: Option<&Mask>,
) -> Result<Result<Vec<Artifact>, Failure>, ExecutorError> {
    let mut found = std::collections::BTreeSet::new();
    for pattern in &command.collect {
        if !pattern.contains(['*', '?', '[', '{']) {
            found.extend(RelPath::new(pattern));
            continue;
        }
        let glob = GlobBuilder::new(pattern).literal_separator(true).build();
        let glob = match glob {
            Ok(glob) => glob.compile_matcher(),
            Err(error) => return Ok(Err(Failure::new(error.to_string()))),
        };
        let fixed = pattern.split(['*', '?', '[', '{']).next().unwrap_or_default();
        let start = fixed.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut walk = ignore::WalkBuilder::new(place.root.join(start));
        walk.standard_filters(false)
            .filter_entry(|entry| !matches!(entry.file_name().to_str(), Some(".git")));
        for entry in
            walk.build().flatten().filter(|entry| entry.file_type().is_some_and(|kind| kind.is_file()))
        {
            let below = entry.path().strip_prefix(&place.root).ok().and_then(Path::to_str);
            found.extend(
                below.filter(|below| glob.is_match(below)).and_then(|below| RelPath::new(below).ok()),
            );
            if found.len() >= COLLECTED {
                break;
            }
        }
    }
    let mut artifacts = Vec::new();
    for path in found {
        let Some(real) = place.real(&path) else { continue };
        let mut bytes = match fs::read(&real) {
            Ok(bytes) => bytes,
            Err(error) => {
                let message = format!("`{path}` could not be collected");
                return Ok(Err(Failure { message, causes: vec![error.to_string()] }));
            }
        };
        if let (Some(mask), Ok(text)) = (mask, std::str::from_utf8(&bytes)) {
            bytes = mask.text(text).into_bytes();
        }
        let digest = place.keep(run, &bytes)?;
        let content = Content::Blob { digest, bytes: bytes.len() as u64 };
        let kept = blob(&content).map(|artifact| Artifact { name: path.to_string(), ..artifact });
        artifacts.extend(kept);
    }
    Ok(Ok(artifacts))
}
