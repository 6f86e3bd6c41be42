//! The backup phase on real trees and repositories.

mod agents;
mod caches;
mod damage;
mod script;
mod snapshot;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;

use super::ops::{
    CreateBackup, ScriptInput, Snapshot, SnapshotInput, Verification, VerifyInput, VerifySnapshot,
    WriteRollbackScript, WrittenScript,
};
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
    rig.call(CreateBackup, SnapshotInput { to: path("backups"), name, include }).await
}

async fn verify(rig: &Rig, made: &Snapshot) -> Result<Verification, BoxError> {
    let input = VerifyInput { snapshot: made.snapshot.clone(), manifest: Some(made.manifest) };
    rig.call(VerifySnapshot, input).await
}

async fn script(rig: &Rig, made: &Snapshot) -> Result<WrittenScript, BoxError> {
    rig.call(WriteRollbackScript, ScriptInput { snapshot: made.snapshot.clone() }).await
}
