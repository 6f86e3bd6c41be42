//! The folder of a proxy: who serves from it, and the socket that it is asked at.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use crate::control::short;

/// The name of the control socket.
pub const CONTROL: &str = "control.sock";

/// Why a folder cannot be served from.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process does.
    #[error(
        "another proxy serves from `{folder}`{who}; stop it with `orchestrate proxy stop`, or give this one its own folder"
    )]
    Taken {
        /// Which folder.
        folder: PathBuf,
        /// Its process, where that is known: ` (process 7)`.
        who: String,
    },
    /// It cannot be used.
    #[error("`{path}` cannot be used")]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A folder that is open.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    handle: File,
}

impl Folder {
    /// Opens it; makes it, for its user alone, where it is missing.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let failed = |source| FolderError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let path = path.canonicalize().map_err(failed)?;
        let handle = File::open(&path).map_err(failed)?;
        Ok(Self { path, handle })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it lies where it lay. What cannot be looked at may well be there.
    pub fn is_there(&self) -> bool {
        let id = |found: &fs::Metadata| (found.dev(), found.ino());
        match (fs::symlink_metadata(&self.path), self.handle.metadata()) {
            (Ok(found), Ok(own)) => id(&found) == id(&own),
            (Err(error), _) => {
                !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
            (Ok(_), Err(_)) => true,
        }
    }

    /// The lock that whoever serves from it holds, for as long as the file is open.
    pub fn lock(&self) -> Result<File, FolderError> {
        let path = self.path.join("lock");
        let failed = |source| FolderError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                let _ = (&mut file).take(32).read_to_string(&mut text);
                let who = text.trim().parse::<u32>().map_or(String::new(), |pid| format!(" (process {pid})"));
                return Err(FolderError::Taken { folder: self.path.clone(), who });
            }
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        sign(&file);
        Ok(file)
    }

    /// The socket that the proxy is asked at, for its user alone. It takes the place of one that a dead process left: only whoever
    /// holds the lock may ask for it.
    pub fn bind(&self) -> Result<UnixListener, FolderError> {
        const FRESH: &str = "control.sock.new";
        let path = self.path.join(CONTROL);
        let fresh = self.path.join(FRESH);
        let bound = || {
            match fs::remove_file(&fresh) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let listener = UnixListener::bind(short(&self.handle, FRESH))?;
            fs::set_permissions(&fresh, Permissions::from_mode(0o600))?;
            fs::rename(&fresh, &path)?;
            Ok(listener)
        };
        bound().map_err(|source| FolderError::Io { path: path.clone(), source })
    }

    /// Takes the socket away, at the end; not that of another proxy in a folder that was made anew.
    pub fn unbind(&self) {
        if self.is_there() {
            // Where it is gone already, so it should be.
            let _ = fs::remove_file(self.path.join(CONTROL));
        }
    }
}

/// Writes the own process into a lock, for people; the lock holds without it.
pub fn sign(mut lock: &File) {
    let _ = lock.set_len(0);
    let _ = io::Seek::rewind(&mut lock);
    let _ = writeln!(lock, "{}", std::process::id());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_is_gone() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temp.path().join("a/b")).unwrap();
        assert_eq!(fs::metadata(folder.path()).unwrap().mode() & 0o777, 0o700);
        let first = folder.lock().unwrap();
        let said = folder.lock().unwrap_err().to_string();
        assert!(said.contains(&format!("(process {})", std::process::id())), "{said}");
        drop(first);
        folder.lock().unwrap();
    }

    #[test]
    fn a_folder_that_was_deleted_or_replaced_is_not_there() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::open(&temp.path().join("a")).unwrap();
        assert!(folder.is_there());
        fs::remove_dir(folder.path()).unwrap();
        assert!(!folder.is_there());
        fs::create_dir(folder.path()).unwrap();
        assert!(!folder.is_there(), "another one at its place");
    }

    #[test]
    fn the_socket_is_for_its_user_alone_and_replaces_a_dead_one() {
        let temp = tempfile::tempdir().unwrap();
        // Longer than a socket's name may be.
        let folder = Folder::open(&temp.path().join("d".repeat(120))).unwrap();
        drop(folder.bind().unwrap());
        let listener = folder.bind().unwrap();
        let path = folder.path().join(CONTROL);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let stream = crate::control::connect(&path, std::time::Duration::from_secs(5)).unwrap();
        listener.accept().unwrap();
        drop(stream);
        folder.unbind();
        assert!(!path.exists());
    }
}
