//! The backup phase of the real program, killed at any moment and resumed: one snapshot, verified, nothing half-made.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::{Folder, commands, git, output};

const PIPELINE: &str = "\
version: 1
settings: {min_free_disk: 1}
phases:
  - {name: restart_backup, use: standard}
";

/// A small generator, so that a failure can be had again.
fn next(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

/// From 0 up to 1.
fn random(seed: &mut u64) -> f64 {
    next(seed) as f64 / f64::from(1_u32 << 31)
}

/// A project that takes a while to back up.
fn project() -> Folder {
    let folder = Folder::git(PIPELINE);
    let mut seed = 5;
    for file in 0..300 {
        let text: String = (0..4000).map(|_| char::from(b' ' + (next(&mut seed) % 90) as u8)).collect();
        folder.write(&format!("src/{}/{file}.txt", file / 20), &text);
    }
    git(folder.path(), &["add", "-A"]);
    git(folder.path(), &["commit", "-q", "-m", "feat: files"]);
    folder
}

fn killed_and_resumed(kills: u32) {
    let reference = project();
    let begun = Instant::now();
    reference.orchestrate("run --quiet").exits(0);
    let took = begun.elapsed();
    drop(reference);
    let mut seed = 11;
    for at in 0..kills {
        let when = took.mul_f64((f64::from(at) + random(&mut seed)) / f64::from(kills));
        let folder = project();
        let before = folder.files();
        let mut child =
            folder.program("run --quiet").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(when);
        child.kill().unwrap();
        child.wait().unwrap();
        gone_on(&folder, when);
        let names = snapshots(&folder);
        assert_eq!(names.len(), 1, "killed after {when:?}: {names:?}");
        for file in ["verification.json", "rollback.sh", "manifest.json", "refs.bundle"] {
            assert!(names[0].join(file).exists(), "killed after {when:?}: {file}");
        }
        let scratch = folder.path().join(".orchestrate/scratch");
        assert!(fs::read_dir(scratch).is_ok_and(|mut all| all.next().is_none()), "killed after {when:?}");
        fs::remove_dir_all(folder.path().join("backups")).unwrap();
        assert_eq!(folder.files(), before, "killed after {when:?}");
        assert_eq!(commands(folder.path()), [""; 0], "somebody was left over, killed after {when:?}");
    }
}

/// Resumes what was killed; runs it where there is nothing to resume.
fn gone_on(folder: &Folder, when: Duration) {
    let resumed = output(folder.program("resume --quiet"));
    if resumed.code != Some(0) {
        let said = format!("{}{}", resumed.out, resumed.err);
        println!("killed after {when:?}: {said}");
        assert_eq!(resumed.code, Some(2), "killed after {when:?}: what there is to resume does not fail");
        // Killed before its first record, or after its last.
        if !folder.path().join("backups").exists() {
            folder.orchestrate("run --quiet").exits(0);
        }
    }
}

/// The snapshots, and whatever else is there that should not be.
fn snapshots(folder: &Folder) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder.path().join("backups")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| !path.ends_with(".gitignore")).collect()
}

#[test]
fn killed_while_it_backs_up_and_resumed_there_is_one_snapshot() {
    killed_and_resumed(5);
}

#[test]
#[ignore = "long: `tests/run --long`"]
fn long_killed_while_it_backs_up_and_resumed_there_is_one_snapshot() {
    killed_and_resumed(60);
}
