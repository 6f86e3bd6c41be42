//! Finding the program that a command names.
//!
//! Nothing is remembered between look-ups. A hit that is remembered goes wrong when a task installs a program further up
//! the PATH (a virtual environment, `node_modules/.bin`), and asking whether it still holds costs as much as looking
//! again: about half a microsecond a folder, against some 300 for the spawn.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{self, Path, PathBuf};

use super::{Spawn, SpawnError};

/// The program's absolute path, so that nothing depends on our own working directory or PATH.
pub(super) fn find(spawn: &Spawn) -> Result<PathBuf, SpawnError> {
    let program = spawn.program.as_str();
    let failed = |source| SpawnError::Io { program: program.to_owned(), source };
    if program.contains('/') {
        // Whether it can be run is for the spawn to find out.
        return absolute(&spawn.cwd, program.as_ref()).map_err(failed);
    }
    let path = search_path(spawn);
    let mut locked = None;
    if !program.is_empty() {
        for folder in std::env::split_paths(path) {
            let candidate = folder.join(program);
            let candidate = if candidate.is_absolute() {
                candidate
            } else {
                absolute(&spawn.cwd, &candidate).map_err(failed)?
            };
            match candidate.metadata() {
                Ok(meta) if meta.is_file() && meta.permissions().mode() & 0o111 != 0 => return Ok(candidate),
                Ok(meta) if meta.is_file() => locked = Some(candidate),
                _ => {}
            }
        }
    }
    Err(match locked {
        Some(program) => {
            SpawnError::NotExecutable { program, source: io::ErrorKind::PermissionDenied.into() }
        }
        None => {
            SpawnError::NotFound { program: program.to_owned(), path: path.to_string_lossy().into_owned() }
        }
    })
}

/// Why the system would not run what was found: it answers alike for a missing folder, program and interpreter.
pub(super) fn explain(spawn: &Spawn, program: PathBuf, source: io::Error) -> SpawnError {
    use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
    let startable = !matches!(source.kind(), NotADirectory | NotFound | PermissionDenied);
    if startable && source.raw_os_error() != Some(rustix::io::Errno::NOEXEC.raw_os_error()) {
        return SpawnError::Io { program: spawn.program.clone(), source };
    }
    if let Err(source) = spawn.cwd.join(".").metadata() {
        return SpawnError::WorkingDirectory { cwd: spawn.cwd.clone(), source };
    }
    match program.metadata() {
        Err(missing) if matches!(missing.kind(), NotFound | NotADirectory) => SpawnError::NoSuchFile(program),
        _ => SpawnError::NotExecutable { program, source },
    }
}

/// The PATH of the command's own environment; as with the environment itself, the last one given counts.
fn search_path(spawn: &Spawn) -> &OsStr {
    let path = spawn.env.iter().rev().find(|(name, _)| name == "PATH");
    path.map_or(OsStr::new(""), |(_, value)| value.as_os_str())
}

fn absolute(cwd: &Path, program: &Path) -> io::Result<PathBuf> {
    path::absolute(cwd.join(program))
}
