use std::os::unix::fs::PermissionsExt;

use orchestrator_core::operation::{Already, Transient};

use super::*;
use crate::rig::order;

#[tokio::test]
async fn a_merge_lands_where_it_is_checked_out() {
    let rig = Rig::new();
    rig.branch("feature/x", "new.txt", "new\n", "feat: new");
    rig.write("readme.md", "one\n");
    rig.write("local.txt", "untracked\n");
    let old = rig.git(&["rev-parse", "main"]);
    let undo = rig.undo(MergeIntoBranch, &merge_input("feature/x")).await;
    let merged = merge(&rig, "feature/x").await.unwrap();
    assert_eq!((merged.previous.as_str(), merged.already_so), (old.as_str(), false));
    assert_eq!(rig.git(&["rev-parse", "main"]), merged.commit);
    assert_eq!(rig.git(&["rev-parse", "main^1"]), old);
    assert_eq!(rig.read("new.txt"), "new\n");
    assert_eq!(rig.git(&["status", "--porcelain"]), "?? local.txt");
    assert_eq!(worktrees(&rig), 1);
    let Already::Done(found) = rig.already(MergeIntoBranch, &merge_input("feature/x"), 0).await else {
        panic!("the merge of this order was not found")
    };
    assert_eq!(found, merged);
    assert_eq!(rig.already(MergeIntoBranch, &merge_input("feature/x"), 1).await, Already::NotDone);
    let again = merge(&rig, "feature/x").await.unwrap();
    assert!(again.already_so && again.commit == merged.commit);
    assert!(rig.undo(MergeIntoBranch, &merge_input("feature/x")).await.is_empty());
    perform(&rig, undo.clone()).await.unwrap();
    assert_eq!(rig.git(&["rev-parse", "main"]), old);
    assert!(!rig.root.join("new.txt").exists());
    perform(&rig, undo).await.unwrap();
}

#[tokio::test]
async fn a_merge_lands_where_it_is_not_checked_out() {
    let rig = Rig::new();
    rig.branch("feature", "new.txt", "new\n", "feat: new");
    rig.git(&["switch", "-q", "--detach"]);
    rig.write("readme.md", "dirty\n");
    let undo = rig.undo(MergeIntoBranch, &merge_input("feature")).await;
    let merged = merge(&rig, "feature").await.unwrap();
    assert_eq!(rig.git(&["rev-parse", "main"]), merged.commit);
    assert_eq!(rig.git(&["status", "--porcelain"]), " M readme.md");
    assert!(!rig.root.join("new.txt").exists());
    perform(&rig, undo).await.unwrap();
    assert_eq!(rig.git(&["rev-parse", "main"]), merged.previous);
}

#[tokio::test]
async fn local_changes_are_never_touched() {
    let rig = Rig::new();
    rig.branch("feature", "readme.md", "two\n", "feat: two");
    rig.write("readme.md", "mine\n");
    let old = rig.git(&["rev-parse", "main"]);
    let error = merge(&rig, "feature").await.unwrap_err();
    let text = format!("{error}: {}", error.source().unwrap());
    assert!(text.contains("nothing was changed") && text.contains("readme.md"), "{text}");
    assert_eq!((rig.git(&["rev-parse", "main"]), rig.read("readme.md")), (old, "mine\n".to_owned()));
    rig.write("readme.md", "one\n");
    rig.write("other.txt", "dirty, but elsewhere\n");
    merge(&rig, "feature").await.unwrap();
    assert_eq!(rig.read("readme.md"), "two\n");
}

#[tokio::test]
async fn a_conflict_names_its_files_and_changes_nothing() {
    let rig = Rig::new();
    rig.branch("feature", "readme.md", "theirs\n", "feat: theirs");
    rig.write("readme.md", "ours\n");
    let old = rig.commit("feat: ours");
    let error = merge(&rig, "feature").await.unwrap_err().to_string();
    assert_eq!(error, "merging `feature` into `main` conflicts in `readme.md`; nothing was changed");
    assert_eq!(rig.git(&["rev-parse", "main"]), old);
    assert_eq!((rig.git(&["status", "--porcelain"]).as_str(), worktrees(&rig)), ("", 1));
    let error = merge(&rig, "absent").await.unwrap_err().to_string();
    assert_eq!(error, "there is no branch `absent`");
    merge(&rig, "--upload-pack=x").await.unwrap_err();
}

/// A hook of the user that runs while the merge is made moves the branch.
#[tokio::test]
async fn a_branch_that_moved_meanwhile_stays() {
    for detached in [false, true] {
        let rig = Rig::new();
        rig.branch("feature", "new.txt", "new\n", "feat: new");
        let other = rig.branch("other", "other.txt", "other\n", "feat: other");
        if detached {
            rig.git(&["switch", "-q", "--detach"]);
        }
        let hook = rig.root.join(".git/hooks/pre-merge-commit");
        std::fs::write(&hook, format!("#!/bin/sh\ngit update-ref refs/heads/main {other}\n")).unwrap();
        std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
        let error = merge(&rig, "feature").await.unwrap_err();
        assert!(error.is::<Transient>() && error.to_string().contains("moved from"), "{error}");
        assert_eq!((rig.git(&["rev-parse", "main"]), worktrees(&rig)), (other, 1));
    }
}

#[tokio::test]
async fn an_undo_does_not_take_the_work_of_others() {
    let rig = Rig::new();
    rig.branch("feature", "new.txt", "new\n", "feat: new");
    let undo = rig.undo(MergeIntoBranch, &merge_input("feature")).await;
    merge(&rig, "feature").await.unwrap();
    rig.write("more.txt", "more\n");
    let later = rig.commit("feat: more");
    let error = perform(&rig, undo).await.unwrap_err().to_string();
    assert!(error.contains("not what is to be undone"), "{error}");
    assert_eq!(rig.git(&["rev-parse", "main"]), later);
}

#[tokio::test]
async fn what_a_killed_merge_left_is_cleared() {
    let rig = Rig::new();
    rig.branch("feature", "new.txt", "new\n", "feat: new");
    let stem = format!("{}-{}-tree", order(0).run, order(0).file_stem());
    let left = rig.root.join(".orchestrate/scratch").join(stem);
    rig.git(&["worktree", "add", "-q", "--detach", left.to_str().unwrap(), "main"]);
    merge(&rig, "feature").await.unwrap();
    assert_eq!(worktrees(&rig), 1);
}
