use std::fs;
use std::os::unix::fs::PermissionsExt;

use orchestrator_core::operation::Already;

use super::*;
use crate::backup::ops::{LookAtRepository, LookInput};

#[tokio::test]
async fn everything_comes_back() {
    let rig = rig();
    fill(&rig);
    rig.commit("chore: fill");
    rig.write("untracked.txt", "new\n");
    let made = init(&rig, beside()).await.unwrap();
    let looked = rig.call(LookAtRepository, LookInput { repository: beside() }).await.unwrap();
    assert_eq!((looked.id, looked.snapshots), (Some(made.id), 0));
    let input = input(beside(), &[".env", "ignored/cache.bin"]);
    let made = rig.call(StoreBackup, input).await.unwrap();
    assert!(made.refs && made.unsettled.is_empty() && made.added.unwrap() > 0, "{made:?}");
    assert_eq!(made.head.as_deref(), Some(&*rig.git(&["rev-parse", "HEAD"])));
    let verified = verify(&rig, &made).await.unwrap();
    assert_eq!((verified.files, verified.refs), (made.files, Some(2)));
    assert_eq!(rig.git(&["status", "--porcelain"]), "?? untracked.txt");
    assert_eq!(fs::read_dir(rig.root.join(".orchestrate/scratch")).unwrap().count(), 0);
    assert_eq!(fs::metadata(folder(&rig)).unwrap().permissions().mode() & 0o777, 0o700);
    for path in files(&folder(&rig)) {
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(9).any(|part| part == b"fn main()"), "{path:?} is not encrypted");
    }
}

#[tokio::test]
async fn what_has_not_changed_is_neither_read_nor_stored_again() {
    let rig = rig();
    rig.write("large.bin", &"0123456789abcdef".repeat(200_000));
    rig.write("changes.txt", "one\n");
    rig.commit("feat: two files");
    init(&rig, beside()).await.unwrap();
    let first = store(&rig, 1).await.unwrap();
    // Content that is not what its stamps promise shows that it was not read: only then it passes unseen.
    let large = rig.root.join("large.bin");
    let before = fs::metadata(&large).unwrap();
    rig.write("changes.txt", "two\n");
    let second = store(&rig, 2).await.unwrap();
    assert_ne!(first.manifest, second.manifest);
    assert!(second.added.unwrap() < 100_000, "{second:?}");
    verify(&rig, &second).await.unwrap();
    // Same size and time, other content: the time of change in the inode tells.
    fs::write(&large, "fedcba9876543210".repeat(200_000)).unwrap();
    fs::File::options().write(true).open(&large).unwrap().set_modified(before.modified().unwrap()).unwrap();
    let third = store(&rig, 3).await.unwrap();
    verify(&rig, &third).await.unwrap();
    verify(&rig, &first).await.unwrap();
    assert_eq!(snapshots(&rig), 3);
}

#[tokio::test]
async fn an_order_stores_one_snapshot() {
    let rig = rig();
    assert_eq!(rig.already(StoreBackup, &input(beside(), &[]), 0).await, Already::Unknown, "no repository");
    init(&rig, beside()).await.unwrap();
    assert_eq!(rig.already(StoreBackup, &input(beside(), &[]), 0).await, Already::NotDone);
    let made = store(&rig, 0).await.unwrap();
    let again = store(&rig, 0).await.unwrap();
    assert_eq!((&again.snapshot, again.manifest, again.added), (&made.snapshot, made.manifest, None));
    let found = rig.already(StoreBackup, &input(beside(), &[]), 0).await;
    let Already::Done(found) = found else { panic!("not found: {found:?}") };
    assert_eq!((&found.snapshot, found.files), (&made.snapshot, made.files));
    assert_eq!(rig.already(StoreBackup, &input(beside(), &[]), 1).await, Already::NotDone);
    store(&rig, 1).await.unwrap();
    assert_eq!(snapshots(&rig), 2);
}

#[tokio::test]
async fn a_repository_in_the_checkout_is_no_part_of_a_backup() {
    for git in [true, false] {
        let mut rig = if git { Rig::new() } else { Rig::bare() };
        rig.secrets.insert("BACKUP_PASSWORD".into(), PASSWORD.into());
        rig.write("a.txt", "a\n");
        rig.write("backups/2026/old", "a snapshot\n");
        rig.write("backups/.gitignore", "*\n");
        let place = place("deep/er/repository");
        init(&rig, place.clone()).await.unwrap();
        let made = rig.call(StoreBackup, input(place.clone(), &[])).await.unwrap();
        // Beside `a.txt` there is `readme.md` where there is git.
        assert_eq!(made.files, if git { 2 } else { 1 }, "{made:?}");
        assert_eq!(made.refs, git);
        let again = rig.call_as(StoreBackup, input(place, &[]), 1).await.unwrap();
        assert_eq!(again.files, made.files);
        if git {
            assert_eq!(rig.git(&["status", "--porcelain"]), "?? a.txt");
        }
    }
}

#[tokio::test]
async fn files_that_change_meanwhile_are_named() {
    use std::io::Write;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    let rig = rig();
    init(&rig, beside()).await.unwrap();
    rig.write("large.log", &"line\n".repeat(3_000_000));
    let done = Arc::new(AtomicBool::new(false));
    let (stopped, root) = (Arc::clone(&done), rig.root.clone());
    let writer = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            let mut file = fs::OpenOptions::new().append(true).open(root.join("large.log")).unwrap();
            file.write_all(b"more\n").unwrap();
        }
    });
    let made = store(&rig, 0).await;
    done.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    let made = made.unwrap();
    let named: Vec<String> =
        made.unsettled.iter().map(|found| format!("{} {}", found.path, found.why)).collect();
    assert_eq!(named, ["large.log changed while being read"]);
    verify(&rig, &made).await.unwrap();
}

#[tokio::test]
async fn pruning_keeps_what_was_verified_and_what_is_not_ours() {
    let rig = rig();
    init(&rig, beside()).await.unwrap();
    let mut made = Vec::new();
    for n in 0..4 {
        rig.write("a.txt", &format!("{n}\n"));
        made.push(store(&rig, n).await.unwrap());
    }
    // Another checkout's, in the same repository.
    let mut other = Rig::new();
    other.secrets.insert("BACKUP_PASSWORD".into(), PASSWORD.into());
    let shared = place(folder(&rig).to_str().unwrap());
    let theirs = other.call_as(StoreBackup, input(shared, &[]), 9).await.unwrap();
    let keep = Keep { last: std::num::NonZeroU32::new(1), ..Keep::default() };
    let error = prune(&rig, keep, &theirs.snapshot).await.unwrap_err().to_string();
    assert!(error.contains("nothing was removed"), "{error}");
    assert_eq!(snapshots(&rig), 5);
    let pruned = prune(&rig, keep, &made[1].snapshot).await.unwrap();
    assert_eq!((pruned.forgotten.len(), pruned.kept), (2, 2));
    assert!(!pruned.forgotten.contains(&made[1].snapshot) && !pruned.forgotten.contains(&made[3].snapshot));
    for kept in [&made[1], &made[3], &theirs] {
        verify(&rig, kept).await.unwrap();
    }
    assert!(pruned.removed > 0, "{pruned:?}");
    let again = prune(&rig, keep, &made[1].snapshot).await.unwrap();
    assert!(again.forgotten.is_empty() && again.kept == 2);
    assert!(files(&folder(&rig).join("locks")).is_empty());
}
