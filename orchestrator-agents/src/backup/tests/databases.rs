//! Databases in snapshots, on real files and real servers on loopback.

mod mariadb;
pub(crate) mod postgres;
pub(crate) mod servers;
mod sqlite;

use serde_json::{Value, json};

use super::*;
use crate::backup::databases::{Database, Dumped};
use crate::backup::manifest::Manifest;
use crate::backup::ops::{RestoreDatabase, RestoreDatabaseInput};

fn databases(list: &Value) -> Vec<Database> {
    serde_json::from_value(list.clone()).unwrap()
}

/// Makes a snapshot with databases; another index is another snapshot.
async fn dump(rig: &Rig, list: &Value, index: u32) -> Result<Snapshot, BoxError> {
    let name = format!("2026-11-20-23443{index}");
    let input = SnapshotInput { to: path("backups"), name, include: vec![], databases: databases(list) };
    rig.call_as(CreateBackup, input, index).await
}

fn dumped(rig: &Rig, made: &Snapshot, at: usize) -> Dumped {
    let text = rig.read(&format!("{}/manifest.json", made.snapshot));
    let manifest: Manifest = serde_json::from_str(&text).unwrap();
    manifest.databases[at].clone()
}

fn rows(dumped: &Dumped) -> Vec<(&str, u64)> {
    dumped.tables.iter().map(|table| (table.name.as_str(), table.rows)).collect()
}

async fn restore(rig: &Rig, made: &Snapshot) -> Result<Vec<String>, BoxError> {
    let input = RestoreDatabaseInput {
        snapshot: made.snapshot.clone(),
        manifest: Some(made.manifest),
        databases: vec![],
    };
    rig.call(RestoreDatabase, input).await.map(|restored| restored.done)
}

/// Runs `rollback.sh` with more variables. Gives its exit code and what it said.
fn rollback(rig: &Rig, made: &Snapshot, vars: &[(&str, &str)], args: &[&str]) -> (Option<i32>, String) {
    let script = made.snapshot.under(&rig.root).join("rollback.sh");
    let mut command = std::process::Command::new("sh");
    command.arg(script).args(args).current_dir(&rig.home).env_clear();
    let env = rig.env.iter().map(|(name, value)| (name, value));
    let output = command.envs(env).envs(vars.iter().copied()).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

/// Every file below a folder whose bytes hold a text.
fn holding(folder: &std::path::Path, text: &str) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(holding(&path, text));
        } else if let Ok(bytes) = fs::read(&path)
            && bytes.windows(text.len()).any(|window| window == text.as_bytes())
        {
            found.push(path);
        }
    }
    found
}

/// Puts a program of ours before the others of its name; it may call them as `$REAL`.
fn shadow(rig: &mut Rig, program: &str, body: &str) {
    let bin = rig.home.join("shadow");
    fs::create_dir_all(&bin).unwrap();
    let _ = fs::remove_file(bin.join(program));
    let real = rig.command("sh", &["-c", &format!("command -v {program}")], &rig.home).stdout;
    let real = String::from_utf8(real).unwrap();
    let script = format!("#!/bin/sh\nREAL='{}'\n{body}\n", real.trim());
    fs::write(bin.join(program), script).unwrap();
    fs::set_permissions(bin.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    let old = rig.env.iter_mut().find(|(name, _)| name == "PATH").unwrap();
    let mut paths = vec![bin];
    paths.extend(std::env::split_paths(&old.1).filter(|path| !path.ends_with("shadow")));
    old.1 = std::env::join_paths(paths).unwrap();
}
