//! Archives and manifests of somebody who wants to write elsewhere, or too much.

use std::path::Path;

use tar::{Builder, EntryType, Header};

use super::*;
use crate::backup::manifest::{Entry, Name, Segment, What};
use crate::backup::ops::restore;

/// What somebody changes in a manifest.
type Lie = fn(&mut Manifest);

/// An entry of an archive, its name as it is.
fn put(tar: &mut Vec<u8>, kind: EntryType, name: &str, target: &str, content: &[u8]) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    let mut builder = Builder::new(&mut *tar);
    builder.append(&header, content).unwrap();
    drop(builder);
    // Without the end that a builder adds.
    tar.truncate(tar.len() - 1024);
}

fn file(path: &str, content: &[u8]) -> Entry {
    let what = What::File { bytes: content.len() as u64, blake3: Digest::of(content), extents: None };
    Entry { path: Name(path.into()), mode: 0o644, what, stamp: None }
}

fn link(path: &str, target: &str) -> Entry {
    let what = What::Link { target: Name(target.into()) };
    Entry { path: Name(path.into()), mode: 0o777, what, stamp: None }
}

/// A snapshot that holds this archive and says that it holds these entries.
async fn snapshot(rig: &Rig, tar: &[u8], entries: Vec<Entry>) -> Snapshot {
    let made = backup_again(rig, 0).await.unwrap();
    let mut manifest = manifest(rig, &made);
    let packed = zstd::bulk::compress(tar, 1).unwrap();
    fs::write(made.snapshot.under(&rig.root).join("tree.tar.zst"), &packed).unwrap();
    (manifest.archive.bytes, manifest.archive.blake3) = (packed.len() as u64, Digest::of(&packed));
    manifest.segments = vec![Segment { packed: packed.len() as u64, bytes: tar.len() as u64 }];
    (manifest.entries, manifest.bundle) = (entries, None);
    forge(rig, &made, &manifest)
}

/// Restores it, which must be refused with these words, and must have written nothing outside.
async fn refused(tar: &[u8], entries: Vec<Entry>, words: &str) {
    let rig = Rig::bare();
    fs::write(rig.home.join("precious"), "precious\n").unwrap();
    let made = snapshot(&rig, tar, entries).await;
    let error = verify(&rig, &made).await.unwrap_err().to_string();
    assert!(error.contains(words), "`{error}` does not say `{words}`");
    let into = rig.home.join("into");
    restore::tree(&here(&rig), &made.snapshot.under(&rig.root), &manifest(&rig, &made), &into).unwrap_err();
    let mut names: Vec<_> =
        fs::read_dir(&rig.home).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names.retain(|name| name != "into");
    assert_eq!(names, ["gitconfig", "precious", "project"], "nothing was made outside");
    assert_eq!(fs::read_to_string(rig.home.join("precious")).unwrap(), "precious\n");
}

#[tokio::test]
async fn paths_that_lead_out_are_refused() {
    for path in ["../escaped", "/tmp/escaped-absolutely", "a/../../escaped", "./escaped", "a//b", "", "."] {
        let mut tar = Vec::new();
        put(&mut tar, EntryType::Regular, path, "", b"x");
        refused(&tar, vec![file("fine", b"x")], "is not in the manifest").await;
        refused(&tar, vec![file(path, b"x")], "is not a path below the root").await;
    }
    assert!(!Path::new("/tmp/escaped-absolutely").exists());
}

#[tokio::test]
async fn links_are_not_followed() {
    let mut tar = Vec::new();
    put(&mut tar, EntryType::Symlink, "way", "..", b"");
    put(&mut tar, EntryType::Regular, "way/precious", "", b"x");
    refused(
        &tar,
        vec![link("way", ".."), file("way/precious", b"x")],
        "is below something that is no folder",
    )
    .await;
    refused(&tar, vec![link("way", "..")], "is not in the manifest").await;
    // The same name as a link and as a file.
    let mut twice = Vec::new();
    put(&mut twice, EntryType::Symlink, "way", "../precious", b"");
    put(&mut twice, EntryType::Regular, "way", "", b"x");
    refused(&twice, vec![link("way", "../precious")], "is not what the manifest says").await;
    refused(&twice, vec![link("way", "../precious"), file("way", b"x")], "is listed twice").await;
    let mut hard = Vec::new();
    put(&mut hard, EntryType::Link, "way", "../precious", b"");
    refused(&hard, vec![file("way", b"")], "of a kind that backups do not hold").await;
    let mut elsewhere = Vec::new();
    put(&mut elsewhere, EntryType::Symlink, "way", "../precious", b"");
    refused(&elsewhere, vec![link("way", "here")], "is not what the manifest says").await;
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let zeros = vec![0; 40 << 20];
    let mut tar = Vec::new();
    put(&mut tar, EntryType::Regular, "bomb", "", &zeros);
    refused(&tar, vec![file("bomb", b"small")], "do not fit its archive").await;
    // Two times the same, and a file that is missing.
    let mut twice = Vec::new();
    put(&mut twice, EntryType::Regular, "a", "", b"x");
    put(&mut twice, EntryType::Regular, "a", "", b"x");
    refused(&twice, vec![file("a", b"x")], "`a` could not be restored").await;
    let mut one = Vec::new();
    put(&mut one, EntryType::Regular, "a", "", b"x");
    refused(&one, vec![file("a", b"x"), file("b", b"")], "1 of 2 entries").await;
    // Something after the end.
    let mut after = one.clone();
    after.resize(after.len() + 1024, 0);
    put(&mut after, EntryType::Regular, "b", "", &vec![1; 20_000]);
    refused(&after, vec![file("a", b"x"), file("b", &vec![1; 20_000])], "something follows its end").await;
    // A name without end, and a device.
    let mut long = Vec::new();
    put(&mut long, EntryType::GNULongName, "x", "", &vec![b'n'; 100_000]);
    refused(&long, vec![file("a", &vec![0; 200_000])], "a name of 100000 bytes").await;
    let mut device = Vec::new();
    put(&mut device, EntryType::Char, "a", "", b"");
    refused(&device, vec![file("a", b"")], "of a kind that backups do not hold").await;
}

#[tokio::test]
async fn a_bomb_is_stopped_at_the_size_that_the_manifest_says() {
    let rig = Rig::bare();
    let mut tar = Vec::new();
    put(&mut tar, EntryType::Regular, "a", "", b"x");
    let length = tar.len() as u64;
    tar.resize(tar.len() + (64 << 20), 0);
    let made = snapshot(&rig, &tar, vec![file("a", b"x")]).await;
    let mut forged = manifest(&rig, &made);
    forged.segments[0].bytes = length;
    let made = forge(&rig, &made, &forged);
    let error = verify(&rig, &made).await.unwrap_err().to_string();
    assert!(error.contains("more comes out of it than the manifest says"), "{error}");
    // The same without segments, as manifests of the first format are.
    forged.segments.clear();
    let made = forge(&rig, &made, &forged);
    let error = verify(&rig, &made).await.unwrap_err().to_string();
    assert!(error.contains("something follows its end"), "{error}");
}

#[tokio::test]
async fn manifests_that_lie_are_refused() {
    let rig = Rig::new();
    let made = backup(&rig).await.unwrap();
    let sound = manifest(&rig, &made);
    let lies: [(&str, Lie); 6] = [
        ("is not a name of a file in the snapshot", |lie| lie.archive.file = "../../gitconfig".to_owned()),
        ("is not a name of a file in the snapshot", |lie| {
            lie.bundle.as_mut().unwrap().file = "/etc/passwd".into();
        }),
        ("is newer than 2", |lie| lie.version = 3),
        ("unknown compressor `sh -c`", |lie| lie.compressor = "sh -c".to_owned()),
        ("do not fit its archive", |lie| lie.segments[0].packed = u64::MAX),
        ("extents that do not fit", |lie| {
            let What::File { extents, .. } = &mut lie.entries[0].what else { panic!("a file") };
            *extents = Some(vec![(u64::MAX, 2)]);
        }),
    ];
    for (words, lie) in lies {
        let mut forged = sound.clone();
        lie(&mut forged);
        let made = forge(&rig, &made, &forged);
        let error = verify(&rig, &made).await.unwrap_err().to_string();
        assert!(error.contains(words), "`{error}` does not say `{words}`");
    }
}
