use std::fs;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Any byte of any file: at its place in all of them, one after the other.
fn flipped(all: &[PathBuf], at: u64) -> (PathBuf, usize) {
    let sizes = all.iter().map(|path| fs::metadata(path).unwrap().len());
    let mut left = at % sizes.clone().sum::<u64>();
    for (path, size) in all.iter().zip(sizes) {
        if left < size {
            return (path.clone(), usize::try_from(left).unwrap());
        }
        left -= size;
    }
    unreachable!("it is smaller than all of them");
}

#[test]
fn any_flipped_byte_is_found_and_its_file_named() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rig = rig();
    rig.write("a.txt", "some text\n");
    rig.write("b.bin", &"0123456789".repeat(3000));
    rig.commit("feat: files");
    let made = runtime.block_on(async {
        init(&rig, beside()).await.unwrap();
        store(&rig, 0).await.unwrap()
    });
    let repository = folder(&rig);
    let all = files(&repository);
    let found = |path: PathBuf, at: usize, bit: u8| {
        let bytes = fs::read(&path).unwrap();
        let mut changed = bytes.clone();
        changed[at] ^= 1 << bit;
        fs::write(&path, changed).unwrap();
        let error = runtime.block_on(verify(&rig, &made)).unwrap_err().to_string();
        fs::write(&path, bytes).unwrap();
        let name = path.strip_prefix(&repository).unwrap().display().to_string();
        assert!(error.contains(&name), "{name} at {at}: {error}");
        assert!(!error.contains(PASSWORD), "{error}");
    };
    // Each kind of file for certain: `config` is the one without a digest for a name.
    for kind in ["config", "keys", "snapshots", "index", "data"] {
        let path = all.iter().find(|path| path.strip_prefix(&repository).unwrap().starts_with(kind)).unwrap();
        let last = fs::metadata(path).unwrap().len() as usize - 1;
        for at in [0, last / 2, last] {
            found(path.clone(), at, 0);
        }
    }
    let cases = if std::env::var_os("ORCHESTRATE_LONG").is_some() { 500 } else { 24 };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&(any::<u64>(), 0..8u8), |(at, bit)| {
        let (path, at) = flipped(&all, at);
        found(path, at, bit);
        Ok(())
    });
    checked.unwrap();
    runtime.block_on(verify(&rig, &made)).unwrap();
    for path in &all {
        let bytes = fs::read(path).unwrap();
        fs::remove_file(path).unwrap();
        let error = runtime.block_on(verify(&rig, &made)).unwrap_err().to_string();
        // A file that is gone was a key, `config`, or one that others name.
        let says = [
            "there is none",
            "is no repository",
            "No such file",
            "no snapshot",
            "not present",
            "missing",
            "not found",
            "No suitable",
        ];
        assert!(says.iter().any(|says| error.contains(says)), "{path:?}: {error}");
        fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
        runtime.block_on(verify(&rig, &made)).unwrap_err();
        fs::write(path, bytes).unwrap();
    }
    runtime.block_on(verify(&rig, &made)).unwrap();
}

#[tokio::test]
async fn a_damaged_earlier_snapshot_does_not_spoil_the_next() {
    let rig = rig();
    rig.write("a.txt", &"some text\n".repeat(1000));
    init(&rig, beside()).await.unwrap();
    let first = store(&rig, 0).await.unwrap();
    for path in files(&folder(&rig).join("data")) {
        fs::remove_file(path).unwrap();
    }
    verify(&rig, &first).await.unwrap_err();
    // What lies in packs that are gone counts as stored: no backup may claim to be one then.
    match store(&rig, 1).await {
        Err(_) => {}
        Ok(second) => {
            verify(&rig, &second).await.unwrap_err();
        }
    }
}
