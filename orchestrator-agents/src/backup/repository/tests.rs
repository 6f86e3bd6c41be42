//! Repositories: real trees, real repositories, and restic itself where it is there.

mod agents;
mod damage;
mod faults;
mod restic;
mod snapshots;

use std::path::{Path, PathBuf};

use orchestrator_core::BoxError;
use orchestrator_core::path::RelPath;
use serde_json::json;

use super::{Keep, Place};
use crate::backup::ops::{
    InitInput, InitRepository, Initialized, PruneInput, PruneRepository, Pruned, RepositoryVerification,
    StoreBackup, StoreInput, StoredBackup, VerifyRepository, VerifyRepositoryInput,
};
use crate::backup::tests::fill;
use crate::rig::Rig;

const PASSWORD: &str = "correct horse; battery 'staple' ä";

/// A checkout with the password of its repositories.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.secrets.insert("BACKUP_PASSWORD".into(), PASSWORD.into());
    rig
}

fn place(path: &str) -> Place {
    serde_json::from_value(json!({ "path": path, "password": { "secret": "BACKUP_PASSWORD" } })).unwrap()
}

/// Where repositories of these tests lie: beside the checkout.
fn beside() -> Place {
    place("../backups.restic")
}

fn folder(rig: &Rig) -> PathBuf {
    rig.home.join("backups.restic")
}

async fn init(rig: &Rig, repository: Place) -> Result<Initialized, BoxError> {
    rig.call(InitRepository, InitInput { repository }).await
}

fn input(repository: Place, include: &[&str]) -> StoreInput {
    let include = include.iter().map(|path| RelPath::new(*path).unwrap()).collect();
    StoreInput { repository, to: RelPath::new("backups").unwrap(), include }
}

async fn store(rig: &Rig, index: u32) -> Result<StoredBackup, BoxError> {
    rig.call_as(StoreBackup, input(beside(), &[]), index).await
}

async fn verify(rig: &Rig, made: &StoredBackup) -> Result<RepositoryVerification, BoxError> {
    let (snapshot, manifest) = (made.snapshot.clone(), Some(made.manifest));
    rig.call(VerifyRepository, VerifyRepositoryInput { repository: beside(), snapshot, manifest }).await
}

async fn prune(rig: &Rig, keep: Keep, verified: &str) -> Result<Pruned, BoxError> {
    rig.call(PruneRepository, PruneInput { repository: beside(), keep, verified: verified.into() }).await
}

/// The files of a folder, by path; those of other things aside.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

fn snapshots(rig: &Rig) -> usize {
    files(&folder(rig).join("snapshots")).len()
}
