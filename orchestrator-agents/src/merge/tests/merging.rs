use std::os::unix::fs::PermissionsExt as _;

use orchestrator_core::operation::Already;

use super::*;

#[tokio::test]
async fn a_merge_is_prepared_beside_all_that_the_user_sees() {
    let rig = Rig::new();
    let branch = rig.branch("feature/x", "new.txt", "new\n", "feat: new");
    rig.write("local.txt", "untracked\n");
    rig.write("readme.md", "dirty\n");
    let (old, before) = (rig.git(&["rev-parse", "main"]), seen_by_the_user(&rig));
    let undo = rig.undo(MergeIntoBranch, &merge_input("feature/x")).await;
    let merged = merge(&rig, "feature/x").await.unwrap();
    assert_eq!((merged.previous.as_str(), merged.already_so), (old.as_str(), false));
    assert_eq!((seen_by_the_user(&rig), worktrees(&rig)), (before, 1));
    assert_eq!(candidate(&rig, "main").as_ref(), Some(&merged.commit));
    assert_eq!(
        rig.git(&["log", "-1", "--format=%P%n%s", &merged.commit]),
        format!("{old} {branch}\nMerge branch 'feature/x'")
    );
    assert_eq!(rig.git(&["ls-tree", "--name-only", &merged.commit]), "new.txt\nreadme.md");
    let format = "--format=%(trailers:key=Orchestrate-Merged,valueonly)";
    assert_eq!(rig.git(&["log", "-1", format, &merged.commit]).trim(), branch);
    let Already::Done(found) = rig.already(MergeIntoBranch, &merge_input("feature/x"), 0).await else {
        panic!("the merge of this order was not found")
    };
    assert_eq!(found, merged);
    assert_eq!(rig.already(MergeIntoBranch, &merge_input("feature/x"), 1).await, Already::NotDone);
    let again = merge(&rig, "feature/x").await.unwrap();
    assert!(again.already_so && again.commit == merged.commit);
    perform(&rig, undo.clone()).await.unwrap();
    assert_eq!(candidate(&rig, "main"), None);
    perform(&rig, undo).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_merged_is_said() {
    let rig = Rig::new();
    let error = merge(&rig, "absent").await.unwrap_err().to_string();
    assert_eq!(error, "there is no branch `absent`");
    merge(&rig, "--upload-pack=x").await.unwrap_err();
    rig.git(&["checkout", "-q", "--orphan", "other"]);
    rig.commit("feat: another beginning");
    rig.git(&["switch", "-q", "main"]);
    for strategy in [Strategy::Merge, Strategy::Squash, Strategy::Rebase, Strategy::FastForward] {
        let error = rig.call(MergeIntoBranch, by(strategy, "other")).await.unwrap_err().to_string();
        let said = ["no common history", "does not start at the tip"];
        assert!(said.iter().any(|said| error.contains(said)), "{strategy:?}: {error}");
    }
}

/// A git of another version: the real one, which says that it is older and takes no newer option.
#[tokio::test]
async fn a_git_that_is_too_old_is_refused() {
    let mut rig = Rig::new();
    rig.branch("feature", "new.txt", "new\n", "feat: new");
    let bin = rig.home.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let path = rig.env.iter().position(|(name, _)| name == "PATH").unwrap();
    let real = rig.env[path].1.to_str().unwrap().to_owned();
    rig.env[path].1 = format!("{}:{real}", bin.display()).into();
    let old = |version: &str, refuses: &str| {
        let script = format!(
            "#!/bin/sh\nfor a; do case $a in --version) echo git version {version}; exit;; {refuses}) exit 129;; esac; done\n\
             PATH='{real}' exec git \"$@\"\n"
        );
        std::fs::write(bin.join("git"), script).unwrap();
        std::fs::set_permissions(bin.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    old("2.37.9", "--write-tree");
    let error = merge(&rig, "feature").await.unwrap_err().to_string();
    assert_eq!(error, "`git version 2.37.9` is too old to merge without a checkout; 2.41 or newer is needed");
    assert_eq!(candidate(&rig, "main"), Some(rig.git(&["rev-parse", "main"])));
    old("2.41.0", "--never");
    merge(&rig, "feature").await.unwrap();
}

#[tokio::test]
async fn undone_step_by_step_it_goes_back_step_by_step() {
    let rig = Rig::new();
    rig.branch("a", "a.txt", "a\n", "feat: a");
    rig.branch("b", "b.txt", "b\n", "feat: b");
    let first = rig.undo(MergeIntoBranch, &merge_input("a")).await;
    let a = merge(&rig, "a").await.unwrap();
    let second = rig.undo(MergeIntoBranch, &merge_input("b")).await;
    let b = rig.call_as(MergeIntoBranch, merge_input("b"), 1).await.unwrap();
    assert_eq!(b.previous, a.commit);
    perform(&rig, second).await.unwrap();
    assert_eq!(candidate(&rig, "main"), Some(a.commit));
    perform(&rig, first.clone()).await.unwrap();
    assert_eq!(candidate(&rig, "main"), None);
    // What landed is taken back where it landed.
    merge(&rig, "a").await.unwrap();
    land(&rig).await.unwrap();
    perform(&rig, first).await.unwrap();
}
