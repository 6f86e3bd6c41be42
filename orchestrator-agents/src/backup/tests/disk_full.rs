//! A disk that fills up at any point: the earlier backup stays good, the tree is untouched, nothing half-made is left.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;

/// A small disk, in memory.
struct Disk(PathBuf);

impl Disk {
    fn mounted(at: &Path) -> Self {
        fs::create_dir(at).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=64m", "none"]).arg(at).status().unwrap();
        assert!(mounted.success(), "a file system in memory could not be mounted");
        Self(at.to_path_buf())
    }

    /// Leaves so many bytes free.
    fn fill(&self, free: u64) {
        let found = rustix::fs::statvfs(&self.0).unwrap();
        let all = found.f_bavail * found.f_frsize;
        fs::write(self.0.join("ballast"), vec![1; all.saturating_sub(free) as usize]).unwrap();
    }

    fn relieve(&self) {
        let _ = fs::remove_file(self.0.join("ballast"));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Every file below a folder with its bytes, apart from some.
fn files(root: &Path, apart_from: &[&str]) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if apart_from.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            match kind {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_file() => drop(all.insert(path.clone(), fs::read(path).unwrap())),
                _ => {}
            }
        }
    }
    all
}

/// A number below `end`, from a seed.
fn random(seed: &mut u64, end: u64) -> u64 {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) % end
}

async fn filled_at_random_points(rounds: u32) {
    let mut rig = Rig::new();
    let disk = Disk::mounted(&rig.home.join("disk"));
    let root = disk.0.join("project");
    fs::rename(&rig.root, &root).unwrap_or_else(|_| {
        let copied =
            rig.command("cp", &["-a", rig.root.to_str().unwrap(), root.to_str().unwrap()], &rig.home);
        assert!(copied.status.success());
    });
    rig.root = root;
    fill(&rig);
    // Text that does not pack away.
    let mut seed = 42;
    let noise: String = (0..2_000_000).map(|_| char::from(b' ' + random(&mut seed, 94) as u8)).collect();
    rig.write("noise.txt", &noise);
    rig.commit("chore: fill");
    let first = backup(&rig).await.unwrap();
    verify(&rig, &first).await.unwrap();
    let (mut failed, mut passed) = (0, 0);
    for round in 1..=rounds {
        // Something is new each time, so that there is something to store; the history stays as long as it is.
        rig.write("noise.txt", &noise[random(&mut seed, 1_000_000) as usize..]);
        rig.git(&["add", "-A"]);
        rig.git(&["commit", "-q", "--amend", "-m", "chore: noise"]);
        rig.git(&["reflog", "expire", "--expire=now", "--all"]);
        rig.git(&["prune", "--expire=now"]);
        let before = files(&rig.root, &["backups", ".orchestrate"]);
        disk.fill(random(&mut seed, 18 << 20));
        let made = backup_again(&rig, round).await;
        let outcome = match &made {
            Ok(made) => verify(&rig, made).await.map(|_| ()).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        assert_eq!(before, files(&rig.root, &["backups", ".orchestrate"]), "the tree, after {outcome:?}");
        let half: Vec<_> = files(&rig.root.join("backups"), &[]).into_keys().collect();
        assert!(!half.iter().any(|path| path.to_string_lossy().contains("partial")), "{outcome:?}: {half:?}");
        let scratch = fs::read_dir(rig.root.join(".orchestrate/scratch")).unwrap().count();
        assert_eq!(scratch, 0, "{outcome:?}");
        disk.relieve();
        match outcome {
            Ok(()) => passed += 1,
            Err(error) => {
                failed += 1;
                // Git has words of its own for it.
                let words =
                    ["No space left on device", "Out of diskspace", "failed to write new configuration file"];
                assert!(words.iter().any(|words| error.contains(words)), "{error}");
            }
        }
        verify(&rig, &first).await.unwrap();
        if let Ok(made) = made {
            verify(&rig, &made).await.unwrap();
            fs::remove_dir_all(made.snapshot.under(&rig.root)).unwrap();
        }
    }
    assert!(failed > 0 && passed > 0, "{failed} failed, {passed} passed: the points were not spread");
}

#[tokio::test]
#[ignore = "needs root, to mount a file system; tests/run has it"]
async fn needs_root_a_disk_that_fills_up_leaves_what_was_good() {
    let long = std::env::var_os("ORCHESTRATE_LONG").is_some();
    filled_at_random_points(if long { 200 } else { 16 }).await;
}
