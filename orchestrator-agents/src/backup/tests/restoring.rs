//! Snapshots that are brought back: into a folder, and in place.

use orchestrator_core::agent::{Agent, Verdict};
use orchestrator_core::operation::Already;
use orchestrator_core::order::Artifacts;
use orchestrator_core::testkit::{Kept, done, task};

use super::*;
use crate::backup::ops::{InPlace, PreviewRollBack, RestoreBackup, RestoreInput, Restored, RollBack};
use crate::backup::{Restore, RestoreConfig};

async fn restore(rig: &Rig, made: &Snapshot, to: &str) -> Result<Restored, BoxError> {
    let input = RestoreInput { snapshot: made.snapshot.clone(), to: to.to_owned() };
    rig.call(RestoreBackup, input).await
}

fn in_place(made: &Snapshot, force: bool) -> InPlace {
    InPlace { snapshot: made.snapshot.clone(), force }
}

#[tokio::test]
async fn a_folder_gets_files_refs_and_head() {
    let rig = Rig::new();
    fill(&rig);
    rig.commit("chore: fill");
    rig.git(&["tag", "-a", "v1", "-m", "one"]);
    rig.branch("side", "side.txt", "side\n", "feat: side");
    rig.write("untracked.txt", "new\n");
    rig.write("src/main.rs", "fn main() { changed() }\n");
    let made = backup(&rig).await.unwrap();
    let to = rig.home.join("deep/restored");
    let restored = restore(&rig, &made, to.to_str().unwrap()).await.unwrap();
    assert_eq!((restored.files, restored.refs), (made.files, Some(4)));
    assert!(restored.restore_ms.is_some_and(|ms| ms > 0.0));
    let refs = |folder: &std::path::Path| rig.git_at(folder, &["for-each-ref"]);
    assert_eq!(refs(&to), refs(&rig.root));
    assert_eq!(rig.git_at(&to, &["rev-parse", "--abbrev-ref", "HEAD"]), "main");
    assert_eq!(rig.git_at(&to, &["status", "--porcelain"]), rig.git(&["status", "--porcelain"]));
    assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1, "nothing lies beside it");
    let input = RestoreInput { snapshot: made.snapshot.clone(), to: to.to_str().unwrap().into() };
    let Already::Done(again) = rig.already(RestoreBackup, &input, 0).await else { panic!("not found") };
    assert_eq!((again.files, again.restore_ms), (made.files, None));
    fs::write(to.join("untracked.txt"), "edited\n").unwrap();
    assert_eq!(rig.already(RestoreBackup, &input, 0).await, Already::NotDone);
    let error = restore(&rig, &made, to.to_str().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("is not empty: nothing was restored"), "{error}");
    assert_eq!(fs::read_to_string(to.join("untracked.txt")).unwrap(), "edited\n");
}

#[tokio::test]
async fn a_detached_head_and_a_tree_without_git_come_back() {
    let rig = Rig::new();
    let first = rig.git(&["rev-parse", "HEAD"]);
    rig.commit("feat: second");
    rig.git(&["switch", "-q", "--detach", &first]);
    let lonely = rig.commit("feat: on no branch");
    let made = backup(&rig).await.unwrap();
    let to = rig.home.join("restored");
    fs::create_dir(&to).unwrap();
    restore(&rig, &made, to.to_str().unwrap()).await.unwrap();
    assert_eq!(rig.git_at(&to, &["rev-parse", "HEAD"]), lonely);
    assert_eq!(rig.git_at(&to, &["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    let bare = Rig::bare();
    bare.write("a", "a\n");
    let made = backup(&bare).await.unwrap();
    let to = bare.home.join("restored");
    assert_eq!(restore(&bare, &made, to.to_str().unwrap()).await.unwrap().refs, None);
    assert!(to.join("a").exists() && !to.join(".git").exists());
}

#[tokio::test]
async fn nothing_of_the_project_is_a_place_to_restore_into() {
    let rig = Rig::new();
    let made = backup(&rig).await.unwrap();
    let root = rig.root.to_str().unwrap();
    let link = rig.home.join("link");
    symlink(rig.root.join("backups"), &link).unwrap();
    let bad = [
        "restored".to_owned(),
        "/".into(),
        root.into(),
        rig.home.to_str().unwrap().into(),
        format!("{root}/backups/x"),
        format!("{root}/.git/x"),
        format!("{}/x", link.display()),
        format!("{root}/readme.md"),
    ];
    for to in bad {
        let error = restore(&rig, &made, &to).await.unwrap_err().to_string();
        assert!(
            ["no folder to restore into", "cannot be restored", "not empty"]
                .iter()
                .any(|why| error.contains(why)),
            "{to}: {error}"
        );
    }
    let archive = archive(&rig, made.snapshot.as_str());
    fs::write(&archive, "cut").unwrap();
    let error = restore(&rig, &made, rig.home.join("x").to_str().unwrap()).await.unwrap_err().to_string();
    let archive = archive.file_name().unwrap().to_str().unwrap();
    let said = format!("is damaged: `{archive}`: content differs; nothing was restored");
    assert!(error.contains(&said), "{error}");
    assert!(!rig.home.join("x").exists());
}

#[tokio::test]
async fn in_place_keeps_what_it_replaces_and_refuses_newer_work() {
    let rig = Rig::new();
    let made = backup(&rig).await.unwrap();
    let error = rig.call(RollBack, in_place(&made, false)).await.unwrap_err().to_string();
    assert!(error.contains("has no `rollback.sh`"), "{error}");
    script(&rig, &made).await.unwrap();
    rig.write("readme.md", "two\n");
    let second = rig.commit("feat: second");
    rig.write("new.txt", "uncommitted\n");
    let seen = rig.call(PreviewRollBack, in_place(&made, false)).await.unwrap();
    assert_eq!(seen.newer, ["new.txt"]);
    assert!(seen.changes.iter().any(|line| line.contains("refs/heads/main")), "{seen:?}");
    assert_eq!(
        (rig.git(&["rev-parse", "HEAD"]), rig.read("new.txt")),
        (second.clone(), "uncommitted\n".to_owned())
    );
    let error = rig.call(RollBack, in_place(&made, false)).await.unwrap_err().to_string();
    assert!(error.contains("nothing was restored") && error.contains("new.txt"), "{error}");
    assert_eq!(rig.git(&["rev-parse", "HEAD"]), second);
    let done = rig.call(RollBack, in_place(&made, true)).await.unwrap();
    assert_eq!(done.kept.as_deref(), Some("refs/before-rollback/1"));
    assert_eq!((rig.read("readme.md"), rig.root.join("new.txt").exists()), ("one\n".to_owned(), false));
    assert_eq!(rig.git(&["rev-parse", "refs/before-rollback/1/HEAD"]), second);
    assert_eq!(rig.git(&["show", "refs/before-rollback/1/files:new.txt"]), "uncommitted");
    let again = rig.call(RollBack, in_place(&made, false)).await.unwrap();
    assert_eq!(again.kept, None, "there is nothing to replace");
    let path = rig.root.join(made.snapshot.as_str()).join("rollback.sh");
    fs::write(&path, "#!/bin/sh\nrm -rf everything\n").unwrap();
    let error = rig.call(RollBack, in_place(&made, true)).await.unwrap_err().to_string();
    assert!(error.contains("`rollback.sh`: content differs"), "{error}");
}

#[test]
fn a_refusal_says_what_is_newer_and_what_to_do() {
    let config = RestoreConfig { snapshot: path("backups/x"), to: None, force: false };
    let kept = Kept::default();
    let seen = serde_json::json!({ "changes": [], "lines": 0, "newer": ["src/main.rs"] });
    let verdict = Restore.conclude(&task(config.clone()), &[done(&seen)], &Artifacts::new(&kept)).unwrap();
    let Verdict::Failed(conclusion) = verdict else { panic!("{verdict:?}") };
    assert!(conclusion.summary.contains("src/main.rs") && conclusion.summary.contains("--force"));
    assert_eq!(conclusion.findings.len(), 1);
    let config = RestoreConfig { force: true, ..config };
    let verdict = Restore.conclude(&task(config), &[done(&seen)], &Artifacts::new(&kept)).unwrap();
    assert!(
        matches!(verdict, Verdict::More { ref actions, .. } if actions[0].to_string().contains("call roll-back"))
    );
}
