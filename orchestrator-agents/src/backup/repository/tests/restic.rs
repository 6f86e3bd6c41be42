//! restic itself restores what we back up, and we use what it set up.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Output, Stdio};

use orchestrator_core::path::Digest;

use super::*;

/// Runs restic with the password by its environment.
pub(super) fn restic(rig: &Rig, args: &[&str]) -> Output {
    let mut command = Command::new("restic");
    command.args(["--no-cache", "-r", folder(rig).to_str().unwrap()]).args(args);
    command.env_clear().envs(rig.env.iter().map(|(name, value)| (name, value)));
    command.env("RESTIC_PASSWORD", PASSWORD).stdin(Stdio::null()).current_dir(&rig.home).output().unwrap()
}

fn said(rig: &Rig, args: &[&str]) -> String {
    let output = restic(rig, args);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "restic {args:?}: {out}{err}");
    assert!(!err.contains("error") && !out.contains("error:"), "restic {args:?}: {out}{err}");
    out.into_owned()
}

pub(super) fn check(rig: &Rig) -> String {
    let said = said(rig, &["check", "--read-data"]);
    assert!(said.contains("no errors were found"), "{said}");
    said
}

/// Path, kind, mode, content of all in a folder that is no `.git` and not ignored.
fn tree(folder: &Path) -> BTreeSet<(PathBuf, u32, Digest)> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap().flatten() {
            let path = entry.path();
            let name = path.strip_prefix(folder).unwrap().to_path_buf();
            if [".git", ".orchestrate", "ignored", ".env"].iter().any(|out| name == Path::new(out)) {
                continue;
            }
            let meta = path.symlink_metadata().unwrap();
            let content = if meta.is_symlink() {
                use std::os::unix::ffi::OsStrExt;
                fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
            } else if meta.is_file() {
                fs::read(&path).unwrap()
            } else {
                folders.push(path);
                Vec::new()
            };
            let digest = Digest::of(&content);
            found.insert((name, if meta.is_symlink() { 0 } else { meta.mode() }, digest));
        }
    }
    found
}

/// Without what old versions of restic (0.14) lose in their own backups, too: targets of links that are not UTF-8.
fn as_restic_can(rig: &Rig) {
    use std::os::unix::ffi::OsStrExt;
    fs::remove_file(rig.root.join(std::ffi::OsStr::from_bytes(b"link-\xff"))).unwrap();
}

/// The same in both, to the byte.
fn assert_same(restored: &Path, was: &Path) {
    let (restored, was) = (tree(restored), tree(was));
    let differences: Vec<_> = restored.symmetric_difference(&was).collect();
    assert!(differences.is_empty() && was.len() > 10, "{differences:?}");
}

#[tokio::test]
#[ignore = "needs restic; tests/run has it"]
async fn needs_restic_to_restore_what_we_back_up() {
    let rig = rig();
    fill(&rig);
    rig.commit("chore: fill");
    rig.write("untracked.txt", "new\n");
    as_restic_can(&rig);
    init(&rig, beside()).await.unwrap();
    let first = store(&rig, 0).await.unwrap();
    rig.write("src/main.rs", "fn main() { two() }\n");
    let second = store(&rig, 1).await.unwrap();
    check(&rig);
    let restored = rig.home.join("restored");
    said(&rig, &["restore", &second.snapshot, "--target", restored.to_str().unwrap()]);
    assert_same(&restored.join("files"), &rig.root);
    let listed = said(&rig, &["snapshots", "--json", "--tag", "orchestrate"]);
    assert!(listed.contains(&first.snapshot) && listed.contains(&second.snapshot), "{listed}");
    assert!(listed.contains(rig.root.to_str().unwrap()), "{listed}");
    // The refs, by git alone.
    let clone = rig.home.join("clone");
    rig.git_at(
        &rig.home,
        &["clone", "-q", restored.join("refs.bundle").to_str().unwrap(), clone.to_str().unwrap()],
    );
    assert_eq!(rig.git_at(&clone, &["rev-parse", "HEAD"]), rig.git(&["rev-parse", "HEAD"]));
    // What restic removes, we do not miss; what we remove, restic does not miss.
    said(&rig, &["forget", &first.snapshot, "--prune"]);
    verify(&rig, &second).await.unwrap();
    let third = store(&rig, 2).await.unwrap();
    let keep = Keep { last: std::num::NonZeroU32::new(1), ..Keep::default() };
    prune(&rig, keep, &third.snapshot).await.unwrap();
    check(&rig);
    said(&rig, &["prune"]);
    check(&rig);
    verify(&rig, &third).await.unwrap();
    prune(&rig, keep, &third.snapshot).await.unwrap();
    let fourth = store(&rig, 3).await.unwrap();
    verify(&rig, &fourth).await.unwrap();
    check(&rig);
}

#[tokio::test]
#[ignore = "needs restic; tests/run has it"]
async fn needs_restic_to_set_up_what_we_use() {
    for version in ["1", "2"] {
        let rig = rig();
        fill(&rig);
        as_restic_can(&rig);
        said(&rig, &["init", "--repository-version", version]);
        said(&rig, &["backup", rig.root.join("src").to_str().unwrap()]);
        init(&rig, beside()).await.unwrap();
        let made = store(&rig, 0).await.unwrap();
        verify(&rig, &made).await.unwrap();
        check(&rig);
        let restored = rig.home.join("restored");
        said(&rig, &["restore", &made.snapshot, "--target", restored.to_str().unwrap()]);
        assert_same(&restored.join("files"), &rig.root);
        // Theirs is not ours to forget.
        let keep = Keep { last: std::num::NonZeroU32::new(1), ..Keep::default() };
        let pruned = prune(&rig, keep, &made.snapshot).await.unwrap();
        assert!(pruned.forgotten.is_empty());
        assert_eq!(snapshots(&rig), 2);
        check(&rig);
    }
}

#[tokio::test]
#[ignore = "needs restic; tests/run has it"]
async fn needs_restic_to_keep_to_the_same_locks() {
    use std::io::Write;
    let rig = rig();
    init(&rig, beside()).await.unwrap();
    let made = store(&rig, 0).await.unwrap();
    // A backup of restic that goes on for as long as its input.
    let mut command = Command::new("restic");
    command.args(["--no-cache", "-r", folder(&rig).to_str().unwrap(), "backup", "--stdin"]);
    command
        .env_clear()
        .envs(rig.env.iter().map(|(name, value)| (name, value)))
        .env("RESTIC_PASSWORD", PASSWORD);
    let mut running = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    running.stdin.as_mut().unwrap().write_all(b"first\n").unwrap();
    while files(&folder(&rig).join("locks")).is_empty() {
        assert!(running.try_wait().unwrap().is_none(), "restic ended");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let keep = Keep { last: std::num::NonZeroU32::new(1), ..Keep::default() };
    let error = prune(&rig, keep, &made.snapshot).await.unwrap_err();
    assert!(error.is::<orchestrator_core::operation::Transient>(), "{error}");
    assert!(error.to_string().contains(&format!("locked by process {}", running.id())), "{error}");
    // Adding goes together.
    let second = store(&rig, 1).await.unwrap();
    drop(running.stdin.take());
    assert!(running.wait().unwrap().success());
    prune(&rig, keep, &second.snapshot).await.unwrap();
    check(&rig);
    verify(&rig, &second).await.unwrap();
}

#[tokio::test]
#[ignore = "needs restic; tests/run has it"]
async fn needs_restic_to_heed_our_lock() {
    use orchestrator_core::id::TaskId;
    use orchestrator_core::progress::{Progress, ProgressKind, ProgressSink};
    use std::sync::{Arc, Mutex};
    let mut rig = rig();
    init(&rig, beside()).await.unwrap();
    // restic is run while we store, which is when we say so.
    let said = Arc::new(Mutex::new(Vec::new()));
    let (other, into) = (Rig::at(&rig.home), Arc::clone(&said));
    let prune = move |progress: Progress| {
        if matches!(progress.kind, ProgressKind::Step { message, .. } if message == "storing files") {
            let output = restic(&other, &["prune"]);
            into.lock()
                .unwrap()
                .push((output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned()));
        }
    };
    rig.progress = ProgressSink::new(TaskId::new("task").unwrap(), Arc::new(prune));
    let made = store(&rig, 0).await.unwrap();
    let said = said.lock().unwrap().clone();
    let [(false, said)] = &said[..] else { panic!("{said:?}") };
    assert!(said.contains("already locked by PID"), "{said}");
    let output = restic(&rig, &["prune"]);
    assert!(output.status.success(), "{output:?}");
    verify(&rig, &made).await.unwrap();
}

/// Killed in the middle of a backup, again and again; then it goes on as if nothing had been.
#[tokio::test]
#[ignore = "needs restic; tests/run has it"]
async fn needs_restic_to_find_nothing_wrong_after_a_kill() {
    super::faults::killed_in_the_middle(|rig| {
        check(rig);
    })
    .await;
}
