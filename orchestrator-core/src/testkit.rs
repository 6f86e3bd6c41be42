//! For tests of agents and of what is built on runs: artifacts in memory, ready-made receipts, a journal that ends where it is told to.

mod dying;
mod scripted;

use std::collections::BTreeMap;
use std::io;

use crate::agent::Task;
use crate::id::{GroupName, PhaseName, TaskId};
use crate::json::Json;
use crate::order::{Artifact, ArtifactSource, Receipt, Status};
use crate::path::{Digest, RelPath};

pub use dying::Dying;
pub use scripted::{Acts, ActsConfig, Scripted};

/// Artifacts in memory.
#[derive(Debug, Default)]
pub struct Kept(BTreeMap<Digest, Vec<u8>>);

impl Kept {
    /// Keeps bytes under a name.
    pub fn keep(&mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Artifact {
        let bytes = bytes.into();
        let digest = Digest::of(&bytes);
        let place = RelPath::new(format!("artifacts/{digest}")).expect("hexadecimal digits make a path");
        let artifact = Artifact { name: name.to_owned(), place, digest, bytes: bytes.len() as u64 };
        self.0.insert(digest, bytes);
        artifact
    }

    /// The receipt of a command that ended with `code` and printed that.
    pub fn exited(&mut self, code: i32, stdout: &str, stderr: &str) -> Receipt {
        let mut receipt = Receipt::new(Status::Exited(code));
        receipt.stdout = (!stdout.is_empty()).then(|| self.keep("stdout", stdout));
        receipt.stderr = (!stderr.is_empty()).then(|| self.keep("stderr", stderr));
        receipt.tail = format!("{stdout}{stderr}");
        receipt
    }
}

impl ArtifactSource for Kept {
    fn read(&self, artifact: &Artifact, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(&artifact.digest).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes[..bytes.len().min(limit as usize)].to_vec())
    }
}

/// The receipt of an operation that gave `output`.
pub fn done(output: impl serde::Serialize) -> Receipt {
    let mut receipt = Receipt::new(Status::Done);
    receipt.output = Json::of(&output).expect("test outputs are JSON");
    receipt
}

/// A task as an agent sees it.
pub fn task<C>(config: C) -> Task<C> {
    Task {
        id: TaskId::new("task").expect("a valid id"),
        phase: PhaseName::new("phase").expect("a valid name"),
        group: GroupName::new("group").expect("a valid name"),
        config,
        carried: Json::null(),
    }
}
