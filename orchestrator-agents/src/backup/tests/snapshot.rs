use std::fs;
use std::os::unix::fs::PermissionsExt;

use orchestrator_core::operation::Already;

use super::*;

fn names(manifest: &Manifest) -> Vec<String> {
    manifest.entries.iter().map(|entry| entry.path.to_string()).collect()
}

#[tokio::test]
async fn everything_comes_back() {
    let rig = Rig::new();
    fill(&rig);
    rig.commit("chore: fill");
    rig.write("untracked.txt", "new\n");
    let made = backup_with(&rig, &[".env", "ignored/cache.bin"]).await.unwrap();
    assert_eq!(made.snapshot.as_str(), "backups/2026-11-20-234433");
    assert!(made.refs && made.unsettled.is_empty() && made.bytes > 0, "{made:?}");
    let folder = fs::metadata(rig.root.join("backups/2026-11-20-234433")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let manifest = manifest(&rig, &made);
    let names = names(&manifest);
    for there in ["untracked.txt", ".env", "ignored/cache.bin", "empty/below", "latin-\\xe9\\xff", "-rf"] {
        assert!(names.iter().any(|name| name == there), "{there} in {names:?}");
    }
    assert!(!names.iter().any(|name| name.starts_with(".git/") || name.starts_with("backups")), "{names:?}");
    assert!(manifest.config.iter().any(|path| path.to_string() == ".env"));
    assert!(manifest.tools.contains_key("git") && manifest.tools.contains_key("tar"));
    let verified = verify(&rig, &made).await.unwrap();
    assert_eq!((verified.files, verified.refs), (made.files, Some(2)));
    assert!(rig.root.join("backups/2026-11-20-234433/verification.json").exists());
    let written = script(&rig, &made).await.unwrap();
    assert_eq!(written.files, made.files);
    assert_eq!(rig.git(&["status", "--porcelain"]), "?? untracked.txt");
    assert_eq!(fs::read_dir(rig.root.join(".orchestrate/scratch")).unwrap().count(), 0);
    verify(&rig, &made).await.unwrap();
}

#[tokio::test]
async fn ignored_files_stay_out_unless_named() {
    let rig = Rig::new();
    fill(&rig);
    let made = backup_with(&rig, &["gone.log"]).await.unwrap();
    let manifest = manifest(&rig, &made);
    assert!(!names(&manifest).iter().any(|name| name.starts_with("ignored") || name == ".env"));
    assert_eq!(made.unsettled.len(), 1);
    verify(&rig, &made).await.unwrap();
    for bad in [".git/config", "backups/x", ".orchestrate"] {
        let error = backup_with(&rig, &[bad]).await;
        // The order is the same, so the snapshot that it made is found first.
        assert_eq!(error.unwrap().snapshot, made.snapshot);
        let input = SnapshotInput {
            to: path("backups"),
            name: "x".into(),
            include: vec![path(bad)],
            databases: vec![],
        };
        let error = rig.call_as(CreateBackup, input, 7).await.unwrap_err().to_string();
        assert!(error.contains("cannot be included"), "{error}");
    }
    let left: Vec<_> = fs::read_dir(rig.root.join("backups")).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "the snapshot and .gitignore: {left:?}");
}

#[tokio::test]
async fn an_order_makes_one_snapshot() {
    let rig = Rig::new();
    let input = SnapshotInput { to: path("backups"), name: "now".into(), include: vec![], databases: vec![] };
    assert_eq!(rig.already(CreateBackup, &input, 0).await, Already::NotDone);
    // What a killed process left is never taken for a snapshot, and goes.
    rig.write("backups/.partial-now/manifest.json", "{");
    let made = rig.call(CreateBackup, input.clone()).await.unwrap();
    assert!(!rig.root.join("backups/.partial-now").exists());
    let Already::Done(found) = rig.already(CreateBackup, &input, 0).await else { panic!("not found") };
    assert_eq!((found.snapshot, found.manifest), (made.snapshot, made.manifest));
    assert_eq!(rig.already(CreateBackup, &input, 1).await, Already::NotDone);
    let other = rig.call_as(CreateBackup, input, 1).await.unwrap();
    assert_eq!(other.snapshot.as_str(), "backups/now-2");
}

#[tokio::test]
async fn without_git_the_files_are_kept() {
    let rig = Rig::bare();
    fill(&rig);
    let made = backup(&rig).await.unwrap();
    assert!(!made.refs && made.head.is_none());
    assert_eq!(verify(&rig, &made).await.unwrap().refs, None);
    script(&rig, &made).await.unwrap();
}

#[tokio::test]
async fn without_commits_there_is_no_bundle() {
    let rig = Rig::bare();
    rig.git(&["init", "-q"]);
    rig.write("a", "a\n");
    let made = backup(&rig).await.unwrap();
    assert!(!made.refs);
    assert_eq!(manifest(&rig, &made).git.unwrap().branch.as_deref(), Some("main"));
    verify(&rig, &made).await.unwrap();
    script(&rig, &made).await.unwrap();
}

#[tokio::test]
async fn a_detached_head_comes_back() {
    let rig = Rig::new();
    rig.git(&["switch", "-q", "--detach"]);
    rig.write("b", "b\n");
    let head = rig.commit("feat: on no branch");
    rig.git(&["tag", "-a", "v1.0.0", "-m", "one"]);
    rig.remote();
    rig.git(&["fetch", "-q"]);
    rig.git(&["remote", "set-head", "origin", "main"]);
    let made = backup(&rig).await.unwrap();
    assert_eq!(made.head.as_deref(), Some(&*head));
    verify(&rig, &made).await.unwrap();
    script(&rig, &made).await.unwrap();
}

#[tokio::test]
async fn files_that_change_meanwhile_are_named() {
    use std::io::Write;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let rig = Rig::new();
    rig.write("large.log", &"line\n".repeat(2_000_000));
    rig.write("small.log", "line\n");
    let done = Arc::new(AtomicBool::new(false));
    let (stopped, root) = (Arc::clone(&done), rig.root.clone());
    let writer = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            for name in ["large.log", "small.log"] {
                let mut file = fs::OpenOptions::new().append(true).open(root.join(name)).unwrap();
                file.write_all(b"more\n").unwrap();
            }
        }
    });
    let made = backup(&rig).await.unwrap();
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    let named: Vec<String> =
        made.unsettled.iter().map(|found| format!("{} {}", found.path, found.why)).collect();
    assert!(named.contains(&"large.log changed while being read".to_owned()), "{named:?}");
    verify(&rig, &made).await.unwrap();
}

#[tokio::test]
async fn a_folder_that_git_keeps_is_not_taken_for_backups() {
    let rig = Rig::new();
    rig.write("backups/precious.txt", "x\n");
    rig.commit("chore: files of ours");
    let error = backup(&rig).await.unwrap_err().to_string();
    assert!(error.contains("a folder of their own"), "{error}");
    assert_eq!(rig.git(&["status", "--porcelain", "--ignored"]), "!! .orchestrate/");
}

#[tokio::test]
async fn a_stopped_backup_leaves_nothing() {
    use orchestrator_core::id::TaskId;
    use orchestrator_core::progress::{ProgressKind, ProgressSink};
    let mut rig = Rig::new();
    rig.write("second.txt", "x\n");
    let stop = rig.stop.clone();
    let raise = move |progress: orchestrator_core::progress::Progress| {
        if matches!(progress.kind, ProgressKind::Step { message, .. } if message == "storing files") {
            stop.raise(orchestrator_core::stop::StopLevel::Graceful);
        }
    };
    rig.progress = ProgressSink::new(TaskId::new("task").unwrap(), std::sync::Arc::new(raise));
    let error = backup(&rig).await.unwrap_err().to_string();
    assert!(error.contains("stopped"), "{error}");
    let left: Vec<_> = fs::read_dir(rig.root.join("backups")).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "only .gitignore: {left:?}");
}
