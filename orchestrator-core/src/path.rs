//! Paths inside a checkout, and digests of bytes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A path below the root of the checkout, with `/` between its parts; never absolute, never above the root.
/// The root itself is `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(Arc<str>);

/// A path that could leave the checkout or that no file system takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path `{path}` {why}; give a path relative to the root of the repository")]
pub struct PathError {
    path: String,
    why: &'static str,
}

impl RelPath {
    /// The root.
    pub fn root() -> Self {
        Self(".".into())
    }

    /// Checks and normalises: `./a//b/` becomes `a/b`.
    pub fn new(path: impl AsRef<str>) -> Result<Self, PathError> {
        let path = path.as_ref();
        let error = |why| {
            let short: String = path.chars().take(200).collect();
            Err(PathError { path: short.escape_debug().to_string(), why })
        };
        if path.is_empty() {
            return error("is empty");
        }
        if path.len() > 4096 {
            return error("is longer than 4,096 bytes");
        }
        if path.starts_with('/') || path.contains(['\0', '\n']) {
            return error("is absolute or holds a control character");
        }
        let mut parts = Vec::new();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => return error("leads out of the checkout with `..`"),
                part => parts.push(part),
            }
        }
        Ok(if parts.is_empty() { Self::root() } else { Self(parts.join("/").into()) })
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the root itself.
    pub fn is_root(&self) -> bool {
        &*self.0 == "."
    }

    /// The path of something below this one.
    pub fn join(&self, below: impl AsRef<str>) -> Result<Self, PathError> {
        Self::new(format!("{}/{}", self.0, below.as_ref()))
    }

    /// The folders that it lies in, the nearest first; the last is the root.
    pub fn above(&self) -> Vec<Self> {
        let within = self.0.rmatch_indices('/').map(|(at, _)| Self(self.0[..at].into()));
        within.chain([Self::root()]).collect()
    }

    /// The absolute path of this one below `root`.
    pub fn under(&self, root: &std::path::Path) -> std::path::PathBuf {
        if self.is_root() { root.to_path_buf() } else { root.join(&*self.0) }
    }
}

impl Default for RelPath {
    fn default() -> Self {
        Self::root()
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

impl FromStr for RelPath {
    type Err = PathError;
    fn from_str(path: &str) -> Result<Self, PathError> {
        Self::new(path)
    }
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = Cow::<'de, str>::deserialize(deserializer)?;
        Self::new(path).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for RelPath {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "RelPath".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "description": "a path relative to the root of the repository" })
    }
}

/// A BLAKE3 digest, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        blake3::hash(bytes).into()
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl From<blake3::Hash> for Digest {
    fn from(hash: blake3::Hash) -> Self {
        Self(*hash.as_bytes())
    }
}

impl From<[u8; 32]> for Digest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let hash = blake3::Hash::from_hex(text).map_err(|error| format!("not a digest: {error}"))?;
        Ok(hash.into())
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&blake3::Hash::from_bytes(self.0).to_hex())
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside() {
        assert_eq!(RelPath::new("./a//b/").unwrap().as_str(), "a/b");
        assert_eq!(RelPath::new("./").unwrap(), RelPath::root());
        for bad in ["", "/etc/passwd", "a/../../b", "..", "a\0b", "a\nb", &"x/".repeat(3000)] {
            assert!(RelPath::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(RelPath::root().join("a").unwrap().as_str(), "a");
        assert!(RelPath::new("a").unwrap().join("../..").is_err());
    }

    #[test]
    fn what_lies_above_ends_at_the_root() {
        let above = |path: &str| -> Vec<String> {
            RelPath::new(path).unwrap().above().iter().map(ToString::to_string).collect()
        };
        assert_eq!(above("a/b/c"), ["a/b", "a", "."]);
        assert_eq!([above("a"), above(".")], [["."], ["."]]);
    }

    #[test]
    fn digests_round_trip() {
        let digest = Digest::of(b"x");
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("zz".parse::<Digest>().is_err());
    }
}
