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
    rig.call(NextVersion, VersionInput { including, ..asked() }).await.unwrap()
}

fn asked() -> VersionInput {
    serde_json::from_str(r#"{"branch": "main", "stamp": "20261120-234433"}"#).unwrap()
}

async fn found(rig: &Rig, input: VersionInput) -> Result<String, String> {
    rig.call(NextVersion, input).await.map(|found| found.version).map_err(|error| error.to_string())
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
    assert!(rig.read("docs/releases/v0.2.0.md").contains("## Contributors\n\n- Ada (1 commit)\n"));
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
    let input = TagInput {
        tags: tags.clone(),
        branch: "main".into(),
        message: "Release v0.2.0".into(),
        remote: None,
    };
    let undo = rig.undo(CreateTag, &input).await;
    assert_eq!(rig.already(CreateTag, &input, 0).await, Already::NotDone);
    let tagged = rig.call(CreateTag, input.clone()).await.unwrap();
    assert_eq!(tagged.commit.as_deref(), Some(&*rig.git(&["rev-parse", "v0.2.0^{commit}"])));
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

#[tokio::test]
async fn deleted_tags_come_back_as_the_very_same_objects() {
    let rig = project();
    let tags = vec!["v0.2.0".to_owned(), "v0.2.0-20261120-234433".to_owned()];
    let input = TagInput {
        tags: tags.clone(),
        branch: "main".into(),
        message: "Release v0.2.0".into(),
        remote: None,
    };
    rig.call(CreateTag, input).await.unwrap();
    let refs = || rig.git(&["for-each-ref", "refs/tags"]);
    let before = refs();
    let names = TagNames { tags: vec![tags[0].clone(), tags[1].clone(), "never-there".into()] };
    let back = rig.undo(DeleteTag, &names).await;
    rig.call(DeleteTag, names.clone()).await.unwrap();
    assert!(rig.undo(DeleteTag, &names).await.is_empty());
    // Its own undo, captured before it is performed, deletes them again.
    let Action::Call(call) = &back[0] else { panic!("not a call: {}", back[0]) };
    let forth = rig.undo(RestoreTag, &call.input.parse().unwrap()).await;
    for _ in 0..2 {
        perform(&rig, back.clone()).await.unwrap();
        assert_eq!(refs(), before);
    }
    perform(&rig, forth).await.unwrap();
    assert_eq!(rig.git(&["tag", "--list", "v0.2.0*"]), "");

    // One that somebody made meanwhile is left.
    rig.git(&["tag", "-a", "-m", "by hand", "v0.2.0"]);
    let theirs = refs();
    let error = perform(&rig, back.clone()).await.unwrap_err().to_string();
    assert!(error.contains("tag `v0.2.0` is there already"), "{error}");
    assert_eq!(refs(), theirs);
    rig.git(&["tag", "-d", "v0.2.0"]);
    rig.git(&["gc", "--quiet", "--prune=now"]);
    let error = perform(&rig, back).await.unwrap_err().to_string();
    assert!(error.contains("is not in the repository any more"), "{error}");
}

#[tokio::test]
async fn what_was_pushed_has_advice() {
    let input = PushInput {
        remote: "origin".into(),
        branch: "main".into(),
        tags: vec!["v1".into(), "v1-x".into()],
        commit: None,
        checked: false,
        mode: crate::merge::push::Mode::Auto,
        limit_ms: None,
    };
    let advice = orchestrator_core::operation::Operation::advice(&PushRelease, &input).unwrap();
    assert!(
        advice.contains("next patch version")
            && advice.ends_with("`git push origin :refs/tags/v1 :refs/tags/v1-x`")
    );
}

#[tokio::test]
async fn given_versions_go_up_and_pre_releases_are_counted() {
    let rig = project();
    rig.commit("feat: more");
    let given = |version: &str| VersionInput { version: Some(version.into()), ..asked() };
    assert_eq!(found(&rig, given("v2.0.0")).await.unwrap(), "2.0.0");
    for low in ["0.1.0", "0.0.9", "0.1.0-rc.1"] {
        let error = found(&rig, given(low)).await.unwrap_err();
        assert!(error.contains("does not follow 0.1.0"), "{error}");
    }
    let pre = || VersionInput { prerelease: Some("rc".into()), ..asked() };
    assert_eq!(found(&rig, pre()).await.unwrap(), "0.2.0-rc.1");
    rig.git(&["tag", "-a", "-m", "x", "v0.2.0-rc.1"]);
    assert_eq!(found(&rig, pre()).await.unwrap(), "0.2.0-rc.1", "nothing came since");
    rig.commit("fix: less");
    let second = rig.call(NextVersion, pre()).await.unwrap();
    assert_eq!((second.version.as_str(), second.commits), ("0.2.0-rc.2", 1));
    let whole = rig.call(NextVersion, asked()).await.unwrap();
    assert_eq!(
        (whole.version.as_str(), whole.commits),
        ("0.2.0", 2),
        "a release tells what its pre-releases told"
    );
    let both = VersionInput { version: Some("3.0.0".into()), ..pre() };
    assert!(found(&rig, both).await.unwrap_err().contains("both given"));
    let odd = VersionInput { tag_prefix: "a b".into(), ..asked() };
    assert!(found(&rig, odd).await.unwrap_err().contains("`a b`"));
}

#[tokio::test]
async fn a_part_of_a_repository_has_releases_of_its_own() {
    let rig = project();
    rig.write("packages/api/package.json", "{\n\t\"version\": \"1.0.0\"\n}\n");
    rig.write("packages/api/package-lock.json", "{\n\t\"version\": \"1.0.0\"\n}");
    rig.commit("feat: api");
    rig.git(&["tag", "-a", "-m", "x", "api/v1.0.0"]);
    rig.commit("feat!: elsewhere");
    let path = orchestrator_core::path::RelPath::new("packages/api").unwrap();
    let part = || VersionInput { tag_prefix: "api/v".into(), path: path.clone(), ..asked() };
    assert!(rig.call(NextVersion, part()).await.unwrap().nothing_new);
    rig.write("packages/api/x.txt", "x\n");
    rig.commit("fix: here");
    let next = rig.call(NextVersion, part()).await.unwrap();
    assert_eq!((next.release.as_str(), next.previous.as_deref()), ("api/v1.0.1", Some("api/v1.0.0")));
    let config = ChangelogConfig {
        tag_prefix: "api/v".into(),
        path,
        bump: true,
        ..ChangelogConfig::of("1.0.1".to_owned())
    };
    let input = planned(&rig, config).await.unwrap();
    assert_eq!(input.message, "chore(release): api/v1.0.1");
    rig.call(ReleaseCommit, input).await.unwrap();
    land(&rig).await.unwrap();
    assert_eq!(rig.read("packages/api/package.json"), "{\n\t\"version\": \"1.0.1\"\n}\n");
    assert_eq!(rig.read("packages/api/package-lock.json"), "{\n\t\"version\": \"1.0.1\"\n}");
    assert!(rig.read("packages/api/CHANGELOG.md").contains("### Fixed\n\n- here ("));
    assert!(rig.read("packages/api/docs/releases/v1.0.1.md").starts_with("# api/v1.0.1\n"));
    assert_eq!(rig.read("Cargo.toml"), MANIFEST);
}

#[tokio::test]
async fn a_tag_of_others_on_the_remote_is_an_error_before_anything_is_written() {
    let rig = project();
    rig.remote();
    rig.commit("feat: more");
    let asked = || VersionInput { remote: Some("origin".into()), ..asked() };
    assert_eq!(found(&rig, asked()).await.unwrap(), "0.2.0");
    rig.git(&["tag", "-a", "-m", "theirs", "v0.2.0", "feature"]);
    rig.git(&["push", "-q", "origin", "v0.2.0"]);
    for _ in 0..2 {
        let error = found(&rig, asked()).await.unwrap_err();
        assert!(
            error.contains("`origin` has a tag `v0.2.0` already") && error.contains("git fetch --tags"),
            "{error}"
        );
        rig.git(&["tag", "-d", "v0.2.0"]);
        rig.git(&["tag", "-a", "-m", "mine", "v0.2.0", "feature"]);
    }
}

#[tokio::test]
async fn contributors_are_those_of_the_mailmap() {
    let rig = Rig::new();
    rig.write(".mailmap", "Augusta Ada <ada@example.org>\nRobert <bob@example.org>\n");
    rig.commit("fix: a\n\nCo-authored-by: bobby <bob@example.org>\nCo-authored-by: Eve <eve@example.org>");
    let input = planned(&rig, ChangelogConfig::of("0.1.0".to_owned())).await.unwrap();
    rig.call(ReleaseCommit, input).await.unwrap();
    land(&rig).await.unwrap();
    let notes = rig.read("docs/releases/v0.1.0.md");
    assert!(notes.starts_with("# v0.1.0\n\n2026-11-20: 2 commits by 3 people.\n"), "{notes}");
    assert!(
        notes.ends_with(
            "## Contributors\n\n- Augusta Ada (2 commits)\n- Eve (1 commit)\n- Robert (1 commit)\n"
        ),
        "{notes}"
    );
    assert!(!notes.contains('@'));
}

#[tokio::test]
async fn a_workspace_moves_as_one() {
    let rig = Rig::new();
    rig.write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"*\"]\n[workspace.package]\nversion = \"0.1.0\"\n[workspace.dependencies]\n\
         core = { path = \"core\", version = \"=0.1.0\", features = [\"x\"] } # kept\nother = \"0.1.0\"\n",
    );
    let member = |name: &str, more: &str| {
        rig.write(
            &format!("{name}/Cargo.toml"),
            &format!("[package]\nname = \"{name}\"\nversion.workspace = true\n{more}"),
        );
    };
    member("core", "");
    member(
        "cli",
        "[target.'cfg(unix)'.dependencies.k]\npackage = \"core\"\npath = \"../core\"\nversion = '0.1.0'\n",
    );
    rig.write("own/Cargo.toml", "[package]\nname = \"own\"\nversion = \"0.1.0\"\n");
    rig.write("Cargo.lock", "[[package]]\nname = \"core\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n");
    rig.write("pyproject.toml", "[project]\nname = \"My_School\"\nversion = \"0.1.0\"\n");
    rig.write(
        "uv.lock",
        "[[package]]\nname = \"my-school\"\nversion = \"0.1.0\"\nsource = { editable = \".\" }\n",
    );
    rig.write("composer.json", "{\"version\": \"0.1.0\"}");
    rig.commit("feat: start");
    let input = planned(&rig, config(true, &[])).await.unwrap();
    rig.call(ReleaseCommit, input).await.unwrap();
    land(&rig).await.unwrap();
    let root = rig.read("Cargo.toml");
    assert!(
        root.contains("version = \"0.2.0\"\n[workspace.dep") && root.contains("other = \"0.1.0\""),
        "{root}"
    );
    assert!(
        root.contains("core = { path = \"core\", version = \"=0.2.0\", features = [\"x\"] } # kept"),
        "{root}"
    );
    assert!(rig.read("cli/Cargo.toml").ends_with("version = '0.2.0'\n"));
    assert!(rig.read("own/Cargo.toml").contains("0.1.0"));
    assert_eq!(
        rig.read("Cargo.lock"),
        "[[package]]\nname = \"core\"\nversion = \"0.2.0\"\n\n[[package]]\nname = \"own\"\nversion = \"0.1.0\"\n"
    );
    assert!(rig.read("uv.lock").contains("0.2.0") && rig.read("pyproject.toml").contains("0.2.0"));
    assert_eq!(rig.read("composer.json"), "{\"version\": \"0.2.0\"}");
}
