//! Hands a tool what nobody else may read: by a file that only this user can open, never by a command line.

use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A file with a password, for as long as this lives.
pub(super) struct Credentials {
    path: PathBuf,
    _file: File,
}

impl Credentials {
    /// Makes one. On Linux it is in memory only, so that a kill leaves nothing; elsewhere it lies in the scratch folder.
    pub(super) fn new(text: &str, scratch: &Path) -> io::Result<Self> {
        let (mut file, path) = private(scratch)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        Ok(Self { path, _file: file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(target_os = "linux")]
fn private(_: &Path) -> io::Result<(File, PathBuf)> {
    use std::os::fd::AsRawFd;
    let file = File::from(rustix::fs::memfd_create("credentials", rustix::fs::MemfdFlags::CLOEXEC)?);
    // Tools open it by way of this process, so that no other child gets it.
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    Ok((file, path.into()))
}

#[cfg(not(target_os = "linux"))]
fn private(scratch: &Path) -> io::Result<(File, PathBuf)> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::create_dir_all(scratch)?;
    for n in 0_u32.. {
        let path = scratch.join(format!("credentials-{n}"));
        match File::options().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return Ok((made?, path)),
        }
    }
    Err(io::Error::other("no name is free"))
}
