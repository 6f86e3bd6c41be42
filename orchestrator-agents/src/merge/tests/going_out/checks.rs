//! What is run on a release before it goes out, and what comes of it where nothing is named.

use super::*;

#[tokio::test]
async fn the_tree_that_was_checked_is_the_tree_that_lands() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "a.txt", "a\n", "feat: a");
    rig.write("local.txt", "untracked\n");
    let with = json!({
        "branches": ["a"],
        "validate": ["test -f a.txt && test -f CHANGELOG.md && ! test -f local.txt", {"run": ["test", "-f", "v0.1.0.md"], "cwd": "docs/releases"}],
    });
    project.release(with.clone()).await.all_passed();
    let (main, tags) = project.out();
    assert_eq!((&rig.git(&["rev-parse", "main"]), tags.len()), (&main, 2));
    for tag in &tags {
        assert_eq!(project.at_remote(&["rev-parse", &format!("{tag}^{{commit}}")]), main);
    }
    assert_eq!(rig.git(&["status", "--porcelain"]), "?? local.txt");
    assert_eq!((worktrees(rig), candidate(rig, "main")), (1, None));
    // Once more: there is nothing new.
    let again = project.release(with).await;
    again.all_passed();
    assert!(again.of("push").1.starts_with("There already"), "{:?}", again.of("push"));
    assert_eq!(project.out(), (main, tags));
}

#[tokio::test]
async fn the_branch_that_breaks_is_named_and_nothing_lands() {
    let project = Project::new();
    let rig = &project.rig;
    for name in ["a", "b", "c", "d"] {
        rig.branch(name, &format!("{name}.txt"), "x\n", &format!("feat: {name}"));
    }
    let before = (seen_by_the_user(rig), project.out());
    let with = |line: &str| json!({ "branches": ["a", "b", "c", "d"], "validate": [line] });
    let said = project.release(with("echo broken by c; ! test -f c.txt")).await;
    said.failed(
        "check-merged",
        &["nothing landed", "exit code 1: broken by c", "it is branch `c` that breaks it"],
    );
    let said = project.release(with("false")).await;
    said.failed("check-merged", &["the base itself", "no branch is to blame"]);
    let said = project.release(with("! test -f CHANGELOG.md")).await;
    said.failed("check-merged", &["it is the release commit that breaks it"]);
    let said = project.release(with("echo x >> readme.md")).await;
    said.failed("check-merged", &["the commands changed `readme.md`"]);
    assert_eq!((seen_by_the_user(rig), project.out()), before);
    project.release(with("true")).await.all_passed();
}

/// Another commit is checked out, a branch is merged, files are changed: the rest of the run did not look at what lands.
#[tokio::test]
async fn without_commands_only_what_this_run_checked_lands() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "a.txt", "a\n", "feat: a");
    let before = (seen_by_the_user(rig), project.out());
    // What to do is said before, and a dry run ends as one.
    let dry = project.run(json!({ "branches": ["a"] }), Effect::Reads).await;
    let said = Said(outcomes(&dry));
    let (outcome, text) = said.of("check-merged");
    assert_eq!(outcome, Some(Outcome::Deferred));
    assert!(text.contains("`validate: [cargo test]`"), "{said:?}");
    assert!(dry.withheld().to_string().contains("call push-release"));
    let said = project.release(json!({ "branches": ["a"] })).await;
    let words =
        ["a was merged, and nothing checks", "nothing landed", "`validate: [cargo test]`", "`validate: []`"];
    said.failed("check-merged", &words);
    assert_eq!((seen_by_the_user(rig), project.out()), before);

    rig.git(&["switch", "-q", "-c", "elsewhere"]);
    rig.commit("feat: elsewhere");
    let said = project.release(Value::Null).await;
    said.failed("check-merged", &["is checked out", "did not check", "`validate: [cargo test]`"]);
    rig.git(&["switch", "-q", "main"]);
    rig.write("readme.md", "dirty\n");
    let said = project.release(Value::Null).await;
    said.failed("check-merged", &["`readme.md` differ", "commit or stash them", "`validate: []`"]);
    assert_eq!(project.out(), before.1);

    rig.write("readme.md", "one\n");
    rig.write("forgotten.rs", "fn f() {}\n");
    let head = rig.git(&["rev-parse", "--short=12", "main"]);
    let (said, findings) = project.release_and_findings(Value::Null).await;
    said.all_passed();
    assert!(said.of("check-merged").1.contains(&format!("what this run checked of {head}")), "{said:?}");
    assert!(findings.iter().any(|finding| finding.contains("`forgotten.rs` were there")), "{findings:?}");
    // There is nothing to merge any more where it was merged before.
    project.release(json!({ "branches": ["a"], "validate": [] })).await.all_passed();
    project.release(json!({ "branches": ["a"] })).await.all_passed();
}

#[tokio::test]
async fn checks_are_left_out_where_that_is_meant() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "a.txt", "a\n", "feat: a");
    rig.write("readme.md", "dirty\n");
    let (said, findings) = project.release_and_findings(json!({ "branches": ["a"], "validate": [] })).await;
    said.all_passed();
    assert_eq!(said.of("check-merged").1, "Left out on purpose: `validate` is empty");
    assert!(findings.iter().any(|finding| finding.contains("what lands was not checked")), "{findings:?}");
}

/// The commands run in the checkout wherever the state folder lies.
#[tokio::test]
async fn what_is_to_land_is_checked_where_the_state_is() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "sub/a.txt", "a\n", "feat: a");
    let state = rig.home.join("state of it");
    let with = json!({
        "branches": ["a"],
        "validate": ["test -f sub/a.txt && ! test -e .orchestrate", {"run": ["test", "-f", "a.txt"], "cwd": "sub"}],
    });
    let (orchestrator, plan) = project.planned_at(&state, with, JsonlStore::open(&state).unwrap());
    let record = orchestrator.run(&plan, Effect::Publishes).await.unwrap();
    Said(outcomes(&record)).all_passed();
    assert_eq!((project.out().1.len(), worktrees(rig)), (2, 1));
    assert!(!rig.root.join(".orchestrate").exists());
}
