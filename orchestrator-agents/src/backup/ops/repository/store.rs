//! Stores a snapshot of the working tree and of git's refs in a repository: exactly one for each order.

use std::path::{Path, PathBuf};
use std::time::Instant;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::{Digest, RelPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::{bundle, list};
use super::here::{Password, Stands, below_root, folder, stands};
use super::lock::Use;
use super::look::not_one;
use super::rustic::{Rustic, open};
use super::source::Source;
use super::{Known, MANIFEST, Vault};
use crate::backup::manifest::Unsettled;
use crate::backup::repository::{CONTENTS_VERSION, Contents, Place, Saved};
use crate::ops::here::{Here, blocking};

/// The tag of every snapshot that this program made.
pub(super) const OURS: &str = "orchestrate";
/// The most bytes that a manifest has.
pub(super) const MOST: u64 = 1 << 30;

/// Stores a snapshot. There is no undo: a backup survives a rollback.
#[derive(Debug, Clone, Copy)]
pub struct StoreBackup;

/// What to back up, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreInput {
    /// Where the repository lies, and where its password comes from.
    pub repository: Place,
    /// The folder of ordinary snapshots, which is no part of this one.
    pub to: RelPath,
    /// Ignored paths to keep all the same.
    #[serde(default)]
    pub include: Vec<RelPath>,
}

/// A snapshot that was stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StoredBackup {
    /// Its id, as restic names it.
    pub snapshot: String,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Files in it.
    pub files: u64,
    /// Bytes of those files.
    pub tree_bytes: u64,
    /// Bytes that it added to the repository; none where that is not known any more.
    pub added: Option<u64>,
    /// Commit that was checked out; none without one.
    pub head: Option<String>,
    /// Whether git's refs are in it.
    pub refs: bool,
    /// What could not be stored as it was.
    pub unsettled: Vec<Unsettled>,
    /// Milliseconds that it took; none where that is not known any more.
    pub took_ms: Option<f64>,
}

#[async_trait]
impl Operation for StoreBackup {
    const NAME: &'static str = "store-backup";
    const EFFECT: Effect = Effect::Writes;
    type Input = StoreInput;
    type Output = StoredBackup;

    async fn call(
        &self,
        input: StoreInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<StoredBackup, BoxError> {
        let (password, order) = (Password::of(&input.repository, site)?, order.clone());
        blocking(site, move |here| {
            let start = Instant::now();
            let (vault, path) = opened(here, &input.repository, &password)?;
            match find(&vault, &order)? {
                Some(made) => Ok(made),
                None => store(here, &vault, &path, &input, order, start),
            }
        })
        .await
    }

    async fn already(&self, input: &StoreInput, order: &OrderKey, site: &Site<'_>) -> Already<StoredBackup> {
        let Ok(password) = Password::of(&input.repository, site) else { return Already::Unknown };
        let (input, order) = (input.clone(), order.clone());
        let found =
            blocking(site, move |here| find(&opened(here, &input.repository, &password)?.0, &order)).await;
        match found {
            Ok(Some(made)) => Already::Done(made),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

/// The repository, which must be there.
pub(super) fn opened(here: &Here, place: &Place, password: &Password) -> Result<(Rustic, PathBuf), BoxError> {
    let path = folder(here, place)?;
    match stands(&path)? {
        Stands::Repository => Ok((open(here, &path, place, password)?, path)),
        Stands::Nothing => Err(format!("there is no repository in `{}`", place.path()).into()),
        Stands::Else => Err(not_one(place)),
    }
}

fn tag(order: &OrderKey) -> String {
    format!("order:{order}")
}

/// The snapshot that an order made.
fn find(vault: &Rustic, order: &OrderKey) -> Result<Option<StoredBackup>, BoxError> {
    let tag = tag(order);
    let found = vault.snapshots()?.into_iter().find(|saved| saved.tags.contains(&tag));
    let Some(saved) = found else { return Ok(None) };
    let bytes = vault.read(&saved.id, MANIFEST, MOST)?;
    let contents: Contents = serde_json::from_slice(&bytes)?;
    Ok(Some(described(saved.id, &contents, Digest::of(&bytes), None, None)))
}

fn store(
    here: &Here,
    vault: &Rustic,
    path: &Path,
    input: &StoreInput,
    order: OrderKey,
    start: Instant,
) -> Result<StoredBackup, BoxError> {
    let _lock = vault.lock(Use::Shared)?;
    let scratch = here.scratch(&order, "repository")?;
    let git = bundle::repository(here)?;
    let mut position = git.as_ref().map(bundle::position).transpose()?;
    let mut bundled = None;
    let refs = scratch.folder("refs")?;
    if let (Some(git), Some(position)) = (&git, &mut position) {
        here.progress.step("bundling refs", None);
        bundled = bundle::write(git, position, &refs, None)?;
    }
    let own = below_root(here, path)?;
    let listing = list::working_tree(here, git.as_ref(), &input.to, &input.include)?;
    let is_own = |path: &Path| own.as_ref().is_some_and(|own| path.starts_with(own.as_str()));
    let paths = listing.found.keys().map(|name| name.as_path().to_path_buf());
    let paths: Vec<PathBuf> = paths.filter(|path| !is_own(path)).collect();
    let tags = [OURS.to_owned(), format!("run:{}", order.run), tag(&order)];
    let contents = Contents {
        version: CONTENTS_VERSION,
        order,
        git: position,
        bundle: bundled,
        config: Vec::new(),
        include: input.include.clone(),
        entries: Vec::new(),
        unsettled: listing.unsettled,
    };
    let bundle = contents.bundle.as_ref().map(|stored| refs.join(&stored.file));
    let earlier = earlier(here, vault)?;
    let (id, known) = earlier.map_or((None, Known::new()), |(id, known)| (Some(id), known));
    let source = Source::new(here, paths, bundle, contents, known);
    let (saved, stored, added) = vault.store(source, id.as_deref(), &tags)?;
    let took = start.elapsed().as_secs_f64() * 1000.0;
    Ok(described(saved.id, &stored.contents, stored.manifest, Some(added.bytes), Some(took)))
}

/// This checkout's snapshots.
pub(super) fn ours(here: &Here, all: Vec<Saved>) -> Vec<Saved> {
    let root = here.root.to_string_lossy();
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let is_ours = |saved: &Saved| {
        saved.tags.iter().any(|tag| tag == OURS) && saved.paths == [root.as_ref()] && saved.host == host
    };
    all.into_iter().filter(is_ours).collect()
}

/// The newest of this checkout's snapshots whose manifest is there and sound; without it every file is read.
fn earlier(here: &Here, vault: &Rustic) -> Result<Option<(String, Known)>, BoxError> {
    let Some(newest) = ours(here, vault.snapshots()?).pop() else { return Ok(None) };
    let Ok(bytes) = vault.read(&newest.id, MANIFEST, MOST) else { return Ok(None) };
    let Ok(contents) = serde_json::from_slice::<Contents>(&bytes) else { return Ok(None) };
    let known = contents.files().map(|(path, bytes, digest)| (path.clone(), (bytes, digest)));
    Ok(Some((newest.id, known.collect())))
}

fn described(
    snapshot: String,
    contents: &Contents,
    manifest: Digest,
    added: Option<u64>,
    took_ms: Option<f64>,
) -> StoredBackup {
    StoredBackup {
        snapshot,
        manifest,
        files: contents.files().count() as u64,
        tree_bytes: contents.files().map(|(_, bytes, _)| bytes).sum(),
        added,
        head: contents.git.as_ref().and_then(|git| git.head.clone()),
        refs: contents.bundle.is_some(),
        unsettled: contents.unsettled.clone(),
        took_ms,
    }
}
