use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::backup::ops::{ClearPaths, ClearedPaths, Paths};

async fn clear(rig: &Rig, paths: &[&str]) -> Result<ClearedPaths, BoxError> {
    rig.call(ClearPaths, Paths { paths: paths.iter().map(|cleared| path(cleared)).collect() }).await
}

#[tokio::test]
async fn only_ignored_paths_inside_go() {
    let rig = Rig::new();
    fill(&rig);
    rig.commit("chore: fill");
    rig.write("kept.log/x", "x\n");
    rig.git(&["add", "-f", "kept.log/x"]);
    let outside = rig.home.join("outside");
    fs::create_dir_all(outside.join("ignored")).unwrap();
    symlink(&outside, rig.root.join("way.log")).unwrap();
    symlink(&outside, rig.root.join("ignored/way")).unwrap();
    fs::write(outside.join("precious"), "x").unwrap();
    backup(&rig).await.unwrap();
    for bad in [".", ".git", ".git/objects", ".orchestrate", "src", "kept.log", "way.log/ignored", "backups"]
    {
        let error = clear(&rig, &["ignored", bad]).await.unwrap_err().to_string();
        assert!(error.contains("nothing was removed"), "{bad}: {error}");
        assert!(rig.root.join("ignored/cache.bin").exists());
    }
    let cleared = clear(&rig, &["ignored", "never-there.log", "way.log"]).await.unwrap();
    assert!(cleared.freed >= 4096, "{cleared:?}");
    assert_eq!(cleared.paths[0].files, 2);
    assert!(!cleared.paths[1].was_there && !rig.root.join("ignored").exists());
    assert!(outside.join("precious").exists() && !rig.root.join("way.log").is_symlink());
}

#[tokio::test]
async fn without_git_nothing_is_a_cache() {
    let rig = Rig::bare();
    rig.write("target/x", "x");
    clear(&rig, &["target"]).await.unwrap_err();
    assert!(rig.root.join("target/x").exists());
}
