use orchestrator_core::agent::Agent;
use orchestrator_core::operation::Already;
use orchestrator_core::testkit::task;

use super::*;
use crate::merge::ops::{NextVersion, ReleaseInput, VersionFound, VersionInput};
use crate::merge::{Changelog, ChangelogConfig};

const MANIFEST: &str = "[package]\nname = \"school\"\nversion = \"0.1.0\" # ours\n\n[dependencies]\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"dep\"\nversion = \"0.1.0\"\nsource = \"x\"\n\n\
                    [[package]]\nname = \"school\"\nversion = \"0.1.0\"\n";

fn project() -> Rig {
    let rig = Rig::new();
    rig.write("Cargo.toml", MANIFEST);
    rig.write("Cargo.lock", LOCK);
    rig.commit("feat: start");
    rig.git(&["tag", "-a", "-m", "x", "v0.1.0"]);
    rig.git(&["tag", "-a", "-m", "x", "v0.1.0-20260101-000000"]);
    rig.branch("feature", "new.txt", "new\n", "feat(api): a door");
    rig
}

async fn version(rig: &Rig, including: &[&str]) -> VersionFound {
    let including = including.iter().map(|branch| (*branch).to_owned()).collect();
    let stamp = "20261120-234433".to_owned();
    let input = VersionInput { branch: "main".into(), remote: None, including, version: None, stamp };
    rig.call(NextVersion, input).await.unwrap()
}

fn config(bump: bool, including: &[&str]) -> ChangelogConfig {
    let including = including.iter().map(|branch| (*branch).to_owned()).collect();
    ChangelogConfig { including, bump, ..ChangelogConfig::of("0.2.0".to_owned()) }
}

async fn planned(rig: &Rig, config: ChangelogConfig) -> Option<ReleaseInput> {
    let actions = Changelog.plan(&task(config), &rig.look()).await.unwrap();
    actions.into_iter().next().map(|action| match action {
        Action::Call(call) => call.input.parse().unwrap(),
        other => panic!("not a call: {other}"),
    })
}

#[tokio::test]
async fn a_dry_run_finds_what_the_real_run_finds() {
    let rig = project();
    assert_eq!(version(&rig, &[]).await.version, "0.1.0");
    let dry = version(&rig, &["feature"]).await;
    assert_eq!((dry.version.as_str(), dry.commits), ("0.2.0", 1));
    assert_eq!((dry.release.as_str(), dry.tag.as_str()), ("v0.2.0", "v0.2.0-20261120-234433"));
    assert_eq!(dry.previous.as_deref(), Some("v0.1.0"));
    let shown = planned(&rig, config(true, &["feature"])).await;
    merge(&rig, "feature").await.unwrap();
    assert_eq!(version(&rig, &["feature"]).await, dry);
    assert_eq!(planned(&rig, config(true, &["feature"])).await, shown);
}

#[tokio::test]
async fn a_branch_that_was_squashed_counts_once() {
    let rig = project();
    rig.call(MergeIntoBranch, by(Strategy::Squash, "feature")).await.unwrap();
    let found = version(&rig, &["feature"]).await;
    assert_eq!((found.version.as_str(), found.commits), ("0.2.0", 1));
    land(&rig).await.unwrap();
    let later = version(&rig, &["feature"]).await;
    assert_eq!((later.version.as_str(), later.commits), ("0.2.0", 1));
}

#[tokio::test]
async fn a_first_release_takes_the_version_of_the_manifest() {
    let rig = Rig::new();
    assert_eq!(version(&rig, &[]).await.version, "0.1.0");
    rig.write("package.json", "{\n  \"name\": \"x\",\n  \"version\": \"3.1.4\"\n}\n");
    rig.commit("feat: manifest");
    let found = version(&rig, &[]).await;
    assert_eq!((found.version.as_str(), found.previous), ("3.1.4", None));
}

#[tokio::test]
async fn a_release_is_committed_once_and_can_be_undone() {
    let rig = project();
    merge(&rig, "feature").await.unwrap();
    rig.write("untracked.txt", "x\n");
    let before = rig.git(&["rev-parse", "main"]);
    let input = planned(&rig, config(true, &[])).await.unwrap();
    let made = rig.call_as(ReleaseCommit, input.clone(), 1).await.unwrap();
    assert_eq!(rig.already(ReleaseCommit, &input, 1).await, Already::Done(made.clone()));
    assert_eq!(rig.already(ReleaseCommit, &input, 2).await, Already::NotDone);
    assert_eq!(planned(&rig, config(true, &[])).await, None, "everything is prepared");
    assert_eq!(
        rig.call_as(ReleaseCommit, input.clone(), 2).await.unwrap(),
        made,
        "asked for twice, made once"
    );
    assert_eq!(rig.git(&["rev-parse", "main"]), before, "nothing lands before it is let out");
    land(&rig).await.unwrap();
    assert_eq!(rig.git(&["log", "-1", "--format=%s"]), "chore(release): v0.2.0");
    assert_eq!(rig.read("Cargo.toml"), MANIFEST.replace("0.1.0", "0.2.0"));
    assert!(rig.read("Cargo.lock").ends_with("name = \"school\"\nversion = \"0.2.0\"\n"));
    assert!(rig.read("Cargo.lock").contains("name = \"dep\"\nversion = \"0.1.0\""));
    assert!(rig.read("CHANGELOG.md").contains("## [0.2.0] - 2026-11-20\n\n### Added\n\n- **api:** a door ("));
    assert!(rig.read("docs/releases/v0.2.0.md").contains("## Contributors\n\n- Ada\n"));
    assert_eq!(rig.git(&["status", "--porcelain"]), "?? untracked.txt");
    assert_eq!(planned(&rig, config(true, &[])).await, None, "everything is written");
    // A run after one that died before it tagged finds the same release.
    assert_eq!(version(&rig, &[]).await.version, "0.2.0");
    let error = rig.call_as(ReleaseCommit, input, 2).await.unwrap_err().to_string();
    assert!(error.contains("changed since the release was prepared"), "{error}");
}

#[tokio::test]
async fn a_release_that_did_not_land_is_undone() {
    let rig = project();
    let merged = merge(&rig, "feature").await.unwrap();
    let input = planned(&rig, config(true, &[])).await.unwrap();
    let undo = rig.undo(ReleaseCommit, &input).await;
    rig.call_as(ReleaseCommit, input, 1).await.unwrap();
    perform(&rig, undo).await.unwrap();
    assert_eq!(candidate(&rig, "main"), Some(merged.commit));
}

#[tokio::test]
async fn tags_are_made_once_and_only_ours_are_deleted() {
    let rig = project();
    let tags = vec!["v0.2.0".to_owned(), "v0.2.0-20261120-234433".to_owned()];
    let input = TagInput { tags: tags.clone(), branch: "main".into(), message: "Release v0.2.0".into() };
    let undo = rig.undo(CreateTag, &input).await;
    assert_eq!(rig.already(CreateTag, &input, 0).await, Already::NotDone);
    let tagged = rig.call(CreateTag, input.clone()).await.unwrap();
    assert_eq!(tagged.commit, rig.git(&["rev-parse", "v0.2.0^{commit}"]));
    assert_eq!(rig.git(&["cat-file", "-t", "v0.2.0"]), "tag");
    assert_eq!(rig.already(CreateTag, &input, 0).await, Already::Done(tagged.clone()));
    assert_eq!(rig.call(CreateTag, input.clone()).await.unwrap(), tagged);
    assert!(rig.undo(CreateTag, &input).await.is_empty());
    // Killed after the tags, before the push: the next run finishes the same release.
    assert_eq!(version(&rig, &[]).await.tag, "v0.2.0-20261120-234433");
    perform(&rig, undo.clone()).await.unwrap();
    assert_eq!(rig.git(&["tag", "--list", "v0.2.0*"]), "");
    rig.git(&["tag", "-a", "-m", "by hand", "v0.2.0"]);
    perform(&rig, undo).await.unwrap_err();
    rig.commit("feat: more");
    let error = rig.call(CreateTag, input).await.unwrap_err().to_string();
    assert!(error.contains("tag `v0.2.0` is there already"), "{error}");
    assert_eq!(rig.git(&["tag", "--list", "v0.2.0*"]), "v0.2.0");
}
