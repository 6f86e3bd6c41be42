//! What no rule solves: a person does, in a worktree below the state folder, and nothing of it is lost.

use std::path::PathBuf;

use super::*;
use crate::merge::ops::{Conflict, PreviewBranch, PreviewInput, PreviewMerges};
use crate::merge::{BuiltIn, Rule, Use};

/// `feature` and `main` changed `readme.md` and `other.md`.
fn rig() -> Rig {
    let rig = Rig::new();
    rig.write("other.md", "one\n");
    rig.commit("feat: another");
    rig.git(&["switch", "-q", "-c", "feature"]);
    rig.write("readme.md", "theirs\n");
    rig.write("other.md", "theirs\n");
    rig.write("new.txt", "new\n");
    rig.commit("feat: theirs");
    rig.git(&["switch", "-q", "main"]);
    rig.write("readme.md", "ours\n");
    rig.write("other.md", "ours\n");
    rig.commit("feat: ours");
    rig
}

fn folder(rig: &Rig, conflict: &Conflict) -> PathBuf {
    rig.root.join(&conflict.folder)
}

fn paths(conflict: &Conflict) -> Vec<&str> {
    conflict.files.iter().map(|file| &*file.path).collect()
}

fn rule(paths: &[&str], r#use: Use, command: &[&str]) -> Rule {
    let owned = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect();
    Rule { paths: owned(paths), r#use, command: owned(command) }
}

fn ruled(strategy: Strategy, rules: Vec<Rule>) -> MergeInput {
    MergeInput { rules: Rules { rules, builtin: BuiltIn::default() }, ..by(strategy, "feature") }
}

#[tokio::test]
async fn a_person_solves_it_and_the_merge_goes_on() {
    for strategy in [Strategy::Merge, Strategy::Squash] {
        let rig = rig();
        let input = ruled(strategy, vec![rule(&["other.md"], Use::Ours, &[])]);
        let before = seen_by_the_user(&rig);
        let undo = rig.undo(MergeIntoBranch, &input).await;
        let waits = rig.call(MergeIntoBranch, input.clone()).await.unwrap();
        let conflict = waits.conflict.unwrap();
        assert_eq!((waits.commit == waits.previous, paths(&conflict)), (true, vec!["readme.md"]));
        assert_eq!(conflict.files[0].kind, "contents");
        let at = folder(&rig, &conflict);
        let read = |path: &str| std::fs::read_to_string(at.join(path)).unwrap();
        assert!(
            read("readme.md").contains("<<<<<<<")
                && read("other.md") == "ours\n"
                && read("new.txt") == "new\n"
        );
        assert_eq!(rig.git_at(&at, &["status", "--porcelain"]), "A  new.txt\nUU readme.md");
        assert_eq!(seen_by_the_user(&rig), before);

        // Said too early, it waits again and says what for.
        let again = rig.call(MergeIntoBranch, input.clone()).await.unwrap().conflict.unwrap();
        assert!(again.files[0].why.contains("not added yet"), "{again:?}");
        rig.git_at(&at, &["add", "readme.md"]);
        let again = rig.call(MergeIntoBranch, input.clone()).await.unwrap().conflict.unwrap();
        assert!(again.files[0].why.contains("conflict markers"), "{again:?}");
        std::fs::write(at.join("readme.md"), "both\n").unwrap();
        std::fs::write(at.join("forgotten.txt"), "x\n").unwrap();
        let again = rig.call(MergeIntoBranch, input.clone()).await.unwrap().conflict.unwrap();
        assert_eq!(
            again.said,
            ["`readme.md` is changed and not added", "`forgotten.txt` is changed and not added"]
        );
        rig.git_at(&at, &["add", "-A"]);

        let merged = rig.call(MergeIntoBranch, input.clone()).await.unwrap();
        assert_eq!((merged.conflict.as_ref(), at.exists(), worktrees(&rig)), (None, false, 1));
        let shown = |path: &str| rig.git(&["show", &format!("{}:{path}", merged.commit)]);
        assert_eq!(
            (shown("readme.md"), shown("other.md"), shown("forgotten.txt")),
            ("both".into(), "ours".into(), "x".into())
        );
        let rules: Vec<String> =
            merged.solved.iter().map(|one| format!("{} {}", one.path, one.rule)).collect();
        assert_eq!(rules, ["other.md ours", "readme.md person"]);
        let message = rig.git(&["log", "-1", "--format=%B", &merged.commit]);
        assert!(message.contains("Orchestrate-Solved: readme.md by person"), "{message}");
        assert_eq!(seen_by_the_user(&rig), before);
        assert!(rig.call(MergeIntoBranch, input).await.unwrap().already_so);
        perform(&rig, undo).await.unwrap();
        assert_eq!(candidate(&rig, "main"), None);
    }
}

#[tokio::test]
async fn a_rebase_may_conflict_more_than_once() {
    let rig = rig();
    rig.git(&["switch", "-q", "feature"]);
    rig.write("readme.md", "theirs again\n");
    rig.commit("feat: theirs again");
    rig.git(&["switch", "-q", "main"]);
    let input = ruled(Strategy::Rebase, vec![rule(&["other.md"], Use::Theirs, &[])]);
    for (at, text) in ["first\n", "second\n"].iter().enumerate() {
        let conflict = rig.call(MergeIntoBranch, input.clone()).await.unwrap().conflict.unwrap();
        assert_eq!(conflict.commit, Some(rig.git(&["rev-parse", &format!("feature~{}", 1 - at)])));
        let folder = folder(&rig, &conflict);
        std::fs::write(folder.join("readme.md"), text).unwrap();
        rig.git_at(&folder, &["add", "readme.md"]);
    }
    let merged = rig.call(MergeIntoBranch, input).await.unwrap();
    assert_eq!(merged.conflict, None);
    let shown = |commit: &str| rig.git(&["show", &format!("{commit}:readme.md")]);
    assert_eq!(
        (shown(&format!("{}~1", merged.commit)), shown(&merged.commit)),
        ("first".into(), "second".into())
    );
    assert_eq!(rig.git(&["log", "-2", "--format=%s", &merged.commit]), "feat: theirs again\nfeat: theirs");
    let rest: Vec<_> = std::fs::read_dir(rig.root.join(".orchestrate/conflicts")).unwrap().collect();
    assert!(rest.is_empty(), "{rest:?}");
}

#[tokio::test]
async fn a_branch_that_moves_while_it_waits_is_merged_anew_and_no_work_is_lost() {
    let rig = rig();
    let conflict = merge(&rig, "feature").await.unwrap().conflict.unwrap();
    let at = folder(&rig, &conflict);
    std::fs::write(at.join("readme.md"), "half of the work\n").unwrap();
    rig.git_at(&at, &["add", "readme.md"]);
    rig.git(&["switch", "-q", "feature"]);
    rig.write("late.txt", "late\n");
    rig.commit("feat: late");
    rig.git(&["switch", "-q", "main"]);
    let again = merge(&rig, "feature").await.unwrap().conflict.unwrap();
    assert!(again.said[0].contains("moved meanwhile: it is merged anew"), "{again:?}");
    let aside = again.said[0].rsplit(' ').next().unwrap();
    assert_eq!(rig.read(&format!("{aside}/readme.md")), "half of the work\n");
    assert_eq!(std::fs::read_to_string(at.join("late.txt")).unwrap(), "late\n");
    assert_eq!(worktrees(&rig), 2);
}

#[tokio::test]
async fn git_s_own_memory_is_used_where_the_repository_has_one() {
    let rig = rig();
    rig.git(&["config", "rerere.enabled", "true"]);
    let conflict = merge(&rig, "feature").await.unwrap().conflict.unwrap();
    let at = folder(&rig, &conflict);
    for path in ["readme.md", "other.md"] {
        std::fs::write(at.join(path), "by hand\n").unwrap();
    }
    rig.git_at(&at, &["add", "-A"]);
    let merged = merge(&rig, "feature").await.unwrap();
    assert!(merged.solved.iter().all(|solved| solved.rule == "person"), "{merged:?}");
    rig.git(&["update-ref", "-d", "refs/orchestrate/candidate/main"]);
    let again = merge(&rig, "feature").await.unwrap();
    assert!(
        again.conflict.is_none() && again.solved.iter().all(|solved| solved.rule == "rerere"),
        "{again:?}"
    );
    let tree = |commit: &str| rig.git(&["rev-parse", &format!("{commit}^{{tree}}")]);
    assert_eq!(tree(&again.commit), tree(&merged.commit));
    rig.git(&["update-ref", "-d", "refs/orchestrate/candidate/main"]);
    let off = BuiltIn { rerere: false, ..BuiltIn::default() };
    let input = MergeInput { rules: Rules { rules: Vec::new(), builtin: off }, ..merge_input("feature") };
    assert!(rig.call(MergeIntoBranch, input).await.unwrap().conflict.is_some());
}

#[tokio::test]
async fn undone_the_worktree_of_a_conflict_goes_too() {
    let rig = rig();
    let undo = rig.undo(MergeIntoBranch, &merge_input("feature")).await;
    merge(&rig, "feature").await.unwrap().conflict.unwrap();
    assert_eq!(worktrees(&rig), 2);
    perform(&rig, undo).await.unwrap();
    assert_eq!((worktrees(&rig), candidate(&rig, "main")), (1, None));
}

#[tokio::test]
async fn a_command_writes_generated_files_once_all_else_is_solved() {
    let rig = Rig::new();
    rig.write("parts/a", "a\n");
    rig.write("gen.sh", "cat parts/* > all.txt\n");
    rig.write("all.txt", "a\n");
    rig.commit("feat: start");
    for (branch, part) in [("feature", "b"), ("main", "c")] {
        rig.git(&["switch", "-q", "-C", branch, if branch == "main" { "main" } else { "HEAD" }]);
        rig.write(&format!("parts/{part}"), &format!("{part}\n"));
        rig.write("all.txt", &format!("a\n{part}\n"));
        rig.write("readme.md", &format!("{part}\n"));
        rig.commit("feat: a part");
    }
    let generated = |command: &[&str]| rule(&["all.txt"], Use::Regenerate, command);
    let waits =
        rig.call(MergeIntoBranch, ruled(Strategy::Merge, vec![generated(&["sh", "gen.sh"])])).await.unwrap();
    let conflict = waits.conflict.unwrap();
    assert_eq!(paths(&conflict), ["readme.md", "all.txt"]);
    assert!(conflict.files[1].why.contains("once the other files are solved"), "{conflict:?}");
    let at = folder(&rig, &conflict);
    std::fs::write(at.join("readme.md"), "both\n").unwrap();
    rig.git_at(&at, &["add", "readme.md"]);
    let merged =
        rig.call(MergeIntoBranch, ruled(Strategy::Merge, vec![generated(&["sh", "gen.sh"])])).await.unwrap();
    assert_eq!(rig.git(&["show", &format!("{}:all.txt", merged.commit)]), "a\nb\nc");
    let rules: Vec<String> = merged.solved.iter().map(|one| format!("{} {}", one.path, one.rule)).collect();
    assert_eq!(rules, ["all.txt regenerate", "readme.md person"]);

    // Commands that fail, do nothing, or do more than they were to.
    let readme = || rule(&["readme.md"], Use::Ours, &[]);
    for (command, why) in [
        (&["false"][..], "`false` failed"),
        (&["no-such-tool-here"], "`no-such-tool-here` is not installed"),
        (&["true"], "conflict markers are left"),
        (&["sh", "-c", "sh gen.sh; echo x >> gen.sh"], "its tool changed `gen.sh` too"),
    ] {
        rig.git(&["update-ref", "-d", "refs/orchestrate/candidate/main"]);
        let input = ruled(Strategy::Merge, vec![generated(command), readme()]);
        let conflict = rig.call(MergeIntoBranch, input).await.unwrap().conflict.unwrap();
        assert_eq!(paths(&conflict), ["all.txt"]);
        assert!(conflict.files[0].why.contains(why), "{conflict:?}");
        let at = folder(&rig, &conflict);
        assert_eq!(
            rig.git_at(&at, &["status", "--porcelain", "gen.sh"]),
            "",
            "what a tool did besides is put back"
        );
        assert!(std::fs::read_to_string(at.join("all.txt")).unwrap().contains("<<<<<<<"));
    }
}

#[tokio::test]
async fn a_preview_tells_what_conflicts_and_changes_nothing() {
    let rig = rig();
    rig.branch("clean", "clean.txt", "x\n", "feat: clean");
    rig.branch("after", "clean.txt", "y\n", "feat: after");
    let before = seen_by_the_user(&rig);
    let of = |branch: &str, strategy| PreviewBranch { branch: branch.into(), strategy };
    let branches = vec![
        of("feature", Strategy::Rebase),
        of("clean", Strategy::Squash),
        of("after", Strategy::Merge),
        of("feature", Strategy::FastForward),
        of("absent", Strategy::Merge),
    ];
    let rules = Rules {
        rules: vec![rule(&["other.md"], Use::Ours, &[])],
        builtin: BuiltIn { rerere: false, mergiraf: false, ..BuiltIn::default() },
    };
    let input = PreviewInput { into: "main".into(), remote: None, branches, rules };
    let seen = rig.call(PreviewMerges, input).await.unwrap().branches;
    let told: Vec<String> =
        seen[0].files.iter().map(|file| format!("{} {:?}", file.path, file.rule)).collect();
    assert_eq!(told, ["other.md Some(\"ours\")", "readme.md None"]);
    assert!(seen[1].files.is_empty() && seen[1].fails.is_none());
    assert_eq!(seen[2].files[0].path, "clean.txt", "on top of the one before");
    assert!(seen[3].fails.as_ref().unwrap().contains("cannot be fast-forwarded"));
    assert!(seen[4].fails.as_ref().unwrap().contains("no branch `absent`"));
    assert_eq!(
        (seen_by_the_user(&rig), rig.git(&["for-each-ref", "refs/orchestrate"])),
        (before, String::new())
    );
}
