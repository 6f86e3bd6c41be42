//! What is broken in a state folder is moved out of the way, so that it can be made anew. Nothing is deleted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// The folder of what was set aside, inside the folder that it lay in or a folder above.
pub(crate) const ASIDE: &str = "set-aside";

/// Moves `path` into the folder `set-aside` of `folder`, under a name that nothing has, and says so. Gives the new path.
pub(crate) fn set_aside(folder: &Path, path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let shelf = folder.join(ASIDE);
    fs::create_dir_all(&shelf)?;
    let to = shelf.join(format!("{name}.{now:x}-{:x}", std::process::id()));
    fs::rename(path, &to)?;
    tracing::warn!(what = %path.display(), to = %to.display(), "set aside: it is not what belongs there");
    Ok(to)
}

/// Makes a folder with those above it; what lies there and is no folder is set aside.
pub(crate) fn folder(state: &Path, path: &Path, make: impl Fn() -> io::Result<()>) -> io::Result<()> {
    match make() {
        Err(_) if fs::symlink_metadata(path).is_ok_and(|found| !found.is_dir()) && !path.is_dir() => {
            set_aside(state, path)?;
            make()
        }
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_kept() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("runs");
        for text in ["one", "two"] {
            fs::write(&path, text).unwrap();
            folder(temp.path(), &path, || fs::create_dir_all(&path)).unwrap();
            assert!(path.is_dir());
            fs::remove_dir(&path).unwrap();
        }
        let mut kept: Vec<String> = fs::read_dir(temp.path().join(ASIDE))
            .unwrap()
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        kept.sort();
        assert_eq!(kept, ["one", "two"]);
    }
}
