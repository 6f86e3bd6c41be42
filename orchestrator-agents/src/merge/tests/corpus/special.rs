//! Kinds that take more than one merge, or another repository.

use super::*;

#[tokio::test]
async fn three_branches_go_in_one_after_the_other() {
    let rig = Rig::new();
    let mut tips = Vec::new();
    for branch in ["a", "b", "c"] {
        tips.push(rig.branch(branch, &format!("{branch}.txt"), "x\n", "feat: x"));
    }
    let before = all_of_the_user(&rig);
    for (index, branch) in ["a", "b", "c"].iter().enumerate() {
        let merged = rig.call_as(MergeIntoBranch, merge_input(branch), index as u32).await.unwrap();
        assert_eq!(merged.conflict, None);
    }
    assert_eq!(all_of_the_user(&rig), before);
    let tip = candidate(&rig, "main").unwrap();
    let second = rig.git(&["log", "--first-parent", "--reverse", "--format=%P", &format!("main..{tip}")]);
    let second: Vec<&str> = second.lines().map(|line| line.split_once(' ').unwrap().1).collect();
    assert_eq!(second, tips);
    assert_eq!(rig.git(&["ls-tree", "--name-only", &tip]), "a.txt\nb.txt\nc.txt\nreadme.md");
}

#[tokio::test]
async fn what_the_user_s_git_recorded_is_used() {
    let rig = Rig::new();
    rig.git(&["config", "rerere.enabled", "true"]);
    rig.branch("feature", "readme.md", "theirs\n", "feat: theirs");
    rig.write("readme.md", "ours\n");
    rig.commit("feat: ours");
    let conflicts = rig.command("git", &["merge", "-q", "feature"], &rig.root);
    assert!(!conflicts.status.success());
    rig.write("readme.md", "by hand\n");
    rig.git(&["commit", "-qam", "by hand"]);
    rig.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let before = all_of_the_user(&rig);
    let merged = merge(&rig, "feature").await.unwrap();
    assert_eq!(merged.solved[0].rule, "rerere");
    assert_eq!(rig.git(&["show", &format!("{}:readme.md", merged.commit)]), "by hand");
    assert_eq!(all_of_the_user(&rig), before);
}

#[tokio::test]
async fn a_shallow_clone_is_merged_as_far_as_it_reaches() {
    let rig = Rig::new();
    rig.write("a", "a\n");
    rig.commit("feat: a");
    rig.branch("feature", "b", "b\n", "feat: b");
    rig.write("c", "c\n");
    rig.commit("feat: c");
    for (depth, merges) in [("1", false), ("2", true)] {
        let clone = Rig::bare();
        std::fs::remove_dir(&clone.root).unwrap();
        let url = format!("file://{}", rig.root.display());
        let to = clone.root.to_str().unwrap();
        clone.git_at(&clone.home, &["clone", "-q", "--depth", depth, "--no-single-branch", &url, to]);
        let came = clone.call(MergeIntoBranch, merge_input("origin/feature")).await;
        match came {
            Ok(merged) => assert!(merges && merged.conflict.is_none(), "{merged:?}"),
            Err(error) => assert!(!merges && error.to_string().contains("no common history"), "{error}"),
        }
    }
}

#[tokio::test]
async fn messages_in_another_encoding_are_read() {
    let rig = Rig::new();
    rig.git(&["switch", "-q", "-c", "feature"]);
    rig.git(&["config", "i18n.commitEncoding", "ISO-8859-1"]);
    rig.write("a", "a\n");
    std::fs::write(rig.home.join("message"), b"fix: sch\xf6n\n").unwrap();
    rig.git(&["add", "-A"]);
    rig.git(&["commit", "-q", "-F", rig.home.join("message").to_str().unwrap()]);
    rig.git(&["switch", "-q", "main"]);
    rig.git(&["config", "--unset", "i18n.commitEncoding"]);
    rig.write("b", "b\n");
    rig.commit("feat: b");
    for strategy in [Strategy::Rebase, Strategy::Squash] {
        let merged = rig.call(MergeIntoBranch, by(strategy, "feature")).await.unwrap();
        assert_eq!(rig.git(&["log", "-1", "--format=%s", &merged.commit]), "fix: schön");
        rig.git(&["update-ref", "-d", "refs/orchestrate/candidate/main"]);
    }
}
