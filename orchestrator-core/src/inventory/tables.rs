//! What an inventory remembers between runs: one file, read at once. It is a memo: losing it costs time and nothing else.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::stamp::{Kind, Seen};
use crate::path::Digest;

/// The format, in front of the file.
const MAGIC: &[u8; 16] = b"orchestrate look";
const VERSION: u8 = 1;

/// A digest as bytes.
pub(super) type Bytes = [u8; 32];

/// A file that was looked at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) path: Box<str>,
    pub(super) seen: Seen,
    /// None where there was none.
    pub(super) digest: Option<Bytes>,
}

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) name: Box<str>,
    pub(super) kind: Kind,
    pub(super) ignored: bool,
}

/// A folder that was listed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FolderRecord {
    pub(super) path: Box<str>,
    pub(super) seen: Seen,
    /// The rules that `ignored` comes from.
    pub(super) rules: Option<Bytes>,
    /// In order of their names.
    pub(super) entries: Vec<Entry>,
    /// Names that are no paths of ours, such as those that are no UTF-8.
    pub(super) foreign: bool,
}

/// What was looked at for a task, and what came of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct TaskRecord {
    /// Names everything but files.
    pub(super) spec: Bytes,
    /// Names the state of the files and folders.
    pub(super) sum: Bytes,
    /// The fingerprint.
    pub(super) key: Bytes,
    pub(super) files: Vec<u32>,
    pub(super) folders: Vec<u32>,
    /// The fingerprint of its last result that was stored.
    pub(super) stored: Option<Bytes>,
    /// The files that it made.
    pub(super) outputs: Vec<u32>,
    /// Its cached result, as JSON; none where there is none.
    pub(super) result: Option<Box<str>>,
    /// Why its last result was not stored.
    pub(super) note: Option<Box<str>>,
    /// When it was last used, in seconds since 1970.
    pub(super) used: i64,
}

/// All of it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tables {
    pub(super) files: Vec<FileRecord>,
    pub(super) folders: Vec<FolderRecord>,
    pub(super) tasks: HashMap<Box<str>, TaskRecord>,
    /// What tools said of their versions.
    pub(super) tools: crate::workspace::Sayings,
}

impl Tables {
    /// Reads them; none where there are none. A file that is damaged or of another version is an error.
    pub(crate) fn load(path: &Path) -> io::Result<Option<Self>> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is damaged or of another version");
        let rest =
            bytes.strip_prefix(MAGIC).and_then(|rest| rest.strip_prefix(&[VERSION])).ok_or_else(damaged)?;
        let (sum, body) = rest.split_first_chunk::<32>().ok_or_else(damaged)?;
        if blake3::hash(body).as_bytes() != sum {
            return Err(damaged());
        }
        let tables: Self = postcard::from_bytes(body).map_err(|_| damaged())?;
        if tables.is_sound() { Ok(Some(tables)) } else { Err(damaged()) }
    }

    /// The bytes of the file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let body = postcard::to_stdvec(self).expect("tables are plain data");
        let sum = Digest::of(&body);
        [MAGIC.as_slice(), &[VERSION], sum.as_bytes(), &body].concat()
    }

    fn is_sound(&self) -> bool {
        let fits = |list: &[u32], len: usize| list.iter().all(|at| (*at as usize) < len);
        self.tasks.values().all(|task| {
            fits(&task.files, self.files.len())
                && fits(&task.outputs, self.files.len())
                && fits(&task.folders, self.folders.len())
        })
    }
}
