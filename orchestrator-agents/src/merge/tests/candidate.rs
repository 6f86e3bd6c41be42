use orchestrator_core::id::{OrderKey, RunId};
use orchestrator_core::operation::{Operation, Site};

use super::*;
use crate::merge::FileChange;
use crate::merge::ops::candidate::Candidate;
use crate::merge::ops::{CandidateInput, OpenCandidate, ReleaseInput};
use crate::ops::here::blocking;
use crate::rig::order;

fn input() -> CandidateInput {
    CandidateInput { branch: "main".into(), remote: Some("origin".into()) }
}

/// An order of another run.
fn another(index: u32) -> OrderKey {
    OrderKey { run: RunId::new("20261121000000-00ff00ff").unwrap(), ..order(index) }
}

async fn call<O: Operation>(rig: &Rig, operation: O, input: O::Input, order: &OrderKey) -> O::Output {
    let state = rig.root.join(".orchestrate");
    let Rig { root, stop, progress, env, secrets, .. } = rig;
    let site = Site { root, state: &state, progress, stop, secrets, env };
    operation.call(input, order, &site).await.unwrap()
}

/// Somebody else pushes a commit.
fn pushed_by_another(rig: &Rig, file: &str) -> String {
    let (remote, clone) = (rig.home.join("origin.git"), rig.home.join("clone"));
    if !clone.exists() {
        rig.git(&["clone", "-q", remote.to_str().unwrap(), clone.to_str().unwrap()]);
    }
    std::fs::write(clone.join(file), "theirs\n").unwrap();
    rig.git_at(&clone, &["add", "-A"]);
    rig.git_at(&clone, &["commit", "-q", "-m", "feat: theirs"]);
    rig.git_at(&clone, &["tag", "-a", "-m", "x", &format!("v9.0.{}", file.len())]);
    rig.git_at(&clone, &["push", "-q", "origin", "main", "--tags"]);
    rig.git_at(&clone, &["rev-parse", "main"])
}

#[tokio::test]
async fn it_starts_where_the_remote_is_or_here_where_that_is_ahead() {
    let rig = Rig::new();
    rig.remote();
    let ours = rig.commit("feat: ours");
    assert_eq!(call(&rig, OpenCandidate, input(), &order(0)).await.base, ours, "ahead of the remote");
    rig.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let theirs = pushed_by_another(&rig, "theirs.txt");
    assert_eq!(call(&rig, OpenCandidate, input(), &order(1)).await.base, ours, "this run keeps its base");
    let opened = call(&rig, OpenCandidate, input(), &another(0)).await;
    assert_eq!((&opened.base, opened.earlier), (&theirs, 0));
    assert_eq!(rig.git(&["rev-parse", "origin/main"]), theirs);
    assert_eq!(rig.git(&["tag"]), "v9.0.10");
    rig.commit("feat: ours again");
    let error = rig.call(OpenCandidate, input()).await.unwrap_err().to_string();
    assert!(error.contains("`main` and `origin/main` diverged") && error.contains("git pull"), "{error}");
}

#[tokio::test]
async fn another_run_goes_on_as_long_as_it_asks_for_the_same() {
    let rig = Rig::new();
    for branch in ["a", "b", "c"] {
        rig.branch(branch, &format!("{branch}.txt"), "x\n", "feat: x");
    }
    let a = call(&rig, MergeIntoBranch, merge_input("a"), &order(0)).await;
    let b = call(&rig, MergeIntoBranch, merge_input("b"), &order(1)).await;
    let opened = CandidateInput { remote: None, ..input() };
    let opened = call(&rig, OpenCandidate, opened, &another(0)).await;
    assert_eq!((opened.base, opened.earlier), (a.previous.clone(), 2));
    assert_eq!(candidate(&rig, "main"), Some(a.previous.clone()), "nothing counts before it is asked for");
    let again = call(&rig, MergeIntoBranch, merge_input("a"), &another(1)).await;
    assert_eq!((&again.commit, again.already_so), (&a.commit, true));
    let c = call(&rig, MergeIntoBranch, merge_input("c"), &another(2)).await;
    assert_eq!((&c.previous, c.already_so), (&a.commit, false));
    let after = call(&rig, MergeIntoBranch, merge_input("b"), &another(3)).await;
    assert_eq!((&after.previous, after.already_so), (&c.commit, false));
    assert_ne!(after.commit, b.commit);
}

async fn replayed(rig: &Rig, onto: &str) -> Result<(), BoxError> {
    let state = rig.root.join(".orchestrate");
    let Rig { root, stop, progress, env, secrets, .. } = rig;
    let site = Site { root, state: &state, progress, stop, secrets, env };
    let onto = onto.to_owned();
    blocking(&site, move |here| {
        let git = crate::ops::git::Git::new(here);
        let mut candidate = Candidate::of(&git, "main", &order(0))?.unwrap();
        candidate.replay(here, &onto, &order(0))
    })
    .await
}

#[tokio::test]
async fn the_same_steps_are_made_on_another_base() {
    let rig = Rig::new();
    let branch = rig.branch("feature", "new.txt", "new\n", "feat: new");
    merge(&rig, "feature").await.unwrap();
    let path = orchestrator_core::path::RelPath::new("CHANGELOG.md").unwrap();
    let changes = vec![FileChange::between(path, None, "# Changelog\n").unwrap()];
    let message = "chore(release): v1.0.0".to_owned();
    let release = ReleaseInput { branch: "main".into(), remote: None, message, changes };
    rig.call_as(ReleaseCommit, release, 1).await.unwrap();
    let before = candidate(&rig, "main").unwrap();

    rig.write("CHANGELOG.md", "theirs\n");
    let conflicting = rig.commit("feat: a changelog");
    let error = replayed(&rig, &conflicting).await.unwrap_err().to_string();
    assert!(error.contains("`chore(release): v1.0.0` conflicts in `CHANGELOG.md`"), "{error}");
    assert_eq!(candidate(&rig, "main"), Some(before.clone()), "nothing moved");

    rig.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let base = rig.commit("feat: meanwhile");
    replayed(&rig, &base).await.unwrap();
    let tip = candidate(&rig, "main").unwrap();
    let format = "--format=%s %P";
    let log = rig.git(&["log", "--first-parent", "-3", format, &tip]);
    let merged = rig.git(&["rev-parse", &format!("{tip}^")]);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[0], format!("chore(release): v1.0.0 {merged}"));
    assert_eq!(lines[1], format!("Merge branch 'feature' {base} {branch}"));
    assert_eq!(rig.git(&["diff", "--stat", &before, &tip]), "");
    let order = "--format=%(trailers:key=Orchestrate-Order,valueonly)";
    let orders = |tip: &str| rig.git(&["log", "--first-parent", "-2", order, tip]);
    assert_eq!(orders(&tip), orders(&before), "it is known whose they are");
    land(&rig).await.unwrap();
    assert_eq!(rig.git(&["rev-parse", "main"]), tip);
}
