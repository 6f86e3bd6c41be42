//! What has not changed since a verified snapshot is linked.

use std::os::unix::fs::MetadataExt;

use super::*;

fn inode(rig: &Rig, made: &Snapshot, file: &str) -> u64 {
    fs::metadata(made.snapshot.under(&rig.root).join(file)).unwrap().ino()
}

fn shares(rig: &Rig, one: &Snapshot, other: &Snapshot, file: &str) -> bool {
    inode(rig, one, file) == inode(rig, other, file)
}

const TREE: &str = "tree.tar.zst";
const REFS: &str = "refs.bundle";

async fn verified(rig: &Rig) -> Snapshot {
    let made = backup(rig).await.unwrap();
    verify(rig, &made).await.unwrap();
    made
}

#[tokio::test]
async fn an_unchanged_tree_is_linked_and_each_snapshot_is_whole() {
    let rig = Rig::new();
    fill(&rig);
    let first = verified(&rig).await;
    let second = backup_again(&rig, 1).await.unwrap();
    assert!(shares(&rig, &first, &second, TREE) && shares(&rig, &first, &second, REFS));
    verify(&rig, &second).await.unwrap();
    script(&rig, &second).await.unwrap();
    assert_eq!((second.files, second.tree_bytes, second.bytes), (first.files, first.tree_bytes, first.bytes));
    // Without the first, the second is what it was, and the third is linked to it.
    fs::remove_dir_all(first.snapshot.under(&rig.root)).unwrap();
    verify(&rig, &second).await.unwrap();
    let third = backup_again(&rig, 2).await.unwrap();
    assert!(shares(&rig, &second, &third, TREE));
    let settled = |made: &Snapshot| {
        manifest(&rig, made).entries.iter().all(|entry| entry.stamp.is_some_and(|stamp| stamp.settled))
    };
    assert!(settled(&third), "what was new at the first look is not any more");
}

#[tokio::test]
async fn what_changed_is_stored_and_the_rest_linked() {
    let rig = Rig::new();
    fill(&rig);
    rig.commit("chore: fill");
    let first = verified(&rig).await;
    rig.write("crlf.txt", "c\r\nd\r\n");
    let edited = backup_again(&rig, 1).await.unwrap();
    assert!(!shares(&rig, &first, &edited, TREE) && shares(&rig, &first, &edited, REFS));
    verify(&rig, &edited).await.unwrap();
    rig.git(&["tag", "v1"]);
    let tagged = backup_again(&rig, 2).await.unwrap();
    assert!(shares(&rig, &edited, &tagged, TREE) && !shares(&rig, &edited, &tagged, REFS));
    verify(&rig, &tagged).await.unwrap();
    for (index, change) in (3..).zip(["mode", "gone", "new", "link", "folder"]) {
        let root = &rig.root;
        match change {
            "mode" => fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o700)).unwrap(),
            "gone" => fs::remove_file(root.join("-rf")).unwrap(),
            "new" => rig.write("new", ""),
            "link" => {
                fs::remove_file(root.join("link")).unwrap();
                symlink("src/main.sr", root.join("link")).unwrap();
            }
            _ => fs::create_dir(root.join("empty/another")).unwrap(),
        }
        let changed = backup_again(&rig, index).await.unwrap();
        assert!(!shares(&rig, &tagged, &changed, TREE), "{change}");
        verify(&rig, &changed).await.unwrap();
    }
}

#[tokio::test]
async fn only_what_was_proved_is_believed() {
    let rig = Rig::new();
    rig.write("a.txt", "some text\n");
    let unproved = backup(&rig).await.unwrap();
    let first = backup_again(&rig, 1).await.unwrap();
    assert!(!shares(&rig, &unproved, &first, TREE), "it was never restored");
    verify(&rig, &first).await.unwrap();
    let archive = first.snapshot.under(&rig.root).join(TREE);
    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, &bytes).unwrap();
    let second = backup_again(&rig, 2).await.unwrap();
    assert!(!shares(&rig, &first, &second, TREE), "it was damaged since");
    verify(&rig, &second).await.unwrap();
    verify(&rig, &first).await.unwrap_err();
    assert!(!first.snapshot.under(&rig.root).join("verification.json").exists(), "it is verified no more");
}

#[tokio::test]
async fn a_change_without_a_trace_is_read() {
    let rig = Rig::new();
    rig.write("a.txt", "one\n");
    let first = verified(&rig).await;
    rig.write("a.txt", "two\n");
    // As if the clock of the file system had not ticked between the look and the change.
    let after = backup_again(&rig, 1).await.unwrap();
    let mut forged = manifest(&rig, &first);
    for (entry, now) in forged.entries.iter_mut().zip(manifest(&rig, &after).entries) {
        entry.stamp = now.stamp;
        entry.stamp.as_mut().unwrap().settled = entry.path.to_string() != "a.txt";
    }
    fs::remove_dir_all(after.snapshot.under(&rig.root)).unwrap();
    let first = forge(&rig, &first, &forged);
    verify(&rig, &first).await.unwrap();
    let second = backup_again(&rig, 2).await.unwrap();
    assert!(!shares(&rig, &first, &second, TREE));
    assert_eq!(verify(&rig, &second).await.unwrap().files, 2);
    let entries = |made: &Snapshot| manifest(&rig, made).entries;
    assert_ne!(entries(&first)[0].what, entries(&second)[0].what);
}

#[tokio::test]
async fn without_zstd_it_is_gzip_and_earlier_manifests_still_count() {
    let mut rig = Rig::new();
    fill(&rig);
    let zstd = verified(&rig).await;
    only(&mut rig, &WITHOUT_ZSTD);
    let gzip = backup_again(&rig, 1).await.unwrap();
    let of_gzip = manifest(&rig, &gzip);
    assert_eq!((&*of_gzip.compressor, &*of_gzip.archive.file), ("gzip", "tree.tar.gz"));
    verify(&rig, &gzip).await.unwrap();
    script(&rig, &gzip).await.unwrap();
    assert!(shares(&rig, &zstd, &gzip, REFS));
    let error = script(&rig, &zstd).await.unwrap_err().to_string();
    assert!(error.contains("needs `zstd`"), "{error}");
    // A manifest of the first format: no segments, no stamps.
    let mut old = of_gzip;
    (old.version, old.segments) = (1, vec![]);
    old.entries.iter_mut().for_each(|entry| entry.stamp = None);
    let gzip = forge(&rig, &gzip, &old);
    verify(&rig, &gzip).await.unwrap();
    let later = backup_again(&rig, 2).await.unwrap();
    assert!(shares(&rig, &gzip, &later, "tree.tar.gz"), "written again, and the same");
    verify(&rig, &later).await.unwrap();
}
