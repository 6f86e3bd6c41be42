//! Writes and removals.

use super::*;
use crate::path::Digest;

#[tokio::test]
async fn a_write_makes_parents_and_says_when_it_was_so_already() {
    let bench = Bench::new();
    assert_eq!(bench.status(write("a/b/c.txt", "1")).await, Status::Done);
    assert_eq!((bench.read("a/b/c.txt").as_str(), bench.mode("a/b/c.txt")), ("1", 0o644));
    let before = bench.tree();
    assert_eq!(bench.status(write("a/b/c.txt", "1")).await, Status::AlreadySo);
    assert_eq!(bench.tree(), before, "not even its time changed");
    assert_eq!(bench.status(write("a/b/c.txt", [0, 255])).await, Status::Done);
    assert_eq!(std::fs::read(bench.root().join("a/b/c.txt")).unwrap(), [0, 255]);
}

#[tokio::test]
async fn modes_are_kept_unless_the_write_names_one() {
    let bench = Bench::new();
    bench.put("tool", "old");
    bench.chmod("tool", 0o750);
    assert_eq!(bench.status(write("tool", "new")).await, Status::Done);
    assert_eq!((bench.read("tool").as_str(), bench.mode("tool")), ("new", 0o750));
    let named = Write { mode: Some(0o755), ..write("tool", "new") };
    assert_eq!(bench.status(named.clone()).await, Status::Done, "only the mode changes");
    assert_eq!(bench.mode("tool"), 0o755);
    assert_eq!(bench.status(named).await, Status::AlreadySo);
}

#[tokio::test]
async fn what_is_expected_must_be_there() {
    let bench = Bench::new();
    bench.put("f", "mine");
    let expecting = |expects| Write { expects, ..write("f", "new") };
    let other = Expects::Digest(Digest::of(b"other"));
    for expects in [Expects::Absent, other] {
        let said = why(bench.status(expecting(expects)).await);
        let mine = Digest::of(b"mine").short();
        assert_eq!(
            said,
            format!(
                "`f` changed meanwhile: {expects} was expected, and there is content {mine}; nothing was touched"
            )
        );
        assert!(!receipts_are_ok(&bench, Remove { expects, ..remove("f") }).await);
        assert_eq!(bench.read("f"), "mine");
    }
    let absent = Write { expects: other, ..write("g", "new") };
    assert!(why(bench.status(absent).await).ends_with("and there is no file; nothing was touched"));
    let mine = Expects::Digest(Digest::of(b"mine"));
    assert_eq!(bench.status(expecting(mine)).await, Status::Done);
    // A file that has the new content already is fine, whatever was expected.
    assert_eq!(bench.status(expecting(mine)).await, Status::AlreadySo);
    assert_eq!(bench.status(expecting(Expects::Absent)).await, Status::AlreadySo);
}

async fn receipts_are_ok(bench: &Bench, action: impl Into<Action>) -> bool {
    bench.perform(vec![action.into()]).await.iter().all(Receipt::ok)
}

#[tokio::test]
async fn a_removal_of_nothing_is_fine() {
    let bench = Bench::new();
    bench.put("f", "x");
    assert_eq!(bench.status(remove("f")).await, Status::Done);
    assert!(!bench.root().join("f").exists());
    assert_eq!(bench.status(remove("f")).await, Status::AlreadySo);
    assert_eq!(bench.status(remove("no/such/folder")).await, Status::AlreadySo);
}

#[tokio::test]
async fn a_folder_is_neither_replaced_nor_removed() {
    let bench = Bench::new();
    bench.put("folder/inside", "x");
    let before = bench.tree();
    assert_eq!(
        why(bench.status(write("folder", "x")).await),
        "`folder` could not be replaced: it is a folder"
    );
    assert_eq!(why(bench.status(remove("folder")).await), "`folder` could not be removed: it is a folder");
    let below = why(bench.status(write("folder/inside/deeper", "x")).await);
    assert!(below.starts_with("`folder/inside/deeper` could not be written: "), "{below}");
    assert_eq!(bench.tree(), before);
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_a_failure_of_the_task() {
    let bench = Bench::new();
    bench.put("locked/f", "x");
    bench.chmod("locked", 0o555);
    let allowed = std::fs::write(bench.root().join("locked/probe"), "").is_ok();
    let record = bench.run(vec![acts("t", vec![write("locked/g", "x").into()])], Effect::Writes).await;
    bench.chmod("locked", 0o755);
    if allowed {
        return; // Nothing is read-only to root.
    }
    assert_eq!(outcomes(&record), "t: failed");
    let said = why(receipts(&record, "t").remove(0).status);
    assert_eq!(said, "`locked/g` could not be written: Permission denied (os error 13)");
    assert_eq!(bench.files().len(), 1, "no temporary file is left");
}

#[tokio::test]
async fn nothing_is_left_beside_what_was_written() {
    let bench = Bench::new();
    let long = "x".repeat(255);
    assert_eq!(bench.status(write(&long, "1")).await, Status::Done);
    let too_long = "x".repeat(256);
    assert!(!receipts_are_ok(&bench, write(&too_long, "1")).await);
    assert_eq!(bench.files().into_keys().collect::<Vec<_>>(), [long]);
}

/// Bytes that are too many for a journal are kept by digest, and written from there.
#[tokio::test]
async fn big_contents_are_kept_by_digest() {
    let bench = Bench::new();
    let big: Vec<u8> = (0..100_000_u32).map(|at| (at % 251) as u8).collect();
    bench.put("old", "y".repeat(5000));
    let record = bench
        .run(
            vec![acts("t", vec![write("big", big.clone()).into(), write("old", "n").into()])],
            Effect::Writes,
        )
        .await;
    assert_eq!(outcomes(&record), "t: passed");
    assert_eq!(std::fs::read(bench.root().join("big")).unwrap(), big);
    let layout = bench.store().layout().clone();
    assert!(std::fs::metadata(layout.journal(&record.run)).unwrap().len() < 8000);
    for digest in [Digest::of(&big), Digest::of("y".repeat(5000).as_bytes())] {
        let kept = std::fs::read(layout.artifacts(&record.run).join(digest.to_string())).unwrap();
        assert_eq!(Digest::of(&kept), digest);
    }
    let Action::Write(planned) = &task(&record, "t").rounds[0].actions[0] else { panic!("it was a write") };
    assert_eq!(planned.content, Content::Blob { digest: Digest::of(&big), bytes: big.len() as u64 });
}

/// Nothing an agent hands over may end more than its own task.
#[tokio::test]
async fn a_content_that_is_none_fails_its_task() {
    let bench = Bench::new();
    let odd = Write { content: Content::Hex("zz".into()), ..write("f", "") };
    let stdin = Run { stdin: Some(Content::Hex("0".into())), ..shell("cat > g") };
    let blob = Content::Blob { digest: Digest::of(b"never kept"), bytes: 10 };
    let lost = Write { content: blob, ..write("h", "") };
    let tasks = vec![
        acts("odd", vec![odd.into()]),
        acts("stdin", vec![stdin.into()]),
        acts("lost", vec![lost.into()]),
        acts("fine", vec![write("fine", "x").into()]),
    ];
    let record = bench.run(tasks, Effect::Writes).await;
    assert_eq!(outcomes(&record), "odd: failed, stdin: failed, lost: failed, fine: passed");
    assert_eq!(bench.files().into_keys().collect::<Vec<_>>(), ["fine"]);
}
