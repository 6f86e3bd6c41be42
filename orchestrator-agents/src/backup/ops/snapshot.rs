//! Makes a snapshot: under a hidden name first, renamed when all of it is on the disk.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
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

use super::databases::Secrets;
use super::made::{MANIFEST, MANIFEST_DIGEST, described, find};
use super::{archive, bundle, databases, list};
use crate::backup::databases::Database;
use crate::backup::manifest::{MANIFEST_VERSION, Manifest, Unsettled, What, is_config};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking, remove_tree};
use crate::ops::process;

const PARTIAL: &str = ".partial-";

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
    let made = fill(here, git.as_ref(), input, order, secrets, &partial);
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
    match File::create_new(&ignore) {
        Ok(mut file) => file.write_all(b"*\n")?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
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
    secrets: &Secrets,
    partial: &Path,
) -> Result<(Manifest, Digest), BoxError> {
    let mut position = git.map(bundle::position).transpose()?;
    let bundle = match (git, &mut position) {
        (Some(git), Some(position)) => {
            here.progress.step("bundling refs", None);
            bundle::write(git, position, partial)?
        }
        _ => None,
    };
    let listing = list::working_tree(here, git, &input.to, &input.include)?;
    let archived = archive::write(here, &here.root, listing, &partial.join("tree.tar.gz"))?;
    let scratch = here.scratch(&order, "databases")?;
    let (databases, unsettled) = databases::dump(here, &input.databases, secrets, partial, &scratch)?;
    let paths = archived.entries.iter().filter(|entry| entry.what != What::Folder).map(|entry| &entry.path);
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        name: input.name.clone(),
        order,
        compressor: "gzip".to_owned(),
        archive: archived.stored,
        bundle,
        git: position,
        tools: tools(here, git.is_some()),
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

fn tools(here: &Here, git: bool) -> BTreeMap<String, String> {
    let mut tools = BTreeMap::from([("orchestrate".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]);
    for tool in ["git", "tar", "gzip"] {
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
