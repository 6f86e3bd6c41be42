//! Whether the folder of a supervisor is there yet, and is its own.
//!
//! A folder that is deleted by mistake must take nothing down: what runs goes on. But a supervisor without a folder can be asked nothing, starts
//! nothing (the binaries are gone), and holds a lock that nobody sees: whoever makes the folder anew gets another supervisor. So it does
//! nothing there any more, and ends by itself.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::Duration;

/// How long a folder may be away: somebody may be moving it, or mounting what it is on.
const GRACE: Duration = Duration::from_secs(10);

/// Where a supervisor lives: the file that it has locked, and where that lay.
pub(super) struct Home {
    path: PathBuf,
    lock: (u64, u64),
    away_since: Option<Duration>,
}

impl Home {
    pub(super) fn of(lock: &File, path: PathBuf) -> io::Result<Self> {
        Ok(Self { path, lock: id(&lock.metadata()?), away_since: None })
    }

    /// Whether its lock lies where it lay. What cannot be looked at may well be there.
    pub(super) fn is_there(&self) -> bool {
        match fs::symlink_metadata(&self.path) {
            Ok(found) => id(&found) == self.lock,
            Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
        }
    }

    /// Whether it has been away for too long. Says at the first look that finds it away, and at the one that finds it back.
    pub(super) fn look(&mut self, now: Duration) -> Look {
        match (self.is_there(), self.away_since) {
            (true, None) => Look::There,
            (true, Some(_)) => {
                self.away_since = None;
                Look::Back
            }
            (false, None) => {
                self.away_since = Some(now);
                Look::Away
            }
            (false, Some(since)) if now >= since + GRACE => Look::Lost,
            (false, Some(_)) => Look::StillAway,
        }
    }
}

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    There,
    Away,
    StillAway,
    Back,
    Lost,
}

fn id(of: &Metadata) -> (u64, u64) {
    (of.dev(), of.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_moved_and_comes_back_is_not_lost() {
        let temp = tempfile::tempdir().unwrap();
        let (folder, aside) = (temp.path().join("production"), temp.path().join("aside"));
        fs::create_dir(&folder).unwrap();
        let path = folder.join("supervise.lock");
        let mut home = Home::of(&File::create(&path).unwrap(), path.clone()).unwrap();
        let second = Duration::from_secs;
        assert_eq!(home.look(second(0)), Look::There);
        fs::rename(&folder, &aside).unwrap();
        assert_eq!(home.look(second(1)), Look::Away);
        assert_eq!(home.look(second(10)), Look::StillAway);
        // Another one at its place is not it.
        fs::create_dir(&folder).unwrap();
        fs::write(&path, "").unwrap();
        assert!(!home.is_there());
        fs::remove_dir_all(&folder).unwrap();
        fs::rename(&aside, &folder).unwrap();
        assert_eq!((home.look(second(10)), home.look(second(30))), (Look::Back, Look::There));
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "no folder").unwrap();
        assert_eq!(home.look(second(40)), Look::Away);
        assert_eq!((home.look(second(49)), home.look(second(50))), (Look::StillAway, Look::Lost));
    }
}
