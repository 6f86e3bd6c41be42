//! The backup phase on real trees and repositories.

mod agents;
mod caches;
mod crashes;
mod damage;
pub(crate) mod databases;
mod disk_full;
mod hostile;
mod keeping;
mod leftovers;
mod linked;
mod restore;
mod restoring;
mod rollback;
mod script;
mod snapshot;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use orchestrator_core::BoxError;
use orchestrator_core::path::{Digest, RelPath};

use super::ops::{
    CreateBackup, ScriptInput, Snapshot, SnapshotInput, Verification, VerifyInput, VerifySnapshot,
    WriteRollbackScript, WrittenScript,
};
use crate::backup::manifest::Manifest;
use crate::ops::here::Here;
use crate::rig::Rig;

/// Fills a tree with everything that file systems take.
pub(super) fn fill(rig: &Rig) {
    rig.write(".gitignore", "ignored/\n*.log\n.env\n");
    rig.write("src/main.rs", "fn main() {}\n");
    rig.write("with space/it's \"odd\"\nname\t\\.txt", "odd\n");
    rig.write("-rf", "no option\n");
    rig.write("ignored/cache.bin", "cache\n");
    rig.write(".env", "TOKEN=1\n");
    rig.write("run.sh", "#!/bin/sh\n");
    rig.write(&format!("{}/deep", "long/".repeat(60)), "long\n");
    rig.write("crlf.txt", "a\r\nb\r\n");
    rig.write("large.bin", &"0123456789".repeat(500_000));
    rig.write("empty file", "");
    let root = &rig.root;
    fs::write(root.join(OsStr::from_bytes(b"latin-\xe9\xff")), "bytes\n").unwrap();
    fs::create_dir_all(root.join("empty/below")).unwrap();
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(root.join("crlf.txt"), fs::Permissions::from_mode(0o640)).unwrap();
    fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o700)).unwrap();
    rig.write("read only/kept", "kept\n");
    fs::set_permissions(root.join("read only"), fs::Permissions::from_mode(0o555)).unwrap();
    symlink("src/main.rs", root.join("link")).unwrap();
    symlink("nowhere/at all", root.join("dangling")).unwrap();
    symlink("/etc", root.join("outside")).unwrap();
    symlink(OsStr::from_bytes(b"latin-\xe9\xff"), root.join(OsStr::from_bytes(b"link-\xff"))).unwrap();
}

fn path(path: &str) -> RelPath {
    RelPath::new(path).unwrap()
}

async fn backup(rig: &Rig) -> Result<Snapshot, BoxError> {
    backup_with(rig, &[]).await
}

async fn backup_with(rig: &Rig, include: &[&str]) -> Result<Snapshot, BoxError> {
    let include = include.iter().map(|included| path(included)).collect();
    let name = "2026-11-20-234433".to_owned();
    rig.call(CreateBackup, SnapshotInput { to: path("backups"), name, include, databases: vec![] }).await
}

/// Another snapshot of the same.
async fn backup_again(rig: &Rig, index: u32) -> Result<Snapshot, BoxError> {
    let name = format!("2026-11-20-2344{:02}", 33 + index);
    rig.call_as(
        CreateBackup,
        SnapshotInput { to: path("backups"), name, include: vec![], databases: vec![] },
        index,
    )
    .await
}

fn manifest(rig: &Rig, made: &Snapshot) -> Manifest {
    let text = rig.read(&format!("{}/manifest.json", made.snapshot));
    serde_json::from_str(&text).unwrap()
}

/// The archive of a snapshot, whatever it is compressed with here.
fn archive(rig: &Rig, snapshot: &str) -> PathBuf {
    let mut files = fs::read_dir(rig.root.join(snapshot)).unwrap().map(|entry| entry.unwrap().path());
    files.find(|path| path.to_string_lossy().contains("/tree.tar.")).unwrap()
}

/// Writes another manifest, as whoever can write to the snapshot could.
fn forge(rig: &Rig, made: &Snapshot, manifest: &Manifest) -> Snapshot {
    let (folder, bytes) = (made.snapshot.under(&rig.root), serde_json::to_vec(manifest).unwrap());
    let digest = Digest::of(&bytes);
    fs::write(folder.join("manifest.json"), bytes).unwrap();
    fs::write(folder.join("manifest.b3"), format!("{digest}\n")).unwrap();
    Snapshot { manifest: digest, ..made.clone() }
}

/// Leaves nothing on the search path but these and what git brings.
fn only(rig: &mut Rig, tools: &[&str]) {
    let bin = rig.home.join("only");
    fs::create_dir(&bin).unwrap();
    for tool in tools {
        let said = rig.command("sh", &["-c", &format!("command -v {tool}")], &rig.home);
        symlink(String::from_utf8(said.stdout).unwrap().trim(), bin.join(tool)).unwrap();
    }
    rig.env.retain(|(name, _)| name != "PATH");
    rig.env.push(("PATH".into(), bin.into()));
}

const WITHOUT_ZSTD: [&str; 6] = ["sh", "git", "tar", "gzip", "chmod", "mkdir"];

/// The place that operations of a rig work in.
fn here(rig: &Rig) -> Here {
    let (root, state) = (rig.root.clone(), rig.root.join(".orchestrate"));
    Here { root, state, env: rig.env.clone().into(), stop: rig.stop.clone(), progress: rig.progress.clone() }
}

async fn verify(rig: &Rig, made: &Snapshot) -> Result<Verification, BoxError> {
    let input = VerifyInput { snapshot: made.snapshot.clone(), manifest: Some(made.manifest) };
    rig.call(VerifySnapshot, input).await
}

async fn script(rig: &Rig, made: &Snapshot) -> Result<WrittenScript, BoxError> {
    rig.call(WriteRollbackScript, ScriptInput { snapshot: made.snapshot.clone() }).await
}
