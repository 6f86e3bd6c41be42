//! Where the own program lies.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The path of this very program. Where its file was removed or replaced, Linux says `PATH (deleted)`: `PATH` is the one, since whatever
/// lies there by then is what is to be started.
pub(crate) fn program() -> io::Result<PathBuf> {
    std::env::current_exe().map(|path| named(&path))
}

fn named(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    match bytes.strip_suffix(b" (deleted)") {
        Some(named) if !path.exists() => PathBuf::from(OsStr::from_bytes(named)),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_removed_program_has_its_name_still() {
        assert_eq!(named(Path::new("/nowhere/orchestrate (deleted)")), Path::new("/nowhere/orchestrate"));
        assert_eq!(named(Path::new("/nowhere/orchestrate")), Path::new("/nowhere/orchestrate"));
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("orchestrate (deleted)");
        std::fs::write(&odd, "").unwrap();
        assert_eq!(named(&odd), odd);
        assert_eq!(program().unwrap(), std::env::current_exe().unwrap());
    }
}
