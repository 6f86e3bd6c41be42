use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::*;
use crate::patterns::Patterns;

fn inventory(root: &Path) -> Inventory {
    Inventory::open(root, vec!["state".into()], Tables::default()).unwrap()
}

fn files(inventory: &mut Inventory, texts: &[&str]) -> Vec<String> {
    let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
    let expanded = inventory.expand(&Patterns::parse(&texts).unwrap(), false).unwrap();
    expanded.files.into_iter().collect()
}

fn put(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

#[test]
fn patterns_find_what_they_should() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for path in [
        "a.rs",
        "src/b.rs",
        "src/deep/er/c.rs",
        "src/x.txt",
        ".git/d.rs",
        "state/e.rs",
        "out/f.rs",
        ".hidden/g.rs",
    ] {
        put(root, path, "");
    }
    put(root, ".gitignore", "out/\n");
    let mut inventory = inventory(root);
    let table: [(&[&str], &[&str]); 8] = [
        (&["**/*.rs"], &[".hidden/g.rs", "a.rs", "src/b.rs", "src/deep/er/c.rs"]),
        (&["*.rs"], &["a.rs"]),
        (&["src/*/*.rs", "src/*.rs"], &["src/b.rs"]),
        (&["src/*/*/*.rs"], &["src/deep/er/c.rs"]),
        (&["src", "!src/deep"], &["src/b.rs", "src/x.txt"]),
        (&["out/*.rs"], &["out/f.rs"]),
        (&["none", "none/*"], &["none"]),
        (&["src/{b,x}.{rs,txt}"], &["src/b.rs", "src/x.txt"]),
    ];
    for (texts, expected) in table {
        assert_eq!(files(&mut inventory, texts), expected, "{texts:?}");
        assert_eq!(files(&mut inventory, texts), expected, "{texts:?}, from what is known");
    }
}

#[test]
fn what_changed_while_it_was_read_is_read_again() {
    use std::os::unix::fs::FileExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("busy");
    std::fs::write(&path, vec![0; 8 << 20]).unwrap();
    let mut inventory = inventory(dir.path());
    for round in 1..=5_u8 {
        let (begun, done) = (AtomicBool::new(false), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                while !done.load(Ordering::Relaxed) {
                    for at in 0..8 {
                        file.write_all_at(&[round], at << 20).unwrap();
                        file.write_all_at(&[round ^ 0xff], at << 20).unwrap();
                    }
                    begun.store(true, Ordering::Relaxed);
                }
            });
            while !begun.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            let during = inventory.digest("busy");
            assert!(during.is_some());
            done.store(true, Ordering::Relaxed);
        });
        let content = std::fs::read(&path).unwrap();
        assert_eq!(inventory.digest("busy"), Some(Digest::of(&content)), "{round}");
    }
}

#[test]
fn what_changed_a_moment_ago_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut inventory = inventory(dir.path());
    // The same size, and for all that the clock of the file system tells, the same time.
    for n in 0..200_u32 {
        put(dir.path(), "a", &format!("{n:04}"));
        assert_eq!(inventory.digest("a"), Some(Digest::of(format!("{n:04}").as_bytes())), "{n}");
    }
    std::fs::remove_file(dir.path().join("a")).unwrap();
    assert_eq!(inventory.digest("a"), None);
}

#[test]
fn what_is_kept_is_found_again_and_the_rest_is_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "src/a", "1");
    put(dir.path(), "src/b", "2");
    std::thread::sleep(Duration::from_millis(30));
    let memo = dir.path().join("memo");
    let texts = ["src/*".to_owned()];
    let (spec, key) = (Digest::of(b"spec"), Digest::of(b"key"));
    let mut first = inventory(dir.path());
    let looked = first.expand(&Patterns::parse(&texts).unwrap(), false).unwrap().looked;
    for name in ["kept", "old"] {
        first.remember(name, spec, key, &looked);
        first.remember_result(name, key, "{}".into(), &["src/a".into()]);
    }
    let now = 100 * 24 * 3600;
    first.used("kept", now);
    std::fs::write(&memo, first.take_changes(now).unwrap()).unwrap();
    assert!(first.take_changes(now).is_none(), "nothing changed since");
    let mut second = Inventory::open(dir.path(), Vec::new(), Tables::load(&memo).unwrap().unwrap()).unwrap();
    assert!(!second.is_known("old"), "it was not used for long");
    second.refresh_tasks(["kept"]);
    assert_eq!(second.remembered("kept", spec).unwrap().result, Some("{}"));
    assert!(second.remembered("kept", key).is_none(), "another spec");
    put(dir.path(), "src/c", "");
    second.refresh_tasks(["kept"]);
    assert!(second.remembered("kept", spec).is_none(), "a new file in the folder");
    std::fs::remove_file(dir.path().join("src/c")).unwrap();
    second.refresh_tasks(["kept"]);
    assert!(second.remembered("kept", spec).is_some());
    put(dir.path(), "src/b", "3");
    second.refresh_tasks(["kept"]);
    assert!(second.remembered("kept", spec).is_none());
}
