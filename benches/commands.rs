//! Commands: the whole command line beside GNU make, ninja and the bare spawn loop, in turn, in one run.
//!
//! `cargo bench -p orchestrator-cli --bench commands [PAIRS]`. Prints medians of the wall time and the ratio pair by pair.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

const TASKS: usize = 1000;
const WIDE: usize = 8;
const CHAIN: usize = 200;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn quiet(program: impl AsRef<std::ffi::OsStr>, folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn time(command: &mut Command) -> f64 {
    let start = Instant::now();
    let status = command.status().expect("it was there a moment ago");
    assert!(status.success(), "{command:?}: {status}");
    start.elapsed().as_secs_f64()
}

/// Spawns `true` on as many threads as may run at once, and waits for each.
fn floor(tasks: usize, wide: usize) -> f64 {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..wide {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < tasks {
                    assert!(
                        quiet("/bin/true", Path::new("/"), &[]).status().is_ok_and(|status| status.success())
                    );
                }
            });
        }
    });
    start.elapsed().as_secs_f64()
}

/// The same tasks as pipeline, Makefile and ninja file.
fn write(folder: &Path, tasks: usize, chain: bool) {
    let (mut pipeline, mut make, mut ninja) = (Vec::new(), String::new(), String::new());
    ninja.push_str("rule t\n  command = true\n");
    for at in 0..tasks {
        let before = (chain && at > 0).then(|| format!("t{}", at - 1));
        pipeline.push(match &before {
            Some(before) => serde_json::json!({ "id": format!("t{at}"), "run": ["true"], "needs": [before] }),
            None => serde_json::json!({ "id": format!("t{at}"), "run": ["true"] }),
        });
        let before = before.unwrap_or_default();
        let _ = write!(make, "t{at}: {before}\n\t@true\n");
        let _ = writeln!(ninja, "build t{at}: t {before}");
    }
    let names: Vec<String> = (0..tasks).map(|at| format!("t{at}")).collect();
    let make = format!(".PHONY: all {0}\nall: {0}\n{make}", names.join(" "));
    let group = serde_json::json!({ "name": "all", "tasks": pipeline });
    let file = serde_json::json!({ "version": 1, "phases": [{ "name": "bench", "groups": [group] }] });
    std::fs::write(folder.join("orchestration.json"), file.to_string()).unwrap();
    std::fs::write(folder.join("Makefile"), make).unwrap();
    std::fs::write(folder.join("build.ninja"), ninja).unwrap();
}

fn there(program: &str) -> bool {
    quiet(program, Path::new("/"), &["--version"]).status().is_ok()
}

fn compare(title: &str, tasks: usize, wide: usize, chain: bool, pairs: usize) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), tasks, chain);
    let jobs = wide.to_string();
    let ours = env!("CARGO_BIN_EXE_orchestrate");
    let peers: Vec<(&str, Vec<&str>)> =
        [("make", vec!["-r", "-j", &jobs, "all"]), ("ninja", vec!["-j", &jobs])]
            .into_iter()
            .filter(|(peer, _)| there(peer))
            .collect();
    let mut floors = Vec::new();
    let mut times = Vec::new();
    let mut others: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    for pair in 0..=pairs {
        let bare = floor(tasks, if chain { 1 } else { wide });
        let own = time(&mut quiet(ours, folder.path(), &["run", "--quiet", "--jobs", &jobs]));
        let peer_times: Vec<f64> =
            peers.iter().map(|(peer, args)| time(&mut quiet(peer, folder.path(), args))).collect();
        let _ = std::fs::remove_dir_all(folder.path().join(".orchestrate"));
        // The first is for the caches.
        if pair > 0 {
            floors.push(bare);
            times.push(own);
            others.iter_mut().zip(peer_times).for_each(|(all, one)| all.push(one));
        }
    }
    let ratio = |to: &[f64]| median(times.iter().zip(to).map(|(own, other)| own / other).collect());
    println!("{title}, {pairs} rounds: orchestrate {:.0} ms", median(times.clone()) * 1e3);
    println!("  bare spawn loop {:.0} ms, ratio {:.2}", median(floors.clone()) * 1e3, ratio(&floors));
    for ((peer, _), all) in peers.iter().zip(&others) {
        println!("  {peer} {:.0} ms, ratio {:.2}", median(all.clone()) * 1e3, ratio(all));
    }
    for peer in ["make", "ninja"].into_iter().filter(|peer| !there(peer)) {
        println!("  {peer}: not run (not installed)");
    }
}

fn version(pairs: usize) {
    let ours = env!("CARGO_BIN_EXE_orchestrate");
    let all = (0..=pairs).map(|_| time(&mut quiet(ours, Path::new("/"), &["--version"]))).collect();
    let bare = (0..=pairs).map(|_| time(&mut quiet("/bin/true", Path::new("/"), &[]))).collect();
    println!("--version: {:.2} ms of wall time; `true` {:.2} ms", median(all) * 1e3, median(bare) * 1e3);
}

fn main() {
    let pairs = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(15);
    compare("1,000 `true`, 8 at once", TASKS, WIDE, false, pairs);
    compare("a chain of 200 `true`", CHAIN, WIDE, true, pairs);
    version(pairs);
}
