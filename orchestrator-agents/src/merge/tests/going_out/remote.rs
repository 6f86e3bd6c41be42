//! A remote that moves, refuses, hangs or dies while a release goes out.

use super::*;

#[tokio::test]
async fn a_branch_that_moves_is_followed() {
    let project = Project::new();
    let rig = &project.rig;
    rig.branch("a", "a.txt", "a\n", "feat: a");
    project.others_push("fix: theirs", 2);
    let said =
        project.release(json!({ "branches": ["a"], "bump": true, "validate": ["test -f a.txt"] })).await;
    said.all_passed();
    let (main, tags) = project.out();
    assert_eq!((&rig.git(&["rev-parse", "main"]), tags.len()), (&main, 2));
    let files = project.at_remote(&["ls-tree", "--name-only", "main"]);
    assert!(["a.txt", "theirs-0.txt", "theirs-1.txt"].iter().all(|file| files.contains(file)), "{files}");
    assert_eq!(project.at_remote(&["rev-parse", "v0.1.0^{commit}"]), main);
    let changelog = project.at_remote(&["show", "main:CHANGELOG.md"]);
    assert_eq!(changelog.matches("- theirs (").count(), 2, "{changelog}");
    let releases =
        project.at_remote(&["log", "--format=%s", "--fixed-strings", "--grep=chore(release)", "main"]);
    assert_eq!(releases, "chore(release): v0.1.0");
}

#[tokio::test]
async fn a_branch_that_always_moves_is_given_up() {
    let project = Project::new();
    project.others_push("fix: theirs", 100);
    let said = project.release(json!({ "push": { "attempts": 2 }, "validate": [] })).await;
    said.failed("push", &["moved 2 times", "nothing was published", "`attempts`"]);
    assert_eq!(project.out().1, [""; 0]);
    assert_eq!(std::fs::read_to_string(project.rig.home.join("count")).unwrap().trim(), "2");
    // A later run starts from there and gets it out, as one release.
    std::fs::remove_file(project.rig.root.join(".git/hooks/pre-push")).unwrap();
    project.release(json!({ "validate": [] })).await.all_passed();
    assert_eq!(project.out().1.len(), 2);
}

#[tokio::test]
async fn what_came_meanwhile_is_checked_too() {
    let project = Project::new();
    project.others_push("fix: theirs", 1);
    let said = project.release(json!({ "validate": ["! test -f theirs-0.txt"] })).await;
    said.failed("push", &["with what others pushed meanwhile it does not pass", "nothing was published"]);
    assert_eq!(project.out().1, [""; 0]);
}

/// What others pushed meanwhile is checked by nothing where no command is named.
#[tokio::test]
async fn a_branch_that_moves_is_not_followed_unchecked() {
    let project = Project::new();
    let before = project.rig.git(&["rev-parse", "main"]);
    project.others_push("fix: theirs", 1);
    let said = project.release(Value::Null).await;
    let words = ["moved to", "nothing says how that is checked", "nothing was published", "`validate: []`"];
    said.failed("push", &words);
    assert_eq!((project.out().1, project.rig.git(&["rev-parse", "main"])), (Vec::new(), before));
}

#[tokio::test]
async fn another_version_is_not_released_unasked() {
    let project = Project::new();
    let rig = &project.rig;
    rig.git(&["tag", "-a", "-m", "x", "v0.1.0"]);
    rig.git(&["push", "-q", "origin", "v0.1.0"]);
    rig.branch("a", "a.txt", "a\n", "fix: a");
    project.others_push("feat: theirs", 1);
    let with = || json!({ "branches": ["a"], "validate": [] });
    let said = project.release(with()).await;
    said.failed("push", &["makes it version 0.2.0 instead of 0.1.1", "nothing was published"]);
    assert_eq!(project.out().1, ["v0.1.0"]);
    project.release(with()).await.all_passed();
    let (_, tags) = project.out();
    assert!(tags.len() == 3 && tags[1] == "v0.2.0", "{tags:?}");
    assert!(!rig.git(&["tag"]).contains("v0.1.1") || !project.at_remote(&["tag"]).contains("v0.1.1"));
}

#[tokio::test]
async fn a_remote_that_says_no_gets_nothing() {
    let project = Project::new();
    let before = project.out();
    project.remote_hook("pre-receive", "echo 'sign the papers first' >&2; exit 1");
    // A dry run needs no right to push.
    let dry = project.run(json!({ "validate": [] }), Effect::Reads).await;
    assert!(dry.withheld().to_string().contains("call push-release"));
    let said = project.release(json!({ "validate": [] })).await;
    said.failed(
        "push",
        &["rejected the push, nothing was published", "pre-receive hook declined", "sign the papers first"],
    );
    assert_eq!(project.out(), before);
    let local = project.rig.git(&["rev-parse", "main"]);
    assert_eq!(local, before.0, "nothing lands before it is out");
}

#[tokio::test]
async fn a_protected_branch_is_asked_for() {
    let project = Project::new();
    let rig = &project.rig;
    let before = project.out();
    project.remote_hook(
        "update",
        "[ \"$1\" != refs/heads/main ] || [ -n \"$MERGE\" ] || { echo 'error: GH006: Protected branch update failed for refs/heads/main.' >&2; exit 1; }",
    );
    let direct = project.release(json!({ "validate": [], "push": { "mode": "direct" } })).await;
    direct.failed("push", &["GH006", "`push: {mode: pull-request}`"]);
    for mode in ["auto", "pull-request"] {
        let said = project.release(json!({ "validate": [], "push": { "mode": mode } })).await;
        said.all_passed();
        assert!(
            said.of("push").1.contains("as branch release/v0.1.0, nothing is released yet"),
            "{:?}",
            said.of("push")
        );
        assert!(said.of("land").1.contains("stays where it is"), "{:?}", said.of("land"));
        assert_eq!((project.out(), rig.git(&["tag"])), (before.clone(), String::new()));
        assert_eq!(project.at_remote(&["rev-parse", "release/v0.1.0^1"]), before.0);
    }
    // A person merges it, by squashing: the next run makes the tags.
    let squashed = project.at_remote(&[
        "-c",
        "user.name=B",
        "-c",
        "user.email=b@example.org",
        "commit-tree",
        "-p",
        "main",
        "-m",
        "chore(release): v0.1.0 (#1)",
        "release/v0.1.0^{tree}",
    ]);
    project.at_remote(&["update-ref", "refs/heads/main", &squashed]);
    let said = project.release(json!({ "validate": [] })).await;
    said.all_passed();
    let (main, tags) = project.out();
    assert_eq!((&main, tags.len()), (&squashed, 2));
    assert_eq!(project.at_remote(&["rev-parse", "v0.1.0^{commit}"]), squashed);
    assert_eq!(rig.git(&["rev-parse", "main"]), squashed);
}

#[tokio::test]
async fn a_remote_that_hangs_is_given_up_in_time() {
    let project = Project::new();
    let before = project.out();
    project.rig.git(&["config", "remote.origin.receivepack", "sleep 600 #"]);
    let said = project.release(json!({ "validate": [], "push": { "limit": "1s" } })).await;
    said.failed("push", &["did not take the push to its end, nothing was published", "ended after 1 s"]);
    assert_eq!(project.out(), before);
    project.rig.git(&["config", "--unset", "remote.origin.receivepack"]);
    project.release(json!({ "validate": [] })).await.all_passed();
    assert_eq!(project.out().1.len(), 2);
}

/// Killed before it takes the push, and after.
#[tokio::test]
async fn a_remote_that_dies_took_all_or_nothing() {
    let project = Project::new();
    let before = project.out();
    project.remote_hook("pre-receive", "kill -9 $PPID");
    let said = project.release(json!({ "validate": [] })).await;
    said.failed("push", &["did not take the push to its end, nothing was published"]);
    assert_eq!(project.out(), before);
    std::fs::remove_file(project.remote.join("hooks/pre-receive")).unwrap();
    project.remote_hook("post-receive", "kill -9 $PPID");
    let said = project.release(json!({ "validate": [] })).await;
    said.all_passed();
    assert_eq!(project.out().1.len(), 2);
    assert_eq!(project.rig.git(&["rev-parse", "main"]), project.out().0);
}

/// What is known of a remote's address never brings its password along.
#[tokio::test]
async fn a_password_in_an_address_is_said_nowhere() {
    let project = Project::new();
    project.rig.git(&["remote", "set-url", "origin", "http://ada:s3cret@127.0.0.1:9/a/b.git"]);
    let record = project.run(json!({ "validate": [] }), Effect::Publishes).await;
    let said = outcomes(&record);
    assert!(said.iter().any(|(_, outcome, _)| *outcome == Some(Outcome::Failed)), "{said:?}");
    assert!(!format!("{said:?}").contains("s3cret"), "{said:?}");
    let runs = project.rig.root.join(".orchestrate/runs");
    let found =
        project.rig.command("grep", &["-r", "-l", "s3cret", runs.to_str().unwrap()], &project.rig.root);
    assert_eq!(String::from_utf8_lossy(&found.stdout), "");
}
