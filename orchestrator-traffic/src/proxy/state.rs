//! The table that was applied last, kept in the folder of the proxy, so that the next process serves what this one did.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::protocol::Table;

const NAME: &str = "table.json";
const FORMAT: u32 = 1;
/// The most bytes of a file that is believed to be a table.
const LONGEST: u64 = 16 << 20;

/// A table and its generation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// Grows by one with each change of the table.
    pub generation: u64,
    /// What is served.
    pub table: Table,
}

/// Why a file is no table.
enum Unusable {
    /// It cannot be read.
    Unread(io::Error),
    /// What is in it.
    Wrong(String),
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    v: u32,
    #[serde(flatten)]
    kept: T,
}

/// Where the table is kept.
#[derive(Debug, Clone)]
pub struct State {
    folder: PathBuf,
}

impl State {
    /// Below the folder of the proxy.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// What was kept last: none where nothing was. A file that cannot be understood is set aside, and the error says where: the
    /// proxy then starts with no routes, and whoever applies the next table mends it. A file that cannot be read at all stays.
    pub fn load(&self) -> Result<Option<Kept>, String> {
        self.look().map_err(|unusable| match unusable {
            Unusable::Unread(error) => self.unread(&error),
            Unusable::Wrong(why) => self.set_aside(&why),
        })
    }

    /// The same, but the file stays where it is, whatever is in it: another process serves from it.
    pub fn inherit(&self) -> Result<Option<Kept>, String> {
        self.look().map_err(|unusable| match unusable {
            Unusable::Unread(error) => self.unread(&error),
            Unusable::Wrong(why) => format!("`{}` is no table: {why}", self.path().display()),
        })
    }

    fn unread(&self, error: &io::Error) -> String {
        format!("`{}` cannot be read: {error}", self.path().display())
    }

    fn look(&self) -> Result<Option<Kept>, Unusable> {
        let text = match read(&self.path()) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Unusable::Unread(error)),
        };
        match serde_json::from_slice::<Stored<Kept>>(&text) {
            Ok(stored) if stored.v == FORMAT => Ok(Some(stored.kept)),
            Ok(stored) => {
                Err(Unusable::Wrong(format!("its format is {}, this program knows {FORMAT}", stored.v)))
            }
            Err(error) => Err(Unusable::Wrong(error.to_string())),
        }
    }

    /// What is kept, where it can be understood; touches nothing.
    pub fn peek(&self) -> Option<Kept> {
        self.look().ok().flatten()
    }

    /// Moves the file out of the way, since it is of no use for that reason, and says where it is now.
    pub fn set_aside(&self, why: &str) -> String {
        let (path, aside) = (self.path(), self.folder.join("table.broken.json"));
        match fs::rename(&path, &aside) {
            Ok(()) => format!("`{}` is no table: {why}; it is now `{}`", path.display(), aside.display()),
            Err(error) => format!("`{}` is no table: {why}; it cannot be set aside: {error}", path.display()),
        }
    }

    /// Keeps a table, so that it survives the process and the machine once this returns. After an error what was kept before is.
    /// Where it is kept and only nobody knows whether it survives the machine as well, that is what is returned.
    pub fn keep(&self, kept: &Kept) -> io::Result<Option<io::Error>> {
        // Once it has its name it is what the next process serves, so all that may be missing is asked for before.
        let folder = File::open(&self.folder)?;
        self.keep_in(&folder, kept)
    }

    fn keep_in(&self, folder: &File, kept: &Kept) -> io::Result<Option<io::Error>> {
        let beside = self.folder.join("table.json.new");
        let written =
            write(&beside, &Stored { v: FORMAT, kept }).and_then(|()| fs::rename(&beside, self.path()));
        if written.is_err() {
            // Space may be what is missing.
            let _ = fs::remove_file(&beside);
        }
        written?;
        Ok(folder.sync_all().err())
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let read = io::copy(&mut io::Read::take(File::open(path)?, LONGEST + 1), &mut text)?;
    if read > LONGEST { Err(io::Error::other(format!("it has more than {LONGEST} bytes"))) } else { Ok(text) }
}

fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    let mut file = File::create(path)?;
    file.write_all(&text)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Backend, Route};

    fn kept(generation: u64) -> Kept {
        let backend =
            Backend { version: "v1".into(), address: ([127, 0, 0, 1], 80).into(), weight: 1, h2c: false };
        let route = Route {
            name: "all".into(),
            host: None,
            prefix: "/".into(),
            backends: vec![backend],
            canary: None,
            sticky: None,
        };
        Kept { generation, table: Table { routes: vec![route] } }
    }

    #[test]
    fn what_was_kept_is_there_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(folder.path());
        assert_eq!(state.load(), Ok(None));
        state.keep(&kept(1)).unwrap();
        state.keep(&kept(2)).unwrap();
        assert_eq!(state.load(), Ok(Some(kept(2))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing lies beside it");
    }

    #[test]
    fn a_write_that_was_cut_off_harms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(folder.path());
        state.keep(&kept(1)).unwrap();
        fs::write(folder.path().join("table.json.new"), "{\"v\":1,").unwrap();
        assert_eq!(state.load(), Ok(Some(kept(1))));
        state.keep(&kept(2)).unwrap();
        assert_eq!(state.load(), Ok(Some(kept(2))));
    }

    #[test]
    fn a_broken_file_is_set_aside_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(folder.path());
        let whole = serde_json::to_string(&Stored { v: FORMAT, kept: &kept(1) }).unwrap();
        for text in [
            "",
            "{",
            "[]",
            "\0\0\0",
            &whole[..whole.len() - 1],
            "{\"v\":2,\"generation\":1,\"table\":{\"routes\":[]}}",
        ] {
            fs::write(folder.path().join(NAME), text).unwrap();
            let said = state.load().unwrap_err();
            assert!(said.contains("table.broken.json"), "{said}");
            assert_eq!(state.load(), Ok(None));
            assert_eq!(fs::read_to_string(folder.path().join("table.broken.json")).unwrap(), text);
        }
    }

    #[test]
    fn what_is_there_already_is_not_refused_where_its_folder_cannot_be_synced() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(folder.path());
        state.keep(&kept(1)).unwrap();
        // A device that knows no sync stands for a disk that fails.
        let unsynced = state.keep_in(&File::open("/dev/null").unwrap(), &kept(2)).unwrap();
        assert!(unsynced.is_some());
        assert_eq!(state.load(), Ok(Some(kept(2))), "and it is said to be kept");
    }

    #[test]
    fn whoever_inherits_it_leaves_it_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(folder.path());
        assert_eq!(state.inherit(), Ok(None));
        state.keep(&kept(1)).unwrap();
        assert_eq!(state.inherit(), Ok(Some(kept(1))));
        fs::write(folder.path().join(NAME), "{").unwrap();
        assert!(state.inherit().unwrap_err().contains("is no table"));
        assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), "{");
    }

    #[test]
    fn a_full_disk_keeps_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::new(folder.path());
        state.keep(&kept(1)).unwrap();
        // What every write to it fails with is what a full disk says.
        std::os::unix::fs::symlink("/dev/full", folder.path().join("table.json.new")).unwrap();
        assert_eq!(state.keep(&kept(2)).unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(state.load(), Ok(Some(kept(1))));
        assert!(!folder.path().join("table.json.new").exists());
    }
}
