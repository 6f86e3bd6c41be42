//! Sparse and large files, modes, names: what comes out is what went in.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use super::*;
use crate::backup::manifest::What;
use crate::backup::ops::restore;

/// Bytes that a file takes on the disk.
fn taken(path: &Path) -> u64 {
    fs::symlink_metadata(path).unwrap().blocks() * 512
}

fn restored(rig: &Rig, made: &Snapshot) -> std::path::PathBuf {
    let into = rig.home.join("restored");
    restore::tree(&here(rig), &made.snapshot.under(&rig.root), &manifest(rig, made), &into).unwrap();
    into
}

#[tokio::test]
async fn holes_are_neither_read_nor_stored_nor_filled() {
    const SIZE: u64 = 9 << 30;
    let rig = Rig::bare();
    let file = File::create(rig.root.join("sparse.img")).unwrap();
    file.set_len(SIZE).unwrap();
    for at in [0, 5 << 20, (8 << 30) + 12_288, SIZE - 4096] {
        file.write_all_at(&[7; 4096], at).unwrap();
    }
    // More extents than the header of an entry has room for.
    for at in 0..60 {
        file.write_all_at(b"x", (1 << 30) + at * 1_000_000).unwrap();
    }
    File::create(rig.root.join("nothing.img")).unwrap().set_len(SIZE + 1).unwrap();
    let ends = File::create(rig.root.join("ends in a hole")).unwrap();
    ends.write_all_at(&[3; 10_000], 1 << 20).unwrap();
    ends.set_len(100 << 20).unwrap();
    assert!(
        taken(&rig.root.join("sparse.img")) < 100 << 20,
        "the file system of temporary files has no holes"
    );
    let made = backup(&rig).await.unwrap();
    assert!(made.bytes < 100_000, "{made:?}");
    assert_eq!((made.files, made.tree_bytes), (3, 2 * SIZE + 1 + (100 << 20)));
    verify(&rig, &made).await.unwrap();
    let into = restored(&rig, &made);
    for name in ["sparse.img", "nothing.img", "ends in a hole"] {
        assert!(taken(&into.join(name)) <= taken(&rig.root.join(name)) + (1 << 20), "{name}");
    }
    // And by the command tar.
    script(&rig, &made).await.unwrap();
    let script = made.snapshot.under(&rig.root).join("rollback.sh");
    let target = rig.home.join("by tar");
    let said =
        rig.command("sh", &[script.to_str().unwrap(), "--target", target.to_str().unwrap()], &rig.home);
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(taken(&target.join("sparse.img")) < 10 << 20);
    // A byte in what was a hole is noticed, and one in an extent.
    let changed = File::options().write(true).open(into.join("sparse.img")).unwrap();
    for (at, was) in [(3 << 30, 0), (100, 7)] {
        changed.write_all_at(&[1], at).unwrap();
        let wrong = restore::compare(&here(&rig), &manifest(&rig, &made), &into).unwrap();
        assert_eq!(wrong, ["`sparse.img`: content differs"]);
        changed.write_all_at(&[was], at).unwrap();
    }
    assert!(restore::compare(&here(&rig), &manifest(&rig, &made), &into).unwrap().is_empty());
}

#[tokio::test]
async fn large_files_go_in_pieces() {
    let mut rig = Rig::bare();
    // Around the borders of what is read whole, and of pieces.
    let mut random = 1_u64;
    let mut bytes = |length: usize| -> Vec<u8> {
        let next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) as u8 & 0x3f
        };
        std::iter::repeat_with(next).take(length).collect()
    };
    let whole = 4 << 20;
    for length in [whole - 1, whole, whole + 1, 2 * whole, 2 * whole + 513, 5 * whole + 7] {
        fs::write(rig.root.join(format!("of {length:08}")), bytes(length)).unwrap();
        rig.write(&format!("of {length:08} small"), "small\n");
    }
    for index in 0..2 {
        if index == 1 {
            only(&mut rig, &WITHOUT_ZSTD);
        }
        let made = backup_again(&rig, index).await.unwrap();
        verify(&rig, &made).await.unwrap();
        let into = restored(&rig, &made);
        for entry in manifest(&rig, &made).entries {
            assert!(matches!(entry.what, What::File { extents: None, .. }), "{entry:?}");
            let path = entry.path.as_path();
            assert!(fs::read(rig.root.join(path)).unwrap() == fs::read(into.join(path)).unwrap(), "{path:?}");
        }
        fs::remove_dir_all(into).unwrap();
        script(&rig, &made).await.unwrap();
    }
}

#[tokio::test]
async fn modes_times_and_names_come_back() {
    let rig = Rig::bare();
    fill(&rig);
    let root = &rig.root;
    let chmod =
        |name: &str, mode| fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
    for (name, mode) in [("setuid", 0o4755), ("setgid", 0o2711), ("secret", 0o600), ("for nobody", 0o400)] {
        rig.write(name, name);
        chmod(name, mode);
    }
    fs::create_dir(root.join("sticky")).unwrap();
    chmod("sticky", 0o3770);
    // A file with two names comes back as two files.
    fs::hard_link(root.join("secret"), root.join("another name of it")).unwrap();
    rig.write(&"n".repeat(255), "long name\n");
    rig.write(&format!("{}/{}", "d".repeat(100), "e".repeat(99)), "just too long for a header\n");
    rig.write(&"h".repeat(100), "just short enough\n");
    symlink("t".repeat(3000), root.join("long link")).unwrap();
    symlink("t".repeat(100), root.join("link of 100")).unwrap();
    for name in ["...", " ", "\u{7f}", "*", "$(touch x)", "tab\t", "a\\b", "ünïcode"] {
        rig.write(name, name);
    }
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    for name in ["crlf.txt", "empty"] {
        File::open(root.join(name)).unwrap().set_modified(old).unwrap();
    }
    let made = backup(&rig).await.unwrap();
    verify(&rig, &made).await.unwrap();
    script(&rig, &made).await.unwrap();
    let into = restored(&rig, &made);
    for name in ["crlf.txt", "empty"] {
        assert_eq!(fs::metadata(into.join(name)).unwrap().modified().unwrap(), old, "{name}");
    }
    assert_eq!(fs::metadata(into.join("setuid")).unwrap().mode() & 0o7777, 0o4755);
    assert_eq!(fs::read_link(into.join("long link")).unwrap().as_os_str().len(), 3000);
}

#[tokio::test]
async fn a_folder_that_holds_something_is_not_restored_into() {
    let rig = Rig::new();
    let made = backup(&rig).await.unwrap();
    let manifest = manifest(&rig, &made);
    let error =
        restore::tree(&here(&rig), &made.snapshot.under(&rig.root), &manifest, &rig.root).unwrap_err();
    assert!(error.to_string().contains("is not empty"), "{error}");
}
