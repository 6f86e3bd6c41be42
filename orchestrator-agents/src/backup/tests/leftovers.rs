//! What dead runs left goes; what a run may still need stays.

use std::fs::File;
use std::process::Command;
use std::time::{Duration, SystemTime};

use orchestrator_core::id::RunId;
use orchestrator_core::store::{JsonlStore, Store};

use super::*;
use crate::backup::ops::{FindLeftovers, Found, Kind, LeftoversInput, RemoveLeftovers, Swept, ToRemove};

async fn find(rig: &Rig, pid_files: &[&str]) -> Found {
    let pid_files = pid_files.iter().map(|file| path(file)).collect();
    rig.call(FindLeftovers, LeftoversInput { backups: path("backups"), pid_files }).await.unwrap()
}

async fn remove(rig: &Rig, found: &Found) -> Swept {
    let input = ToRemove { backups: path("backups"), stale: found.stale.clone() };
    rig.call(RemoveLeftovers, input).await.unwrap()
}

fn names(found: &[crate::backup::ops::Leftover]) -> Vec<(Kind, &str)> {
    found.iter().map(|left| (left.kind, left.name.as_str())).collect()
}

#[tokio::test]
async fn temporary_folders_go_with_their_runs() {
    let rig = Rig::new();
    let store = JsonlStore::open(rig.root.join(".orchestrate")).unwrap();
    store.create(&RunId::new("20261101000000-00000002").unwrap(), b"{}").await.unwrap();
    let scratch = |name: &str| rig.write(&format!(".orchestrate/scratch/{name}/x"), "x\n");
    scratch("20261101000000-00000001-task-1.0.0-restore");
    scratch("20261101000000-00000002-task-1.0.0-restore");
    scratch("20261120234433-00ff00ff-task-1.0.0-restore");
    scratch("notes");
    rig.write("backups/.partial-2026-11-01-000001/x", "x\n");
    rig.write("backups/.partial-2026-11-01-000000/x", "x\n");
    rig.write("backups/.partial-2026-11-20-234433/x", "x\n");
    rig.write("backups/.gone-2026-10-01-000001/x", "x\n");
    let found = find(&rig, &[]).await;
    assert_eq!(
        names(&found.stale),
        [
            (Kind::Scratch, "20261101000000-00000001-task-1.0.0-restore"),
            (Kind::Backup, ".gone-2026-10-01-000001"),
            (Kind::Backup, ".partial-2026-11-01-000001"),
        ]
    );
    let why: Vec<_> = found.stays.iter().map(|left| left.why.as_str()).collect();
    assert_eq!(
        why,
        [
            "run 20261101000000-00000002 can be resumed",
            "it is of this run",
            "it is of no run",
            "run 20261101000000-00000002 goes on or can be resumed",
            "it is of this run",
        ]
    );
    // Nothing is taken at its word: what was not found stale stays, whoever asks.
    let mut asked = found.clone();
    asked.stale.extend(found.stays.clone());
    let swept = remove(&rig, &asked).await;
    assert_eq!((swept.gone.len(), swept.freed >= 3 * 4096), (3, true), "{swept:?}");
    let left = fs::read_dir(rig.root.join(".orchestrate/scratch")).unwrap().count();
    assert_eq!((left, fs::read_dir(rig.root.join("backups")).unwrap().count()), (3, 2));
    assert_eq!(find(&rig, &[]).await.stale, []);
    assert_eq!(remove(&rig, &found).await, Swept::default(), "done again, nothing is left to do");
}

#[tokio::test]
async fn pid_files_go_when_their_process_is_gone_or_another() {
    let rig = Rig::new();
    rig.write("run/kept.pid", "1\n");
    rig.commit("chore: odd");
    let mut child = Command::new("true").spawn().unwrap();
    let gone = child.id();
    child.wait().unwrap();
    let mut zombie = Command::new("true").spawn().unwrap();
    rig.write("run/gone.pid", &format!("{gone}\n"));
    rig.write("run/here.pid", &std::process::id().to_string());
    rig.write("run/reused.pid", &std::process::id().to_string());
    rig.write("run/ended.pid", &zombie.id().to_string());
    rig.write("run/words.pid", "seven\n");
    fs::write(rig.root.join("run/bytes.pid"), b"\xff\xfe").unwrap();
    fs::create_dir(rig.root.join("run/folder.pid")).unwrap();
    let outside = rig.home.join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("far.pid"), format!("{gone}\n")).unwrap();
    symlink(&outside, rig.root.join("way")).unwrap();
    rig.write("run/kept.pid", &format!("{gone}\n"));
    let long_ago = SystemTime::now() - Duration::from_hours(24 * 365 * 10);
    File::options()
        .write(true)
        .open(rig.root.join("run/reused.pid"))
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    // A process that has ended, and of whose end its parent took no note.
    let stat = format!("/proc/{}/stat", zombie.id());
    while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
        std::thread::sleep(Duration::from_millis(2));
    }
    let all = ["gone", "here", "reused", "ended", "words", "bytes", "folder", "kept", "never"];
    let all: Vec<String> =
        all.iter().map(|name| format!("run/{name}.pid")).chain(["way/far.pid".to_owned()]).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let found = find(&rig, &all).await;
    let stale: Vec<_> = found.stale.iter().map(|left| left.name.as_str()).collect();
    assert_eq!(stale, ["run/gone.pid", "run/reused.pid", "run/ended.pid"], "{found:?}");
    assert!(found.stale[1].why.contains("another program"), "{found:?}");
    let swept = remove(&rig, &found).await;
    assert_eq!(swept.gone.len(), 3);
    for (name, there) in [("gone", false), ("reused", false), ("here", true), ("kept", true), ("words", true)]
    {
        assert_eq!(rig.root.join(format!("run/{name}.pid")).exists(), there, "{name}");
    }
    assert!(outside.join("far.pid").exists());
    zombie.wait().unwrap();
}

#[tokio::test]
async fn worktrees_of_ours_that_are_gone_are_forgotten() {
    let rig = Rig::new();
    rig.look();
    find(&rig, &[]).await;
    let ours = rig.root.join(".orchestrate/scratch/20261101000000-00000001-merge");
    let (theirs, there) = (rig.home.join("theirs"), rig.home.join("there"));
    for folder in [&ours, &theirs, &there] {
        rig.git(&["worktree", "add", "-q", "--detach", folder.to_str().unwrap()]);
    }
    fs::remove_dir_all(&theirs).unwrap();
    let found = find(&rig, &[]).await;
    assert_eq!(found.stale.len(), 1, "its folder is there and goes first: {found:?}");
    remove(&rig, &found).await;
    let list = rig.git(&["worktree", "list", "--porcelain"]);
    assert!(
        !list.contains("00000001-merge") && list.contains("/theirs") && list.contains("/there"),
        "{list}"
    );
    rig.git(&["worktree", "add", "-q", "--detach", ours.to_str().unwrap()]);
    fs::remove_dir_all(&ours).unwrap();
    let found = find(&rig, &[]).await;
    assert_eq!(found.stale.iter().map(|left| left.kind).collect::<Vec<_>>(), [Kind::Worktree]);
    assert_eq!(remove(&rig, &found).await.gone.len(), 1);
    assert_eq!(find(&rig, &[]).await, Found::default());
}
