//! Makes a snapshot: under a hidden name first, renamed when all of it is on the disk.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Instant, SystemTime};

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::{Digest, RelPath};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::archive::{self, Archived};
use super::compress::Compressor;
use super::databases::Secrets;
use super::earlier::Earlier;
use super::made::{MANIFEST, MANIFEST_DIGEST, described, find};
use super::{bundle, databases, list};
use crate::backup::databases::Database;
use crate::backup::manifest::{MANIFEST_VERSION, Manifest, Position, Stored, Unsettled, What, is_config};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking, remove_tree};
use crate::ops::process;

pub(super) const PARTIAL: &str = ".partial-";

/// Makes a snapshot of the working tree and of git's refs. There is no undo: a backup survives a rollback.
#[derive(Debug, Clone, Copy)]
pub struct CreateBackup;

/// What to back up, and where to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SnapshotInput {
    /// The folder of all snapshots.
    pub to: RelPath,
    /// Name of this one.
    pub name: String,
    /// Ignored paths to keep all the same.
    #[serde(default)]
    pub include: Vec<RelPath>,
    /// Databases to dump.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub databases: Vec<Database>,
}

/// A snapshot that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Snapshot {
    /// Its folder.
    pub snapshot: RelPath,
    /// Digest of its manifest.
    pub manifest: Digest,
    /// Files in it.
    pub files: u64,
    /// Bytes of those files.
    pub tree_bytes: u64,
    /// Bytes of its archive and its bundle.
    pub bytes: u64,
    /// Commit that was checked out; none without one.
    pub head: Option<String>,
    /// Whether git's refs are in it.
    pub refs: bool,
    /// Names of the databases in it.
    #[serde(default)]
    pub databases: Vec<String>,
    /// What could not be stored as it was.
    pub unsettled: Vec<Unsettled>,
    /// Milliseconds that it took; none where that is not known any more.
    pub took_ms: Option<f64>,
}

#[async_trait]
impl Operation for CreateBackup {
    const NAME: &'static str = "create-backup";
    const EFFECT: Effect = Effect::Writes;
    type Input = SnapshotInput;
    type Output = Snapshot;

    fn advice(&self, input: &SnapshotInput) -> Option<String> {
        Some(format!("a backup survives a rollback; backups lie in `{}`", input.to))
    }

    async fn call(
        &self,
        input: SnapshotInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<Snapshot, BoxError> {
        let order = order.clone();
        let secrets = Secrets::of(&input.databases, site.secrets);
        blocking(site, move |here| match find(here, &input, &order) {
            Some(made) => Ok(made),
            None => create(here, &input, order, &secrets),
        })
        .await
    }

    async fn already(&self, input: &SnapshotInput, order: &OrderKey, site: &Site<'_>) -> Already<Snapshot> {
        let (input, order) = (input.clone(), order.clone());
        match blocking(site, move |here| Ok(find(here, &input, &order))).await {
            Ok(Some(made)) => Already::Done(made),
            Ok(None) => Already::NotDone,
            Err(_) => Already::Unknown,
        }
    }
}

fn create(
    here: &Here,
    input: &SnapshotInput,
    order: OrderKey,
    secrets: &Secrets,
) -> Result<Snapshot, BoxError> {
    let start = Instant::now();
    let git = bundle::repository(here)?;
    let all = folder_of_snapshots(here, git.as_ref(), &input.to)?;
    let partial = all.join(format!("{PARTIAL}{}", input.name));
    DirBuilder::new().mode(0o700).create(&partial)?;
    let earlier = Earlier::newest(&all);
    let made = fill(here, git.as_ref(), input, order, earlier.as_ref(), secrets, &partial);
    let (manifest, digest) = match made {
        Ok(made) => made,
        Err(error) => {
            // The first error is the one to tell; what is left goes with the next backup.
            let _ = remove_tree(&partial);
            return Err(error);
        }
    };
    let name = free_name(&all, &input.name);
    fs::rename(&partial, all.join(&name))?;
    File::open(&all)?.sync_all()?;
    let took = start.elapsed().as_secs_f64() * 1000.0;
    Ok(described(&manifest, input.to.join(name)?, digest, Some(took)))
}

/// The folder of all snapshots, ignored by git, without what dead processes left half-made: a run that writes holds
/// the checkout alone.
fn folder_of_snapshots(here: &Here, git: Option<&Git<'_>>, to: &RelPath) -> Result<PathBuf, BoxError> {
    let own = || format!("`{to}` holds files that git keeps; give backups a folder of their own (`to`)");
    if to.is_root() {
        return Err(own().into());
    }
    if let Some(git) = git
        && !git.text(["ls-files", "--", &format!(":(literal){to}")])?.is_empty()
    {
        return Err(own().into());
    }
    let all = to.under(&here.root);
    fs::create_dir_all(&all)?;
    let ignore = all.join(".gitignore");
    // One that is empty was cut short.
    if ignore.symlink_metadata().map_or(true, |found| found.is_file() && found.len() == 0) {
        write_synced(&ignore, b"*\n", 0o644)?;
    }
    for entry in fs::read_dir(&all)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            remove_tree(&entry.path())?;
        }
    }
    if let Some(git) = git
        && git.maybe(["check-ignore", "--quiet", &format!("{to}/x")])?.is_none()
    {
        return Err(format!("git does not ignore `{to}`, because of `{to}/.gitignore`").into());
    }
    Ok(all)
}

fn fill(
    here: &Here,
    git: Option<&Git<'_>>,
    input: &SnapshotInput,
    order: OrderKey,
    earlier: Option<&Earlier>,
    secrets: &Secrets,
    partial: &Path,
) -> Result<(Manifest, Digest), BoxError> {
    let compressor = Compressor::choose(here);
    // Git packs its objects, and tools say what they are, at the same time.
    let (archived, history, tools) = thread::scope(|scope| {
        let history = scope.spawn(|| history(here, git, earlier, partial));
        let tools = scope.spawn(|| tools(here, git.is_some(), compressor));
        let archived = tree(here, git, input, earlier, compressor, partial);
        (archived, joined(history), joined(tools))
    });
    let (archived, (position, bundle)) = (archived?, history?);
    let scratch = here.scratch(&order, "databases")?;
    let (databases, unsettled) = databases::dump(here, &input.databases, secrets, partial, &scratch)?;
    let paths = archived.entries.iter().filter(|entry| entry.what != What::Folder).map(|entry| &entry.path);
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        name: input.name.clone(),
        order,
        compressor: compressor.program().to_owned(),
        archive: archived.stored,
        segments: archived.segments,
        bundle,
        git: position,
        tools,
        config: paths.filter(|path| is_config(path)).cloned().collect(),
        include: input.include.clone(),
        entries: archived.entries,
        unsettled: archived.unsettled.into_iter().chain(unsettled).collect(),
        databases,
    };
    let bytes = serde_json::to_vec(&manifest)?;
    let digest = Digest::of(&bytes);
    write_synced(&partial.join(MANIFEST), &bytes, 0o600)?;
    write_synced(&partial.join(MANIFEST_DIGEST), format!("{digest}\n").as_bytes(), 0o600)?;
    File::open(partial)?.sync_all()?;
    Ok((manifest, digest))
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Where the repository stands, and its refs.
fn history(
    here: &Here,
    git: Option<&Git<'_>>,
    earlier: Option<&Earlier>,
    partial: &Path,
) -> Result<(Option<Position>, Option<Stored>), BoxError> {
    let Some(git) = git else { return Ok((None, None)) };
    here.progress.step("bundling refs", None);
    let mut position = bundle::position(git)?;
    let stored = bundle::write(git, &mut position, partial, earlier)?;
    Ok((Some(position), stored))
}

/// The working tree: linked where an earlier snapshot has it as it is.
fn tree(
    here: &Here,
    git: Option<&Git<'_>>,
    input: &SnapshotInput,
    earlier: Option<&Earlier>,
    compressor: Compressor,
    partial: &Path,
) -> Result<Archived, BoxError> {
    let looked = SystemTime::now();
    let listing = list::working_tree(here, git, &input.to, &input.include)?;
    if let Some(earlier) = earlier
        && let Some(archived) = earlier.archive(here, &listing, looked, compressor)?
        && earlier.link(&archived.stored, partial)
    {
        return Ok(archived);
    }
    let archived =
        archive::write(here, &here.root, listing, compressor, &partial.join(compressor.archive()))?;
    if let Some(earlier) = earlier {
        earlier.share(&archived.stored, partial);
    }
    Ok(archived)
}

/// Writes a file of a snapshot, down to the disk, by way of a temporary one.
pub(super) fn write_synced(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let part = path.with_extension("part");
    remove_tree(&part)?;
    let mut file = File::options().write(true).create_new(true).mode(mode).open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn tools(here: &Here, git: bool, compressor: Compressor) -> BTreeMap<String, String> {
    let mut tools = BTreeMap::from([("orchestrate".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    for tool in ["git", "tar", compressor.program()] {
        if tool == "git" && !git {
            continue;
        }
        let mut command = process::command(here, tool);
        command.arg("--version");
        if let Ok(output) = process::run(here, command, None, None) {
            let text = String::from_utf8_lossy(&output.stdout);
            tools.insert(tool.to_owned(), text.lines().next().unwrap_or_default().to_owned());
        }
    }
    tools
}

/// A name that is not taken: two backups of one second are told apart by a number.
fn free_name(all: &Path, name: &str) -> String {
    let numbered = (2..).map(|n| format!("{name}-{n}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|name| all.join(name).symlink_metadata().is_err()).expect("numbers do not end")
}
