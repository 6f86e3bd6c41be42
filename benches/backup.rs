//! Backups beside the tools that people use for them: the first, one of which nothing has changed, and restoring.
//!
//! `cargo bench -p orchestrator-cli --bench backup [ROUNDS]` makes a tree of 15,000 files and 200 MB of text and times, in turns in
//! one run, `orchestrate run` with the task `backup` alone, `tar | zstd -T2 -3`, restic, borg and rustic. A tool that is not installed is
//! "not run". Each time is that of a whole process, caches of the kernel warm; ours syncs to the disk. What restoring took
//! is what `verify-backup` measures: unpacked into an empty folder, comparing not counted, as the others do not compare.

#[path = "backup/peers.rs"]
mod peers;
#[path = "backup/tree.rs"]
mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use peers::{Peer, peers};

/// Seconds of one round; none for what a tool does not do.
#[derive(Clone, Copy)]
struct Times {
    first: f64,
    unchanged: Option<f64>,
    restore: f64,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs a command to its end; how long it took.
fn time(command: &mut Command, code: i32) -> f64 {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    // What others have written is not written out at our expense.
    assert!(Command::new("sync").status().expect("sync is everywhere").success());
    let start = Instant::now();
    let output = command.output().expect("it was looked for before");
    let took = start.elapsed().as_secs_f64();
    assert_eq!(output.status.code(), Some(code), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    took
}

fn orchestrate(project: &Path, tasks: &Value) -> f64 {
    let file = json!({ "version": 1, "phases": [{ "name": "bench", "groups": [{ "name": "all", "tasks": tasks }] }] });
    // Beside the project, which stays as it is.
    let pipeline = project.with_file_name("pipeline.json");
    fs::write(&pipeline, file.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
    time(command.current_dir(project).args(["run", "--all", "--quiet", "--config"]).arg(pipeline), 0)
}

fn snapshots(project: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(project.join("backups")).unwrap().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    all.sort();
    all
}

fn backup(project: &Path) -> f64 {
    orchestrate(project, &json!([{ "id": "backup", "uses": "backup" }]))
}

/// Verifies the newest snapshot; how long restoring took.
fn verify(project: &Path) -> f64 {
    let newest = snapshots(project).pop().unwrap();
    let name = format!("backups/{}", newest.file_name().unwrap().to_string_lossy());
    orchestrate(project, &json!([{ "id": "verify", "uses": "verify-backup", "with": { "snapshot": name } }]));
    let text = fs::read(newest.join("verification.json")).unwrap();
    let said: Value = serde_json::from_slice(&text).unwrap();
    said["restore_ms"].as_f64().unwrap() / 1e3
}

/// One round of ours: a project without snapshots, then one of which the snapshot is verified.
fn ours(project: &Path) -> Times {
    for folder in ["backups", ".orchestrate"] {
        let _ = fs::remove_dir_all(project.join(folder));
    }
    let first = backup(project);
    let restore = verify(project);
    // Snapshots are named by the second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let unchanged = backup(project);
    let all = snapshots(project);
    assert_eq!(all.len(), 2, "two snapshots: {all:?}");
    Times { first, unchanged: Some(unchanged), restore }
}

fn row(name: &str, all: &[Times], ours: &Times) {
    let median_of = |of: &dyn Fn(&Times) -> Option<f64>| {
        let values: Vec<f64> = all.iter().filter_map(of).collect();
        (!values.is_empty()).then(|| median(values))
    };
    let cell = |seconds: Option<f64>, ours: f64| match seconds {
        Some(seconds) => format!("{seconds:6.2} s ({:5.2})", seconds / ours),
        None => format!("{:>16}", "-"),
    };
    println!(
        "{name:<22} {}  {}  {}",
        cell(median_of(&|times| Some(times.first)), ours.first),
        cell(median_of(&|times| times.unchanged), ours.unchanged.unwrap_or(f64::NAN)),
        cell(median_of(&|times| Some(times.restore)), ours.restore)
    );
}

fn main() {
    let rounds = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(5);
    let folder = tempfile::tempdir().unwrap();
    let (project, other) = (folder.path().join("project"), folder.path().join("tree"));
    let bytes = tree::make(&project);
    tree::make(&other);
    let peers = peers();
    let mut times: Vec<Vec<Times>> = vec![Vec::new(); peers.len() + 1];
    for _ in 0..rounds {
        times[0].push(ours(&project));
        for (at, peer) in peers.iter().enumerate() {
            times[at + 1].extend(peer.round(&other, &folder.path().join("store")));
        }
    }
    let of = |of: &dyn Fn(&Times) -> f64| median(times[0].iter().map(of).collect());
    let mine = Times {
        first: of(&|times| times.first),
        unchanged: Some(of(&|times| times.unchanged.unwrap_or(f64::NAN))),
        restore: of(&|times| times.restore),
    };
    println!("{} files, {:.0} MB, medians of {rounds} rounds (times ours)", tree::FILES, bytes as f64 / 1e6);
    println!("{:<22} {:>16}  {:>16}  {:>16}", "", "first", "unchanged", "restore");
    row("orchestrate", &times[0], &mine);
    for (peer, times) in peers.iter().zip(&times[1..]) {
        if times.is_empty() {
            println!("{:<22} not run: it is not installed", peer.name);
        } else {
            row(peer.name, times, &mine);
        }
    }
    bars(&peers, &times, &mine);
}

/// What is promised, and what came out.
fn bars(peers: &[Peer], times: &[Vec<Times>], mine: &Times) {
    let of = |name: &str, of: &dyn Fn(&Times) -> Option<f64>| -> Option<f64> {
        let at = peers.iter().position(|peer| peer.name == name)?;
        let values: Vec<f64> = times[at + 1].iter().filter_map(of).collect();
        (!values.is_empty()).then(|| median(values))
    };
    let said = |what: &str, ratio: Option<f64>, bar: &str| match ratio {
        Some(ratio) => println!("{what}: {ratio:.2} (bar: {bar})"),
        None => println!("{what}: not run"),
    };
    let unchanged = mine.unchanged.unwrap_or(f64::NAN);
    let tar = of(peers::TAR, &|times| Some(times.first));
    said("first, ours to tar | zstd", tar.map(|tar| mine.first / tar), "at most 1.3");
    let restic = of("restic", &|times| times.unchanged);
    said("unchanged, restic to ours", restic.map(|restic| restic / unchanged), "at least 5");
    let restic = of("restic", &|times| Some(times.restore));
    said("restore, ours to restic", restic.map(|restic| mine.restore / restic), "at most 1");
}
