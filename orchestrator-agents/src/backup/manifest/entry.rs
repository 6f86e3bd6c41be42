//! An entry of a manifest, and how it is written: flat, since a tree has many of them.

use std::borrow::Cow;

use orchestrator_core::path::Digest;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Name;

/// A file, link or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where, relative to the root.
    pub path: Name,
    /// Permission bits.
    pub mode: u32,
    /// What it is.
    pub what: What,
    /// What the file system said of it when it was stored; none where that is not to be relied on.
    pub stamp: Option<Stamp>,
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A file.
    File {
        /// Its size.
        bytes: u64,
        /// Digest of its content; of a sparse file, of its extents one after the other.
        blake3: Digest,
        /// Start and length of what a sparse file holds; all else in it is zeros. None where it is not sparse.
        extents: Option<Vec<(u64, u64)>>,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: Name,
    },
    /// A folder.
    Folder,
}

/// Inode and times of a file: while they hold, so does its content. Written as a list of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Numbers", into = "Numbers")]
pub struct Stamp {
    /// Number of its inode.
    pub inode: u64,
    /// When its content changed: seconds since 1970, nanoseconds.
    pub modified: (i64, u32),
    /// When its content or what is said of it changed.
    pub changed: (i64, u32),
    /// Whether that was long enough before the look that any later change shows.
    pub settled: bool,
}

type Numbers = (u64, i64, u32, i64, u32, u8);

impl From<Numbers> for Stamp {
    fn from((inode, modified, modified_nanos, changed, changed_nanos, settled): Numbers) -> Self {
        let (modified, changed) = ((modified, modified_nanos), (changed, changed_nanos));
        Self { inode, modified, changed, settled: settled == 1 }
    }
}

impl From<Stamp> for Numbers {
    fn from(Stamp { inode, modified, changed, settled }: Stamp) -> Self {
        (inode, modified.0, modified.1, changed.0, changed.1, u8::from(settled))
    }
}

impl Stamp {
    /// Whether two looks saw the same; whether it was settled at either is another matter.
    pub fn holds(&self, now: &Self) -> bool {
        (self.inode, self.modified, self.changed) == (now.inode, now.modified, now.changed)
    }
}

#[derive(Serialize, Deserialize)]
struct Flat<'a> {
    path: Cow<'a, Name>,
    mode: u32,
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blake3: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    extents: Option<Cow<'a, [(u64, u64)]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'a, Name>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<Stamp>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    File,
    Link,
    Folder,
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { path, mode, what, stamp } = self;
        let mut flat = Flat {
            path: Cow::Borrowed(path),
            mode: *mode,
            kind: Kind::Folder,
            bytes: None,
            blake3: None,
            extents: None,
            target: None,
            stamp: *stamp,
        };
        match what {
            What::File { bytes, blake3, extents } => {
                (flat.kind, flat.bytes, flat.blake3) = (Kind::File, Some(*bytes), Some(*blake3));
                flat.extents = extents.as_deref().map(Cow::Borrowed);
            }
            What::Link { target } => (flat.kind, flat.target) = (Kind::Link, Some(Cow::Borrowed(target))),
            What::Folder => {}
        }
        flat.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Flat { path, mode, kind, bytes, blake3, extents, target, stamp } =
            Flat::deserialize(deserializer)?;
        let what = match kind {
            Kind::File => What::File {
                bytes: bytes.ok_or_else(|| D::Error::missing_field("bytes"))?,
                blake3: blake3.ok_or_else(|| D::Error::missing_field("blake3"))?,
                extents: extents.map(Cow::into_owned),
            },
            Kind::Link => {
                What::Link { target: target.ok_or_else(|| D::Error::missing_field("target"))?.into_owned() }
            }
            Kind::Folder => What::Folder,
        };
        Ok(Self { path: path.into_owned(), mode, what, stamp })
    }
}
