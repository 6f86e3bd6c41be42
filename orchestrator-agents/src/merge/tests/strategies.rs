use super::*;

/// `feature` with three commits, one of them a fix of somebody else; `main` went on.
fn rig() -> Rig {
    let rig = Rig::new();
    rig.git(&["switch", "-q", "-c", "feature"]);
    rig.write("a.txt", "a\n");
    rig.commit("fix(a): a hole\n\nLong text.");
    rig.write("b.txt", "b\n");
    rig.git(&["add", "-A"]);
    rig.git(&[
        "commit",
        "-q",
        "--author",
        "Bob <bob@example.org>",
        "--date",
        "@1000000000 +0200",
        "-m",
        "feat(b)!: a door",
    ]);
    rig.git(&["commit", "-q", "--allow-empty", "-m", "chore: nothing"]);
    rig.git(&["switch", "-q", "main"]);
    rig.write("main.txt", "main\n");
    rig.commit("feat: meanwhile");
    rig
}

async fn did(rig: &Rig, strategy: Strategy) -> Merged {
    rig.call(MergeIntoBranch, by(strategy, "feature")).await.unwrap()
}

fn log(rig: &Rig, format: &str, range: &str) -> Vec<String> {
    rig.git(&["log", "--reverse", &format!("--format={format}"), range]).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn squashed_it_is_one_commit_that_tells_of_all() {
    let rig = rig();
    let before = seen_by_the_user(&rig);
    let merged = did(&rig, Strategy::Squash).await;
    assert_eq!(
        rig.git(&["rev-list", "--parents", "-1", &merged.commit]),
        format!("{} {}", merged.commit, merged.previous)
    );
    let message = rig.git(&["log", "-1", "--format=%B", &merged.commit]);
    let tip = rig.git(&["rev-parse", "feature"]);
    let start = "feat(b)!: a door\n\n* fix(a): a hole\n* feat(b)!: a door\n* chore: nothing\n\nCo-authored-by: Bob <bob@example.org>\n";
    assert!(message.starts_with(start), "{message}");
    assert!(
        message.ends_with(&format!("Orchestrate-Merged: {tip}\nOrchestrate-Strategy: squash")),
        "{message}"
    );
    assert_eq!(rig.git(&["ls-tree", "--name-only", &merged.commit]), "a.txt\nb.txt\nmain.txt\nreadme.md");
    assert_eq!(seen_by_the_user(&rig), before);
    // Asked again: by this run, after it landed, and after the branch went on.
    assert!(did(&rig, Strategy::Squash).await.already_so);
    land(&rig).await.unwrap();
    let again = did(&rig, Strategy::Squash).await;
    assert!(again.already_so && again.commit == merged.commit);
    rig.write("a.txt", "changed since\n");
    rig.commit("fix: of what was squashed");
    rig.git(&["switch", "-q", "feature"]);
    rig.write("b.txt", "more\n");
    rig.commit("feat: more");
    rig.git(&["switch", "-q", "main"]);
    let twice = rig.call_as(MergeIntoBranch, by(Strategy::Squash, "feature"), 1).await.unwrap();
    assert_eq!(twice.conflict, None);
    // A new run would open it on the new tip; this one goes on where it stood.
    let shown = |path: &str| rig.git(&["show", &format!("{}:{path}", twice.commit)]);
    assert_eq!((shown("a.txt").as_str(), shown("b.txt").as_str()), ("a", "more"));
    assert_eq!(log(&rig, "%s", &format!("{}..{}", twice.previous, twice.commit)), ["feat: more"]);
}

#[tokio::test]
async fn rebased_each_commit_keeps_author_date_and_message() {
    let rig = rig();
    let merged = did(&rig, Strategy::Rebase).await;
    let format = "%an %ad %s";
    let range = format!("{}..{}", merged.previous, merged.commit);
    let dates = rig.git(&["log", "--reverse", "--date=raw", &format!("--format={format}"), &range]);
    let lines: Vec<&str> = dates.lines().collect();
    assert_eq!(lines.len(), 3, "an empty commit stays: {dates}");
    assert_eq!(lines[1], "Bob 1000000000 +0200 feat(b)!: a door");
    assert!(lines[0].starts_with("Ada ") && lines[2].ends_with("chore: nothing"));
    assert_eq!(log(&rig, "%P", &range).len(), 3);
    let originals = rig.git(&["rev-list", "--reverse", "main..feature"]);
    let copies = log(&rig, "%(trailers:key=Orchestrate-Rebased,valueonly)", &range);
    let copies: Vec<&str> = copies.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    assert_eq!(copies, originals.lines().collect::<Vec<_>>());
    assert!(did(&rig, Strategy::Rebase).await.already_so);
    land(&rig).await.unwrap();
    assert!(did(&rig, Strategy::Rebase).await.already_so);
    assert_eq!(rig.read("a.txt") + &rig.read("b.txt") + &rig.read("main.txt"), "a\nb\nmain\n");
}

#[tokio::test]
async fn a_change_that_is_there_already_is_not_made_again() {
    let rig = rig();
    rig.git(&["cherry-pick", "feature~2"]);
    let merged = did(&rig, Strategy::Rebase).await;
    let range = format!("{}..{}", merged.previous, merged.commit);
    assert_eq!(log(&rig, "%s", &range), ["feat(b)!: a door", "chore: nothing"]);
}

#[tokio::test]
async fn merges_that_changed_more_than_they_merged_are_not_lost() {
    for evil in [false, true] {
        let rig = rig();
        rig.git(&["switch", "-q", "feature"]);
        rig.git(&["merge", "-q", "--no-commit", "main"]);
        if evil {
            rig.write("a.txt", "evil\n");
        }
        rig.commit("Merge branch 'main' into feature");
        rig.git(&["switch", "-q", "main"]);
        rig.write("main.txt", "on\n");
        rig.commit("feat: on");
        let did = rig.call(MergeIntoBranch, by(Strategy::Rebase, "feature")).await;
        match did {
            Ok(merged) => assert!(!evil && merged.conflict.is_none()),
            Err(error) => assert!(evil && error.to_string().contains("a rebase would lose"), "{error}"),
        }
    }
}

#[tokio::test]
async fn fast_forwarded_only_what_starts_at_the_tip() {
    let rig = rig();
    let error =
        rig.call(MergeIntoBranch, by(Strategy::FastForward, "feature")).await.unwrap_err().to_string();
    assert!(error.contains("`feature` cannot be fast-forwarded: it does not start at the tip"), "{error}");
    rig.git(&["switch", "-q", "feature"]);
    rig.git(&["merge", "-q", "--no-edit", "main"]);
    rig.git(&["switch", "-q", "main"]);
    let error =
        rig.call(MergeIntoBranch, by(Strategy::FastForward, "feature")).await.unwrap_err().to_string();
    assert!(error.contains("it merged that branch into itself"), "{error}");
    rig.git(&["branch", "-q", "ahead"]);
    rig.git(&["switch", "-q", "ahead"]);
    let tip = rig.commit("feat: ahead");
    rig.git(&["switch", "-q", "main"]);
    let merged = rig.call(MergeIntoBranch, by(Strategy::FastForward, "ahead")).await.unwrap();
    assert_eq!(merged.commit, tip);
    let again = rig.call(MergeIntoBranch, by(Strategy::FastForward, "ahead")).await.unwrap();
    assert!(again.already_so);
    land(&rig).await.unwrap();
    assert_eq!(rig.git(&["rev-parse", "main"]), tip);
}

#[tokio::test]
async fn commits_are_signed_where_git_is_set_up_so() {
    let rig = rig();
    let key = rig.home.join("key");
    let made =
        rig.command("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()], &rig.home);
    assert!(made.status.success(), "{made:?}");
    rig.git(&["config", "gpg.format", "ssh"]);
    rig.git(&["config", "user.signingKey", key.to_str().unwrap()]);
    for (strategy, signs) in [(Strategy::Merge, true), (Strategy::Squash, false)] {
        rig.git(&["config", "commit.gpgSign", if signs { "true" } else { "false" }]);
        let merged = did(&rig, strategy).await;
        let commit = rig.git(&["cat-file", "commit", &merged.commit]);
        assert_eq!(commit.contains("gpgsig -----BEGIN SSH SIGNATURE-----"), signs, "{commit}");
        rig.git(&["update-ref", "-d", "refs/orchestrate/candidate/main"]);
    }
}
