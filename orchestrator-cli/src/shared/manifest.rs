//! What a shared run consists of: its files by digest. Written last, so that whoever sees it finds them all.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use jiff::Timestamp;
use orchestrator_core::id::RunId;
use orchestrator_core::layout::Layout;
use orchestrator_core::path::{Digest, RelPath};
use serde::{Deserialize, Serialize};

/// The version of manifests.
const VERSION: u32 = 1;
/// The folders of a run that are shared; its locks and its inbox are not.
const FOLDERS: [&str; 3] = ["logs", "artifacts", "reports"];
pub(super) const PLAN: &str = "plan.json";
pub(super) const JOURNAL: &str = "journal.jsonl";

/// What a shared run consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    v: u32,
    /// Which run.
    pub(crate) run: RunId,
    /// The name of its pipeline.
    pub(crate) pipeline: String,
    /// How far it may reach.
    pub(crate) ceiling: String,
    /// How it ended, or where it stands, for people.
    pub(crate) state: String,
    /// The machine that put it there.
    pub(crate) host: String,
    /// When.
    pub(crate) at: Timestamp,
    /// Its files.
    pub(super) files: BTreeMap<RelPath, Content>,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

/// What is told of a run that is shared.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// The name of its pipeline.
    pub(crate) pipeline: String,
    /// How far it may reach.
    pub(crate) ceiling: String,
    /// How it ended, or where it stands.
    pub(crate) state: String,
    /// This machine.
    pub(crate) host: String,
}

impl Manifest {
    /// The manifest of a run that lies here.
    pub(super) fn of(layout: &Layout, run: &RunId, about: About) -> io::Result<Self> {
        let folder = layout.run_dir(run);
        let mut files = BTreeMap::new();
        for name in [PLAN, JOURNAL] {
            add(&mut files, &folder, name)?;
        }
        for name in FOLDERS {
            walk(&mut files, &folder, name)?;
        }
        let About { pipeline, ceiling, state, host } = about;
        Ok(Self { v: VERSION, run: run.clone(), pipeline, ceiling, state, host, at: Timestamp::now(), files })
    }

    /// Its bytes: the digest of the rest, then the rest.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let body = serde_json::to_vec(self)?;
        let mut bytes = format!("{}\n", Digest::of(&body)).into_bytes();
        bytes.extend(body);
        Ok(bytes)
    }

    /// Reads its bytes, which others wrote: it must be whole, of this run, and name only files that runs have.
    pub(super) fn read(bytes: &[u8], run: &RunId) -> Result<Self, String> {
        let (sum, body) = bytes.split_at_checked(65).ok_or("its manifest is cut short")?;
        if sum != format!("{}\n", Digest::of(body)).as_bytes() {
            return Err("its manifest does not have its digest".into());
        }
        let manifest: Self = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if manifest.v != VERSION {
            return Err(format!("its manifest has version {}, and {VERSION} is known here", manifest.v));
        }
        if manifest.run != *run {
            return Err(format!("its manifest is that of run `{}`", manifest.run));
        }
        if let Some(path) = manifest.files.keys().find(|path| !is_shared(path)) {
            return Err(format!("it names the file `{path}`, which no run shares"));
        }
        if manifest.file(PLAN).is_none() || manifest.file(JOURNAL).is_none() {
            return Err("it lacks a plan or a journal".into());
        }
        Ok(manifest)
    }

    pub(super) fn file(&self, name: &str) -> Option<Content> {
        self.files.iter().find(|(path, _)| path.as_str() == name).map(|(_, content)| *content)
    }
}

fn is_shared(path: &RelPath) -> bool {
    let path = path.as_str();
    path == PLAN
        || path == JOURNAL
        || path.split_once('/').is_some_and(|(folder, _)| FOLDERS.contains(&folder))
}

/// Adds the plain files below a folder; links lead elsewhere and are left out.
fn walk(files: &mut BTreeMap<RelPath, Content>, folder: &Path, name: &str) -> io::Result<()> {
    let entries = match std::fs::read_dir(folder.join(name)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        let Some(below) = entry.file_name().to_str().map(|below| format!("{name}/{below}")) else { continue };
        let kind = entry.file_type()?;
        if kind.is_dir() {
            walk(files, folder, &below)?;
        } else if kind.is_file() {
            add(files, folder, &below)?;
        }
    }
    Ok(())
}

fn add(files: &mut BTreeMap<RelPath, Content>, folder: &Path, name: &str) -> io::Result<()> {
    let content = content(&folder.join(name), u64::MAX)?;
    let path = RelPath::new(name).map_err(io::Error::other)?;
    files.insert(path, content);
    Ok(())
}

/// What is in the first so many bytes of a file.
pub(super) fn content(path: &Path, most: u64) -> io::Result<Content> {
    let mut hasher = blake3::Hasher::new();
    let bytes = io::copy(&mut File::open(path)?.take(most), &mut hasher)?;
    Ok(Content { digest: hasher.finalize().into(), bytes })
}
