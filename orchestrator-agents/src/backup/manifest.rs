//! What a snapshot says of itself: `manifest.json`. A value; nothing here touches the world.

mod check;
mod entry;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use orchestrator_core::id::OrderKey;
use orchestrator_core::path::{Digest, RelPath};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::databases::Dumped;
pub use entry::{Entry, Stamp, What};

/// The format of manifests that this version writes; it reads all up to it. 2: archives in segments, sparse files, zstd.
pub const MANIFEST_VERSION: u32 = 2;

/// What a snapshot holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of this file.
    pub version: u32,
    /// Name of the snapshot: when the run began, in UTC.
    pub name: String,
    /// The order that made it.
    pub order: OrderKey,
    /// The program that `rollback.sh` unpacks with.
    pub compressor: String,
    /// The archive of the working tree.
    pub archive: Stored,
    /// Parts of the archive that can be unpacked each by itself, in order; none in manifests of version 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub segments: Vec<Segment>,
    /// The bundle of git refs; none without git or without a commit.
    pub bundle: Option<Stored>,
    /// State of the repository; none outside git.
    pub git: Option<Position>,
    /// Versions of the tools that were used, by name.
    pub tools: BTreeMap<String, String>,
    /// Which of the entries are configuration.
    pub config: Vec<Name>,
    /// Ignored paths that were named to be kept all the same.
    pub include: Vec<RelPath>,
    /// Every file, link and folder, by path.
    pub entries: Vec<Entry>,
    /// What could not be stored as it was, and why.
    pub unsettled: Vec<Unsettled>,
    /// Databases that were dumped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<Dumped>,
}

/// A file of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Its name in the snapshot.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub blake3: Digest,
}

/// A part of an archive that begins and ends with whole entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Its bytes in the archive.
    pub packed: u64,
    /// The bytes that come out of it.
    pub bytes: u64,
}

/// State of a git repository.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Commit that HEAD names; none before the first commit.
    pub head: Option<String>,
    /// Branch that HEAD names, also before its first commit; none where HEAD is detached.
    pub branch: Option<String>,
    /// Where the project lies in the repository: empty, or `sub/`.
    pub prefix: String,
    /// `sha1` or `sha256`.
    pub object_format: String,
    /// Object of every ref in the bundle, HEAD among them.
    pub refs: BTreeMap<String, String>,
}

/// Something that could not be stored as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unsettled {
    /// Where, relative to the root.
    pub path: Name,
    /// Why.
    pub why: String,
}

/// Bytes of a path or link target. UTF-8 is written as text, anything else as `{"hex": ".."}`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub Vec<u8>);

impl Manifest {
    /// Every file of the snapshot that is stored as it is, apart from the manifest.
    pub fn stored(&self) -> impl Iterator<Item = &Stored> {
        let databases = self.databases.iter().map(|dumped| &dumped.stored);
        std::iter::once(&self.archive).chain(&self.bundle).chain(databases)
    }
}

impl Name {
    /// The name as a path.
    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }
}

impl From<&Path> for Name {
    fn from(path: &Path) -> Self {
        Self(path.as_os_str().as_bytes().to_vec())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.0) {
            Ok(text) => write!(f, "{}", text.escape_debug()),
            Err(_) => write!(f, "{}", self.0.escape_ascii()),
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written<'a> {
    Text(Cow<'a, str>),
    Hex { hex: Cow<'a, str> },
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => Written::Text(text.into()),
            Err(_) => Written::Hex { hex: self.0.iter().map(|byte| format!("{byte:02x}")).collect() },
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = |hex: &str| -> Option<Vec<u8>> {
            let digits = hex.as_bytes().chunks(2);
            digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
        };
        match Written::deserialize(deserializer)? {
            Written::Text(text) => Ok(Self(text.into_owned().into_bytes())),
            Written::Hex { hex } => {
                bytes(&hex).map(Self).ok_or_else(|| serde::de::Error::custom("malformed hexadecimal digits"))
            }
        }
    }
}

impl JsonSchema for Name {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Name".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "string" }, {
            "type": "object",
            "properties": { "hex": { "type": "string" } },
            "required": ["hex"],
            "additionalProperties": false
        }] })
    }
}

/// Whether a file is configuration, by its name alone.
pub fn is_config(path: &Name) -> bool {
    let Ok(path) = std::str::from_utf8(&path.0) else { return false };
    let name = path.rsplit('/').next().unwrap_or(path);
    let (_, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    name.starts_with(".env")
        || matches!(name, "Dockerfile" | "Makefile" | "justfile" | "Procfile")
        || matches!(extension, "toml" | "yaml" | "yml" | "ini" | "cfg" | "conf" | "properties" | "env")
        || (extension == "json" && (!path.contains('/') || path.starts_with("config/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_round_trip_with_names_that_are_no_text() {
        let entries = vec![
            Entry {
                path: Name(b"a\xff\n".to_vec()),
                mode: 0o644,
                what: What::File { bytes: 1, blake3: Digest::of(b"x"), extents: Some(vec![(0, 1)]) },
                stamp: Some(Stamp { inode: 1, modified: (2, 3), changed: (-4, 5), settled: true }),
            },
            Entry { path: Name(b"b".to_vec()), mode: 0o755, what: What::Folder, stamp: None },
            Entry {
                path: Name(b"c".to_vec()),
                mode: 0o777,
                what: What::Link { target: Name(b"../\xfe".to_vec()) },
                stamp: None,
            },
        ];
        let text = serde_json::to_string(&entries).unwrap();
        assert!(text.contains(r#""path":{"hex":"61ff0a"}"#) && text.contains(r#""kind":"folder""#), "{text}");
        assert_eq!(serde_json::from_str::<Vec<Entry>>(&text).unwrap(), entries);
    }

    #[test]
    fn configuration_is_told_by_name() {
        let config = |path: &str| is_config(&Name(path.into()));
        assert!(config("Cargo.toml") && config("a/b.yaml") && config(".env.local") && config("package.json"));
        assert!(!config("src/main.rs") && !config("data/points.json"));
    }
}
