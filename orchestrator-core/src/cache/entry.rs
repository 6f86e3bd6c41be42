//! A recorded result: what a task concluded, printed and made, and the fingerprint under which that holds.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agent::Conclusion;
use crate::fingerprint::Fingerprint;
use crate::id::{RunId, TaskId};
use crate::json::Json;
use crate::order::Artifact;
use crate::path::{Digest, RelPath};

/// A recorded result under its fingerprint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// All that it depends on.
    pub fingerprint: Fingerprint,
    /// Whose it is.
    pub task: TaskId,
    /// The result.
    pub result: Recorded,
}

/// A recorded result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// The run that gave it.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// Milliseconds that it took.
    pub took_ms: f64,
    /// What the agent concluded.
    pub conclusion: Conclusion<Json>,
    /// What its commands printed, and the files that they were told to keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captured: Vec<Artifact>,
    /// The files that it made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made: Vec<Made>,
}

/// A file that a task made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Made {
    /// Where.
    pub path: RelPath,
    /// Digest of its content.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// Its permissions.
    pub mode: u32,
}

impl Entry {
    /// Its bytes in a file: the digest of the rest, then the rest.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let body = serde_json::to_vec(self).expect("an entry has string keys only");
        let mut bytes = format!("{}\n", Digest::of(&body)).into_bytes();
        bytes.extend(body);
        bytes
    }

    /// Reads the bytes of a file; checks that they are whole and are what `key` names.
    pub(super) fn read(bytes: &[u8], key: Digest) -> Result<Self, String> {
        let (sum, body) = bytes.split_at_checked(65).ok_or("it is cut short")?;
        if sum != format!("{}\n", Digest::of(body)).as_bytes() {
            return Err("its digest does not fit its content".into());
        }
        let entry: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if entry.fingerprint.digest() != key {
            return Err("it is the result of something else".into());
        }
        Ok(entry)
    }

    /// All bytes that belong to it.
    pub(super) fn blobs(&self) -> impl Iterator<Item = (Digest, u64)> {
        let captured = self.result.captured.iter().map(|artifact| (artifact.digest, artifact.bytes));
        captured.chain(self.result.made.iter().map(|made| (made.digest, made.bytes)))
    }
}
