use std::time::{Duration, Instant};

use orchestrator_core::operation::{Already, Transient};
use orchestrator_core::stop::StopLevel;

use super::*;
use crate::merge::ops::Pushed;

fn release() -> PushInput {
    serde_json::from_str(r#"{"remote": "origin", "branch": "main", "tags": ["v1.0.0"]}"#).unwrap()
}

fn tagged() -> Rig {
    let rig = Rig::new();
    rig.remote();
    rig.commit("feat: more");
    rig.git(&["tag", "-a", "-m", "one", "v1.0.0"]);
    rig
}

#[tokio::test]
async fn a_push_is_known_to_have_been_made() {
    let rig = tagged();
    assert_eq!(rig.already(PushRelease, &release(), 0).await, Already::NotDone);
    let pushed = rig.call(PushRelease, release()).await.unwrap();
    assert_eq!(pushed.refs["refs/heads/main"], rig.git(&["rev-parse", "main"]));
    assert_eq!(rig.already(PushRelease, &release(), 0).await, Already::Done(pushed.clone()));
    let again = rig.call(PushRelease, release()).await.unwrap();
    assert_eq!(again, Pushed { already_so: true, ..pushed });
    rig.commit("feat: even more");
    assert_eq!(
        rig.already(PushRelease, &release(), 0).await,
        Already::Unknown,
        "the tag is there, the branch not"
    );
    assert!(rig.undo(PushRelease, &release()).await.is_empty());
}

#[tokio::test]
async fn a_remote_that_moved_gets_nothing() {
    let rig = tagged();
    let remote = rig.home.join("origin.git");
    let clone = rig.home.join("clone");
    rig.git(&["clone", "-q", remote.to_str().unwrap(), clone.to_str().unwrap()]);
    rig.git_at(&clone, &["commit", "-q", "--allow-empty", "-m", "feat: theirs"]);
    rig.git_at(&clone, &["push", "-q", "origin", "main"]);
    let theirs = rig.git_at(&remote, &["rev-parse", "main"]);
    let pushed = rig.call(PushRelease, release()).await.unwrap();
    assert_eq!((pushed.moved.as_ref(), pushed.refs.len()), (Some(&theirs), 0));
    assert_eq!(rig.git_at(&remote, &["rev-parse", "main"]), theirs);
    assert_eq!(rig.git_at(&remote, &["tag"]), "");
}

#[tokio::test]
async fn a_hook_that_says_no_is_quoted_and_nothing_lands() {
    use std::os::unix::fs::PermissionsExt;
    let rig = tagged();
    let hook = rig.home.join("origin.git/hooks/update");
    std::fs::write(&hook, "#!/bin/sh\ncase $1 in refs/tags/*) exit 1;; esac\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    let old = rig.git_at(&rig.home.join("origin.git"), &["rev-parse", "main"]);
    let error = rig.call(PushRelease, release()).await.unwrap_err().to_string();
    assert!(error.contains("`refs/tags/v1.0.0`") && error.contains("hook declined"), "{error}");
    assert_eq!(rig.git_at(&rig.home.join("origin.git"), &["rev-parse", "main"]), old);
}

#[tokio::test]
async fn a_remote_that_is_not_there_may_come_back() {
    let rig = tagged();
    rig.git(&["remote", "set-url", "origin", "http://127.0.0.1:9/nothing.git"]);
    let error = rig.call(PushRelease, release()).await.unwrap_err();
    assert!(error.is::<Transient>(), "{error}");
    // Calling again is safe: it asks first.
    assert_eq!(rig.already(PushRelease, &release(), 0).await, Already::NotDone);
    let nowhere = PushInput { remote: "nowhere".into(), ..release() };
    let error = rig.call(PushRelease, nowhere).await.unwrap_err();
    assert!(!error.is::<Transient>(), "{error}");
}

#[tokio::test]
async fn a_remote_that_hangs_is_left_on_request() {
    let rig = tagged();
    rig.git(&["config", "core.sshCommand", "sleep 600 #"]);
    rig.git(&["remote", "set-url", "origin", "ssh://host.invalid/x.git"]);
    let stop = rig.stop.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        stop.raise(StopLevel::Graceful);
    });
    let start = Instant::now();
    let error = rig.call(PushRelease, release()).await.unwrap_err().to_string();
    assert!(error.contains("stopped"), "{error}");
    assert!(start.elapsed() < Duration::from_mins(2), "it did not wait for the remote");
}
