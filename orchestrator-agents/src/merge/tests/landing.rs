use orchestrator_core::operation::Already;

use super::*;

/// What a task would ask for once it knows the commit.
fn of(merged: &Merged) -> LandInput {
    LandInput { commit: Some(merged.commit.clone()), ..land_input() }
}

#[tokio::test]
async fn a_candidate_lands_where_it_is_checked_out() {
    let rig = Rig::new();
    rig.branch("feature", "new.txt", "new\n", "feat: new");
    rig.write("local.txt", "untracked\n");
    let merged = merge(&rig, "feature").await.unwrap();
    let undo = rig.undo(LandCandidate, &of(&merged)).await;
    assert_eq!(rig.already(LandCandidate, &of(&merged), 0).await, Already::NotDone);
    let landed = rig.call(LandCandidate, of(&merged)).await.unwrap();
    assert_eq!((&landed.commit, landed.previous.as_ref()), (&merged.commit, Some(&merged.previous)));
    assert_eq!(landed.tree, rig.git(&["rev-parse", "main^{tree}"]));
    assert_eq!((rig.git(&["rev-parse", "main"]), candidate(&rig, "main")), (merged.commit.clone(), None));
    assert_eq!(
        (rig.read("new.txt").as_str(), rig.git(&["status", "--porcelain"]).as_str()),
        ("new\n", "?? local.txt")
    );
    assert!(matches!(rig.already(LandCandidate, &of(&merged), 0).await, Already::Done(_)));
    perform(&rig, undo.clone()).await.unwrap();
    assert_eq!(rig.git(&["rev-parse", "main"]), merged.previous);
    assert!(!rig.root.join("new.txt").exists());
    perform(&rig, undo).await.unwrap();
    let error = land(&rig).await.unwrap_err().to_string();
    assert!(error.contains("nothing was prepared for `main`"), "{error}");
}

#[tokio::test]
async fn a_candidate_lands_where_it_is_not_checked_out() {
    let rig = Rig::new();
    rig.branch("feature", "new.txt", "new\n", "feat: new");
    rig.git(&["switch", "-q", "--detach"]);
    rig.write("readme.md", "dirty\n");
    let merged = merge(&rig, "feature").await.unwrap();
    let undo = rig.undo(LandCandidate, &of(&merged)).await;
    land(&rig).await.unwrap();
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
    let merged = merge(&rig, "feature").await.unwrap();
    let error = land(&rig).await.unwrap_err();
    let text = format!("{error}: {}", error.source().unwrap());
    assert!(text.contains("nothing was changed") && text.contains("readme.md"), "{text}");
    assert_eq!(
        (rig.git(&["rev-parse", "main"]), rig.read("readme.md")),
        (merged.previous, "mine\n".to_owned())
    );
    rig.write("readme.md", "one\n");
    rig.write("other.txt", "dirty, but elsewhere\n");
    land(&rig).await.unwrap();
    assert_eq!(rig.read("readme.md"), "two\n");
}

#[tokio::test]
async fn a_branch_that_moved_meanwhile_stays() {
    for detached in [false, true] {
        let rig = Rig::new();
        rig.branch("feature", "new.txt", "new\n", "feat: new");
        let merged = merge(&rig, "feature").await.unwrap();
        let other = rig.commit("feat: meanwhile");
        if detached {
            rig.git(&["switch", "-q", "--detach"]);
        }
        let error = land(&rig).await.unwrap_err().to_string();
        assert!(error.contains("does not come from"), "{error}");
        assert_eq!(rig.git(&["rev-parse", "main"]), other);
        assert_eq!(candidate(&rig, "main"), Some(merged.commit));
    }
}

#[tokio::test]
async fn what_lands_is_what_was_looked_at() {
    let rig = Rig::new();
    rig.branch("a", "a.txt", "a\n", "feat: a");
    rig.branch("b", "b.txt", "b\n", "feat: b");
    let looked_at = merge(&rig, "a").await.unwrap();
    let more = rig.call_as(MergeIntoBranch, merge_input("b"), 1).await.unwrap();
    let error = rig.call(LandCandidate, of(&looked_at)).await.unwrap_err().to_string();
    assert!(error.contains(&format!("is {} instead of {}", more.commit, looked_at.commit)), "{error}");
    assert_eq!(rig.git(&["rev-parse", "main"]), looked_at.previous);
}

#[tokio::test]
async fn an_undo_does_not_take_the_work_of_others() {
    let rig = Rig::new();
    rig.branch("feature", "new.txt", "new\n", "feat: new");
    let merged = merge(&rig, "feature").await.unwrap();
    let undo = rig.undo(LandCandidate, &of(&merged)).await;
    land(&rig).await.unwrap();
    rig.write("more.txt", "more\n");
    let later = rig.commit("feat: more");
    let error = perform(&rig, undo).await.unwrap_err().to_string();
    assert!(error.contains("not what is to be undone"), "{error}");
    assert_eq!(rig.git(&["rev-parse", "main"]), later);
}
