//! Damage, hostile trees and things that change at the wrong moment.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use super::*;

fn tasks() -> Vec<TaskSpec> {
    vec![shell("a", "cat in > out", &["in"], &["out"])]
}

/// The files of a folder of the cache, two levels below.
fn files_of(root: &Path, folder: &str) -> Vec<std::path::PathBuf> {
    let top = std::fs::read_dir(root.join(".orchestrate/cache").join(folder)).unwrap().flatten();
    top.filter_map(|entry| std::fs::read_dir(entry.path()).ok())
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect()
}

fn set_aside(root: &Path) -> usize {
    std::fs::read_dir(root.join(".orchestrate/set-aside")).map_or(0, Iterator::count)
}

fn overwrite(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_memo_is_set_aside() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    run(root, tasks()).await;
    let memo = root.join(".orchestrate/cache/look");
    let good = std::fs::read(&memo).unwrap();
    for (n, bytes) in [b"".as_slice(), b"garbage", &good[..good.len() - 1], &[good.clone(), vec![0]].concat()]
        .iter()
        .enumerate()
    {
        std::fs::write(&memo, bytes).unwrap();
        assert_eq!(outcomes(&run(root, tasks()).await), ["cached"], "{n}: the results themselves are there");
        assert!(set_aside(root) > 0, "{n}");
        std::fs::remove_dir_all(root.join(".orchestrate/set-aside")).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_results_and_bytes_are_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    run(root, tasks()).await;
    // A result that says something else than was recorded.
    let entry = files_of(root, "entries").remove(0);
    let text = std::fs::read_to_string(&entry).unwrap().replace("\"task\":\"a\"", "\"task\":\"b\"");
    overwrite(&entry, text.as_bytes());
    std::fs::remove_file(root.join(".orchestrate/cache/look")).unwrap();
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed"]);
    assert_eq!(set_aside(root), 1);
    // Bytes of the same length that are not what was made.
    for blob in files_of(root, "blobs") {
        overwrite(&blob, b"2");
    }
    std::fs::remove_file(root.join("out")).unwrap();
    let record = run(root, tasks()).await;
    assert_eq!((outcomes(&record), read(root, "out")), (vec!["passed"], "1".to_owned()), "it was made anew");
    assert_eq!(record.state.tasks()[0].rounds.len(), 2, "after restoring had failed");
    // Bytes that are gone.
    std::fs::remove_dir_all(root.join(".orchestrate/cache/blobs")).unwrap();
    std::fs::remove_file(root.join("out")).unwrap();
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed"]);
    assert_eq!(read(root, "out"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_cannot_be_written_does_no_harm() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    put(root, ".orchestrate/cache", "a file where a folder belongs");
    for _ in 0..2 {
        assert_eq!(outcomes(&run(root, tasks()).await), ["passed"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_trees_are_looked_at_without_harm() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "src/real.txt", "1");
    put(root, "elsewhere/target.txt", "1");
    symlink("loop-b", root.join("src/loop-a")).unwrap();
    symlink("loop-a", root.join("src/loop-b")).unwrap();
    symlink("..", root.join("src/up")).unwrap();
    symlink("../elsewhere/target.txt", root.join("src/link.txt")).unwrap();
    symlink("nowhere", root.join("src/dangling")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(root.join("src/pipe")).status().unwrap();
    assert!(fifo.success());
    let tasks =
        || vec![shell("a", "cat src/real.txt src/link.txt", &["src", "not-there.txt", "none/*.x"], &[])];
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed"]);
    assert_eq!(outcomes(&run(root, tasks()).await), ["cached"]);
    put(root, "elsewhere/target.txt", "2");
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed"], "what a link leads to counts");
    put(root, "not-there.txt", "");
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed"], "what was declared and was not there counts");
    put(root, "none/a.x", "");
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed"], "what a glob did not find counts");
    assert_eq!(outcomes(&run(root, tasks()).await), ["cached"]);
    std::fs::write(root.join("src").join(std::ffi::OsStr::from_bytes(b"\xff.txt")), "x").unwrap();
    for _ in 0..2 {
        assert_eq!(outcomes(&run(root, tasks()).await), ["passed"], "a name that cannot be recorded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_git_ignores_counts_only_where_it_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, ".gitignore", "*.log\n/gen/\n");
    put(root, "src/a.txt", "1");
    let tasks = || {
        vec![
            shell("all", "cat src/*", &["**"], &[]),
            shell("made", "cat gen/x", &["gen/**"], &[]),
            shell("named", "cat src/one.log", &["src/one.log"], &[]),
        ]
    };
    put(root, "gen/x", "1");
    put(root, "src/one.log", "1");
    run(root, tasks()).await;
    assert_eq!(outcomes(&run(root, tasks()).await), ["cached"; 3]);
    put(root, "src/two.log", "1");
    put(root, "src/one.log", "2");
    put(root, "gen/x", "2");
    assert_eq!(outcomes(&run(root, tasks()).await), ["cached", "passed", "passed"]);
    put(root, ".gitignore", "/gen/\n");
    let record = run(root, tasks()).await;
    assert_eq!(outcomes(&record), ["passed", "cached", "cached"], "other rules, other files");
    put(root, "src/deep/.gitignore", "*\n");
    put(root, "src/deep/x.txt", "1");
    assert_eq!(outcomes(&run(root, tasks()).await), ["cached"; 3], "a folder that ignores all of itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_goes_back_makes_nothing_young() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    put(root, "in", "1");
    let old = || {
        let mut tasks = tasks();
        tasks[0].reuse.ttl = Some(std::time::Duration::from_hours(1));
        tasks
    };
    run(root, old()).await;
    assert_eq!(outcomes(&run(root, old()).await), ["cached"]);
    // A result of the future: as after the clock was set back.
    let entry = files_of(root, "entries").remove(0);
    let text = std::fs::read_to_string(&entry).unwrap();
    let body = text.split_once('\n').unwrap().1.replace("\"at\":\"20", "\"at\":\"21");
    overwrite(&entry, format!("{}\n{body}", crate::path::Digest::of(body.as_bytes())).as_bytes());
    std::fs::remove_file(root.join(".orchestrate/cache/look")).unwrap();
    assert_eq!(outcomes(&run(root, old()).await), ["passed"]);
}

/// Unmounts a folder.
struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_the_run_without_reuse_and_no_worse() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let cache = root.join(".orchestrate/cache");
    std::fs::create_dir_all(&cache).unwrap();
    let mount = ["-t", "tmpfs", "-o", "size=32k", "tmpfs"];
    let mounted = std::process::Command::new("mount").args(mount).arg(&cache).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!(
            "NOT RUN: a small disk cannot be mounted here; the test with a file for a folder stands in"
        );
        return;
    }
    let _mounted = Mounted(cache.clone());
    put(root, "in", &"x".repeat(100_000));
    for _ in 0..2 {
        assert_eq!(outcomes(&run(root, tasks()).await), ["passed"]);
        assert_eq!(read(root, "out").len(), 100_000);
    }
    let left = |folder: &str| {
        std::fs::read_dir(cache.join(folder)).map_or(0, |entries| {
            entries.flatten().filter(|entry| entry.file_name().to_string_lossy().ends_with(".new")).count()
        })
    };
    assert_eq!((left("blobs"), left("entries"), left(".")), (0, 0, 0), "nothing half written is left");
    put(root, "in", "small");
    assert_eq!(outcomes(&run(root, tasks()).await), ["passed"]);
    assert_eq!(outcomes(&run(root, tasks()).await), ["cached"], "what fits is stored");
}
