//! Out of the way first, then deleted: a kill leaves a release whole, or something hidden that is none any more.

use std::cell::Cell;
use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use orchestrator_core::path::Digest;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::deployment::ops::error::{DeployError, Tried};
use crate::deployment::ops::halt::Halt;
use crate::deployment::ops::place::{Place, names_in};

/// How the name begins of what was renamed in order to be deleted.
const GONE: &str = ".gone-";

/// Takes a release out of the way, and removes what belongs to it beside its folder; how many bytes that were. The lock is held.
pub(super) fn aside(place: &Place, release: &str, beside: Option<&Vec<PathBuf>>) -> Result<u64, DeployError> {
    let mut bytes = 0;
    let folder = place.release_folder(release);
    if fs::symlink_metadata(&folder).is_ok_and(|found| found.is_dir()) {
        let to = hidden(place, release);
        fs::rename(&folder, &to).tried("taken out of the way", &folder)?;
    }
    for path in beside.into_iter().flatten() {
        let size = size(path);
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => {
                removed.tried("removed", path)?;
                bytes += size;
            }
        }
    }
    Ok(bytes)
}

/// A name that is free: a release of that name may have gone before.
fn hidden(place: &Place, release: &str) -> PathBuf {
    let name = Digest::of(release.as_bytes()).short();
    let mut number = 0_u64;
    loop {
        let path = place.release_folder(&format!("{GONE}{name}-{number}"));
        if fs::symlink_metadata(&path).is_err() {
            return path;
        }
        number += 1;
    }
}

/// What was taken out of the way and is there yet.
pub(super) fn leftovers(place: &Place) -> Result<Vec<PathBuf>, DeployError> {
    let names = names_in(&place.folder().join("releases"))?;
    let gone = names.into_iter().filter(|name| name.starts_with(GONE));
    Ok(gone.map(|name| place.release_folder(&name)).collect())
}

/// Deletes what was taken out of the way: how much that was, its bytes, and what failed. No lock is held.
pub(super) fn empty(place: &Place, halt: &Halt) -> Result<(usize, u64, Vec<String>), DeployError> {
    let (mut removed, mut bytes, mut failed) = (0, 0, Vec::new());
    for path in leftovers(place)? {
        match delete(&path, &mut bytes, halt) {
            Ok(()) => removed += 1,
            Err(DeployError::Stopped) => return Err(DeployError::Stopped),
            Err(error) => failed.push(error.line()),
        }
    }
    Ok((removed, bytes, failed))
}

/// Deletes a tree, however deep: folders in it are first moved up to its top. Links are removed and not followed.
fn delete(path: &Path, bytes: &mut u64, halt: &Halt) -> Result<(), DeployError> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(found) if !found.is_dir() => return fs::remove_file(path).tried("removed", path),
        Err(error) => return Err(error).tried("looked at", path),
        Ok(_) => {}
    }
    let top = open(rustix::fs::CWD, path.as_os_str()).tried("opened", path)?;
    let sweep = Sweep { top: top.as_fd(), number: Cell::new(0), bytes: Cell::new(0), halt };
    let mut swept = Ok(true);
    while let Ok(true) = swept {
        swept = sweep.folder(sweep.top, true);
    }
    *bytes += sweep.bytes.get();
    match swept {
        Err(Swept::Halted(halted)) => return Err(halted),
        Err(Swept::Failed(error)) => return Err(error).tried("emptied", path),
        Ok(_) => {}
    }
    // Somebody else may delete the same.
    match fs::remove_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.tried("removed", path),
    }
}

/// A tree that is being deleted.
struct Sweep<'a> {
    top: BorrowedFd<'a>,
    number: Cell<u64>,
    bytes: Cell<u64>,
    halt: &'a Halt,
}

/// Why it is not.
enum Swept {
    Halted(DeployError),
    Failed(io::Error),
}

impl<E: Into<io::Error>> From<E> for Swept {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Sweep<'_> {
    /// Removes the files of a folder and moves its folders to the top; those of the top itself are emptied and removed. Says whether
    /// there was anything: names may be passed over while others are removed.
    fn folder(&self, folder: BorrowedFd<'_>, is_top: bool) -> Result<bool, Swept> {
        let mut any = false;
        for entry in Dir::read_from(folder)? {
            self.halt.check().map_err(Swept::Halted)?;
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." {
                any = true;
                self.entry(folder, name, is_top)?;
            }
        }
        Ok(any)
    }

    fn entry(&self, folder: BorrowedFd<'_>, name: &CStr, is_top: bool) -> Result<(), Swept> {
        let found = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(()),
            found => found?,
        };
        if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
            self.bytes.set(self.bytes.get() + u64::try_from(found.st_size).unwrap_or_default());
            return Ok(gone(rustix::fs::unlinkat(folder, name, AtFlags::empty()))?);
        }
        if found.st_mode & 0o700 != 0o700 {
            // A folder that nobody may write to is neither emptied nor moved.
            gone(rustix::fs::chmodat(folder, name, Mode::RWXU, AtFlags::empty()))?;
        }
        if !is_top {
            return Ok(self.up(folder, name)?);
        }
        let below = match open(folder, OsStr::from_bytes(name.to_bytes())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            below => below?,
        };
        while self.folder(below.as_fd(), false)? {}
        Ok(gone(rustix::fs::unlinkat(folder, name, AtFlags::REMOVEDIR))?)
    }

    /// Moves a folder to the top, under a name that is free there.
    fn up(&self, folder: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        loop {
            let number = self.number.replace(self.number.get() + 1);
            let to = CString::new(format!("{GONE}{number}")).expect("no zero in it");
            match rustix::fs::renameat(folder, name, self.top, &to) {
                // Something has that name. An empty folder is replaced, which is as good.
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                moved => return gone(moved),
            }
        }
    }
}

/// What is not there any more is gone as well.
fn gone(removed: rustix::io::Result<()>) -> io::Result<()> {
    match removed {
        Err(Errno::NOENT) => Ok(()),
        removed => Ok(removed?),
    }
}

/// Opens a folder, and no link to one.
fn open(at: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(at, name, flags, Mode::empty())?)
}

/// Bytes of a file or a tree, as far as it can be read; links count nothing.
pub(super) fn size(path: &Path) -> u64 {
    let (mut bytes, mut open) = (0, vec![path.to_owned()]);
    while let Some(path) = open.pop() {
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {
                open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            }
            Ok(found) if found.is_file() => bytes += found.len(),
            _ => {}
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use orchestrator_core::stop::{Stop, StopLevel};

    use super::*;
    use crate::deployment::Environment;

    fn place(folder: &Path) -> Place {
        let place = Place::new(folder, &Environment::new("production").unwrap());
        fs::create_dir_all(place.folder().join("releases")).unwrap();
        place
    }

    /// Wide, deep beyond any path that can be named at once, with links out of it, and names like those that it is given on the way.
    fn grow(root: &Path, outside: &Path) {
        fs::create_dir_all(root).unwrap();
        for number in 0..300 {
            fs::write(root.join(format!("file-{number}")), "x").unwrap();
        }
        symlink(outside, root.join("to-folder")).unwrap();
        symlink(outside.join("file"), root.join("to-file")).unwrap();
        fs::create_dir(root.join(format!("{GONE}0"))).unwrap();
        fs::write(root.join(format!("{GONE}1")), "x").unwrap();
        let mut at = fs::File::open(root).unwrap();
        for depth in 0..3000 {
            let name = if depth % 2 == 0 { "deeper-and-deeper".to_owned() } else { format!("{GONE}{depth}") };
            rustix::fs::mkdirat(&at, &name, Mode::RWXU).unwrap();
            let below = open(at.as_fd(), OsStr::new(&name)).unwrap();
            rustix::fs::symlinkat(outside, &below, "out").unwrap();
            at = fs::File::from(below);
        }
    }

    fn outside(folder: &Path) -> PathBuf {
        let outside = folder.join("outside");
        fs::create_dir_all(&outside).unwrap();
        fs::write(outside.join("file"), "x").unwrap();
        outside
    }

    #[test]
    fn a_tree_of_any_depth_goes_and_links_are_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let (place, outside) = (place(temp.path()), outside(temp.path()));
        grow(&place.release_folder(".gone-a"), &outside);
        let (removed, bytes, failed) = empty(&place, &Halt::default()).unwrap();
        assert_eq!((removed, failed), (1, Vec::<String>::new()));
        assert!(bytes >= 301);
        assert!(outside.join("file").exists());
        assert_eq!(leftovers(&place).unwrap(), Vec::<PathBuf>::new());
    }

    /// Stopped somewhere in it, again and again: what is left stays hidden, and the last one finishes.
    #[test]
    fn stopped_anywhere_the_next_goes_on() {
        let temp = tempfile::tempdir().unwrap();
        let (place, outside) = (place(temp.path()), outside(temp.path()));
        grow(&place.release_folder(".gone-a"), &outside);
        let mut stopped = 0;
        for micros in [0, 200, 1000, 3000] {
            let (stop, begun) = (Stop::new(), AtomicBool::new(false));
            let halt = Halt::of(&stop);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !begun.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                    std::thread::sleep(Duration::from_micros(micros));
                    stop.raise(StopLevel::Graceful);
                });
                begun.store(true, Ordering::SeqCst);
                stopped += usize::from(matches!(empty(&place, &halt), Err(DeployError::Stopped)));
            });
            assert!(leftovers(&place).unwrap().len() <= 1);
        }
        empty(&place, &Halt::default()).unwrap();
        assert!(stopped > 0, "none was stopped under way");
        assert_eq!(leftovers(&place).unwrap(), Vec::<PathBuf>::new());
        assert!(outside.join("file").exists());
    }

    /// As somebody who is not root: rights count for nobody else.
    fn as_nobody<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                if rustix::process::getuid().is_root() {
                    let nobody = rustix::process::Uid::from_raw(65_534);
                    rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
                }
                work()
            });
            thread.join().unwrap()
        })
    }

    fn give(path: &Path) {
        if rustix::process::getuid().is_root() {
            std::os::unix::fs::lchown(path, Some(65_534), None).unwrap();
        }
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_folder_that_may_not_be_written_to_is_told_and_one_of_the_service_is_opened() {
        let temp = tempfile::tempdir().unwrap();
        mode(temp.path(), 0o755);
        let place = place(temp.path());
        let releases = place.folder().join("releases");
        let gone = place.release_folder(".gone-a");
        fs::create_dir_all(gone.join("locked/below")).unwrap();
        fs::write(gone.join("locked/below/file"), "x").unwrap();
        for path in ["locked/below/file", "locked/below", "locked", ""] {
            give(&gone.join(path));
        }
        give(&releases);
        mode(&gone.join("locked/below"), 0o555);
        mode(&gone.join("locked"), 0o000);
        mode(&releases, 0o555);
        let (removed, _, failed) = as_nobody(|| empty(&place, &Halt::default())).unwrap();
        assert_eq!((removed, failed.len()), (0, 1), "{failed:?}");
        assert!(failed[0].contains(".gone-a") && failed[0].contains("ermission denied"), "{failed:?}");
        let refused = as_nobody(|| {
            fs::create_dir_all(place.release_folder("x")).ok();
            aside(&place, ".gone-a", None)
        });
        assert!(refused.unwrap_err().to_string().contains("taken out of the way"));
        // All that was in it is gone by now; only its own name stayed.
        assert_eq!(fs::read_dir(&gone).unwrap().count(), 0);
        mode(&releases, 0o755);
        let (removed, _, failed) = as_nobody(|| empty(&place, &Halt::default())).unwrap();
        assert_eq!((removed, failed), (1, Vec::<String>::new()));
    }

    #[test]
    fn a_name_that_went_before_is_no_hindrance() {
        let temp = tempfile::tempdir().unwrap();
        let place = place(temp.path());
        for _ in 0..3 {
            fs::create_dir_all(place.release_folder("1.0.0-x/data")).unwrap();
            aside(&place, "1.0.0-x", None).unwrap();
        }
        assert_eq!(leftovers(&place).unwrap().len(), 3);
        assert_eq!(empty(&place, &Halt::default()).unwrap().0, 3);
    }
}
