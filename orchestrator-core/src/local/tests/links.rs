//! Symbolic links never lead a file action out of the checkout.

use std::os::unix::fs::symlink;

use super::*;

struct Linked {
    bench: Bench,
    outside: tempfile::TempDir,
}

impl Linked {
    fn new() -> Self {
        let (bench, outside) = (Bench::new(), tempfile::tempdir().unwrap());
        std::fs::write(outside.path().join("secret"), "theirs").unwrap();
        symlink(outside.path().join("secret"), bench.root().join("file")).unwrap();
        symlink(outside.path(), bench.root().join("folder")).unwrap();
        symlink(outside.path().join("missing"), bench.root().join("dangling")).unwrap();
        Self { bench, outside }
    }

    fn is_untouched(&self) -> bool {
        let names: Vec<_> = std::fs::read_dir(self.outside.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names == ["secret"] && std::fs::read(self.outside.path().join("secret")).unwrap() == b"theirs"
    }
}

#[tokio::test]
async fn no_write_and_no_removal_goes_through_a_link() {
    let linked = Linked::new();
    let before = linked.bench.tree();
    let names = [
        ("file", "it is a symbolic link"),
        ("dangling", "it is a symbolic link"),
        ("folder", "it is a symbolic link"),
        ("folder/secret", "lies behind a link that leads out of the checkout"),
        ("folder/new", "lies behind a link that leads out of the checkout"),
        ("folder/deep/new", "lies behind a link that leads out of the checkout"),
        ("dangling/new", ""),
    ];
    for (name, reason) in names {
        let said = why(linked.bench.status(write(name, "x")).await);
        assert!(said.contains(name) && said.contains(reason), "{said}");
        if !reason.is_empty() {
            let said = why(linked.bench.status(remove(name)).await);
            assert!(said.contains(name) && said.contains(reason), "{said}");
        }
    }
    assert!(linked.is_untouched());
    assert_eq!(linked.bench.tree(), before);
}

#[tokio::test]
async fn a_link_that_stays_inside_is_a_way_like_any_other() {
    let bench = Bench::new();
    bench.put("real/f", "1");
    symlink("real", bench.root().join("alias")).unwrap();
    assert_eq!(bench.status(write("alias/f", "2")).await, Status::Done);
    assert_eq!(bench.read("real/f"), "2");
}

#[tokio::test]
async fn nothing_outside_is_collected() {
    let linked = Linked::new();
    linked.bench.put("own.txt", "mine");
    let mut run = look("true");
    let outside = linked.outside.path().display();
    run.collect = ["file", "folder/secret", "folder/*", "f*", "../*", "own.*", "dangling", "missing"]
        .map(str::to_owned)
        .to_vec();
    run.collect.extend([format!("{outside}/*"), format!("{outside}/secret")]);
    let receipt = linked.bench.perform(vec![run.into()]).await.remove(0);
    let names: Vec<_> = receipt.artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
    assert_eq!(names, ["own.txt"]);
}
