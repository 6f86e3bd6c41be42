//! `rollback.sh`: written from the manifest, then run for real into a scratch folder.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Instant;

use async_trait::async_trait;
use orchestrator_core::BoxError;
use orchestrator_core::effect::Effect;
use orchestrator_core::id::OrderKey;
use orchestrator_core::operation::{Already, Operation, Site};
use orchestrator_core::path::RelPath;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::compress::Compressor;
use super::made::read;
use super::snapshot::write_synced;
use super::{bundle, databases, restore};
use crate::backup::manifest::{Manifest, What};
use crate::ops::git::Git;
use crate::ops::here::{Here, blocking};
use crate::ops::process;
use crate::said;

/// Name of the script in a snapshot.
pub(super) const SCRIPT: &str = "rollback.sh";
const TEMPLATE: &str = include_str!("rollback.sh");
/// All that the script may need, apart from what unpacks the archive.
const TOOLS: [&str; 3] = ["sh", "tar", "git"];

/// Writes `rollback.sh` into a snapshot and restores with it, with nothing but sh, tar, git and the compressor to be found, and
/// gzip and sqlite3 where it holds databases of SQLite. Databases of servers are left alone by that.
#[derive(Debug, Clone, Copy)]
pub struct WriteRollbackScript;

/// For which snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptInput {
    /// Its folder.
    pub snapshot: RelPath,
}

/// A script that restored its snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WrittenScript {
    /// Where it is.
    pub script: RelPath,
    /// Files that it restored and that were compared.
    pub files: u64,
    /// Milliseconds that it took.
    pub restore_ms: f64,
}

#[async_trait]
impl Operation for WriteRollbackScript {
    const NAME: &'static str = "write-rollback-script";
    const EFFECT: Effect = Effect::Writes;
    type Input = ScriptInput;
    type Output = WrittenScript;

    fn advice(&self, input: &ScriptInput) -> Option<String> {
        Some(format!("it belongs to the backup `{}`, which survives a rollback", input.snapshot))
    }

    async fn call(
        &self,
        input: ScriptInput,
        order: &OrderKey,
        site: &Site<'_>,
    ) -> Result<WrittenScript, BoxError> {
        let order = order.clone();
        blocking(site, move |here| write(here, &input.snapshot, &order)).await
    }

    /// Doing it again gives the same script.
    async fn already(&self, _: &ScriptInput, _: &OrderKey, _: &Site<'_>) -> Already<WrittenScript> {
        Already::NotDone
    }
}

fn write(here: &Here, snapshot: &RelPath, order: &OrderKey) -> Result<WrittenScript, BoxError> {
    let folder = snapshot.under(&here.root);
    let (manifest, _) = read(&folder)?;
    let path = folder.join(SCRIPT);
    write_synced(&path, render(&manifest, snapshot).as_bytes(), 0o700)?;
    here.progress.step("restoring with rollback.sh", None);
    let scratch = here.scratch(order, "rollback")?;
    let (target, bin) = (scratch.folder("target")?, scratch.folder("bin")?);
    let sqlite = databases::script::in_files(&manifest);
    let tools = bare(here, Compressor::of(&manifest.compressor)?, sqlite, &bin)?;
    let mut command = process::command(&tools, bin.join("sh"));
    command.arg(&path).arg("--files-only").arg("--target").arg(&target);
    let start = Instant::now();
    let output = process::run(&tools, command, None, None)?;
    let restore_ms = start.elapsed().as_secs_f64() * 1000.0;
    if !output.status.success() {
        return Err(format!("`{SCRIPT}` failed ({}): {}", output.status, output.stderr).into());
    }
    let (in_files, restore_files_ms) = databases::script::try_out(&tools, &bin, &path, &manifest, &scratch)?;
    let restore_ms = restore_ms + restore_files_ms;
    let mut wrong = restore::compare(here, &manifest, &target)?;
    wrong.extend(in_files);
    wrong.extend(compare_refs(here, &manifest, &target)?);
    if !wrong.is_empty() {
        return Err(format!("`{SCRIPT}` does not restore: {}", said::some(&wrong)).into());
    }
    let files =
        manifest.entries.iter().filter(|entry| matches!(entry.what, What::File { .. })).count() as u64;
    Ok(WrittenScript { script: snapshot.join(SCRIPT)?, files, restore_ms })
}

pub(super) fn compare_refs(here: &Here, manifest: &Manifest, target: &Path) -> Result<Vec<String>, BoxError> {
    let (Some(_), Some(position)) = (&manifest.bundle, &manifest.git) else { return Ok(Vec::new()) };
    let git = Git::new(here).at(target);
    let mut restored = bundle::refs(&git.text(["for-each-ref", "--format=%(objectname) %(refname)"])?);
    let found = bundle::position(&git)?;
    restored.extend(found.head.clone().map(|head| ("HEAD".to_owned(), head)));
    let mut wrong = bundle::compare(&position.refs, &restored, "HEAD");
    if (&found.head, &found.branch) != (&position.head, &position.branch) {
        wrong.push("`HEAD`: not where it was".to_owned());
    }
    Ok(wrong)
}

/// The same place with nothing on its search path but what the script may need.
fn bare(here: &Here, compressor: Compressor, with_sqlite: bool, bin: &Path) -> Result<Here, BoxError> {
    let path = here.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone());
    let folders: Vec<PathBuf> =
        std::env::split_paths(&path.unwrap_or_else(|| "/usr/bin:/bin".into())).collect();
    let mut tools: BTreeSet<&str> = TOOLS.into_iter().chain([compressor.program()]).collect();
    if with_sqlite {
        tools.extend(["gzip", "sqlite3"]);
    }
    for tool in tools {
        let found = folders.iter().map(|folder| folder.join(tool)).find(|path| path.is_file());
        match found {
            Some(found) => symlink(found.canonicalize().unwrap_or(found), bin.join(tool))?,
            // Needed only where there are refs, and then it has been used already.
            None if tool == "git" => {}
            None => return Err(format!("`{SCRIPT}` needs `{tool}`, which is not on PATH").into()),
        }
    }
    let mut env: Vec<(OsString, OsString)> =
        here.env.iter().filter(|(name, _)| name != "PATH").cloned().collect();
    env.push(("PATH".into(), bin.into()));
    Ok(Here { env: env.into(), ..here.clone() })
}

/// The script of a snapshot, which lies at this place.
pub(super) fn render(manifest: &Manifest, snapshot: &RelPath) -> String {
    let git = manifest.git.clone().unwrap_or_default();
    let depth = snapshot.as_str().split('/').count();
    let store = snapshot.as_str().rsplit_once('/').map_or("", |(store, _)| store);
    let included: Vec<String> =
        manifest.include.iter().map(|path| format!("    include {}", quoted(path.as_str()))).collect();
    let values = [
        ("@NAME@", manifest.name.clone()),
        ("@COMPRESSOR@", quoted(&manifest.compressor)),
        ("@ARCHIVE@", quoted(&manifest.archive.file)),
        ("@WITH_REFS@", if manifest.bundle.is_some() { "1" } else { "" }.to_owned()),
        ("@BRANCH@", quoted(git.branch.as_deref().unwrap_or_default())),
        ("@HEAD@", git.head.unwrap_or_default()),
        ("@PREFIX@", quoted(&git.prefix)),
        ("@FORMAT@", git.object_format),
        ("@BACK@", vec![".."; depth].join("/")),
        ("@STORE@", quoted(store)),
        ("@INCLUDED@", included.join("\n")),
        ("@LOCKED@", locked(manifest).join("\n")),
        ("@DATABASE_STEPS@", databases::script::steps(&manifest.databases)),
    ];
    // Each line holds one placeholder at most, so that what is filled in is never filled again.
    let filled = TEMPLATE.lines().map(|line| match values.iter().find(|(name, _)| line.contains(name)) {
        Some((name, value)) => line.replace(name, value),
        None => line.to_owned(),
    });
    filled.map(|line| line + "\n").collect()
}

/// The lines that open folders which their owner may not write to. Names that are no text cannot be written down.
fn locked(manifest: &Manifest) -> Vec<String> {
    let folders =
        manifest.entries.iter().filter(|entry| entry.what == What::Folder && entry.mode & 0o700 != 0o700);
    let names = folders.filter_map(|entry| std::str::from_utf8(&entry.path.0).ok());
    names.map(|name| format!("    unlock {}", quoted(name))).collect()
}

/// A word for sh, whatever is in it.
pub(super) fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
