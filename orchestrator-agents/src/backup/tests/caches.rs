use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::backup::ops::{CachesInput, ClearPaths, ClearedPaths, FindCaches, FoundCaches, Paths};

async fn clear(rig: &Rig, paths: &[&str]) -> Result<ClearedPaths, BoxError> {
    rig.call(ClearPaths, Paths { paths: paths.iter().map(|cleared| path(cleared)).collect(), bytes: None })
        .await
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

async fn find(rig: &Rig, paths: &[&str], known: bool) -> Result<FoundCaches, BoxError> {
    let paths = paths.iter().map(|cache| path(cache)).collect();
    rig.call(FindCaches, CachesInput { paths, known }).await
}

#[tokio::test]
async fn known_caches_are_those_of_the_stacks_that_are_there() {
    let rig = Rig::new();
    rig.write(".gitignore", "target/\nnode_modules/\n__pycache__/\n.venv/\n.pytest_cache/\n.turbo\n");
    for manifest in ["Cargo.toml", "web/package.json", "tools/py/pyproject.toml"] {
        rig.write(manifest, "");
    }
    rig.write("web/.next/cache/x", "git keeps it\n");
    rig.commit("chore: stacks");
    let caches = [
        "target/debug/incremental/a",
        "target/debug/app",
        "web/node_modules/.cache/a",
        "web/node_modules/left/pad",
        "tools/py/.pytest_cache/a",
        "tools/py/deep/__pycache__/a.pyc",
        "tools/py/.venv/lib/__pycache__/b.pyc",
        // Of no stack here, or of one that git does not know.
        "web/__pycache__/c.pyc",
        "other/target/debug/incremental/a",
        "web/target/debug/incremental/b",
    ];
    for cache in caches {
        rig.write(cache, "x\n");
    }
    rig.write("other/Cargo.toml", "");
    let found = find(&rig, &["web/node_modules/left", "target/never"], true).await.unwrap();
    let names: Vec<_> = found
        .caches
        .iter()
        .map(|found| (found.path.as_str(), found.of.as_ref().map(RelPath::as_str)))
        .collect();
    assert_eq!(
        names,
        [
            ("target/debug/incremental", Some("Cargo.toml")),
            ("tools/py/.pytest_cache", Some("tools/py/pyproject.toml")),
            ("tools/py/deep/__pycache__", Some("tools/py/pyproject.toml")),
            ("web/node_modules/.cache", Some("web/package.json")),
            ("web/node_modules/left", None),
        ]
    );
    assert!(found.caches.iter().all(|found| found.files == 1 && found.bytes >= 4096), "{found:?}");
    assert_eq!(found.absent, [path("target/never")]);
    assert!(find(&rig, &[], false).await.unwrap().caches.is_empty());
    find(&rig, &["web/.next/cache"], true).await.unwrap_err();
    assert_eq!(find(&Rig::bare(), &[], true).await.unwrap(), FoundCaches::default());
}
