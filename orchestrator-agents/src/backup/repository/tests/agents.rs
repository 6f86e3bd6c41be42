use orchestrator_core::agent::{Agent, Verdict};
use orchestrator_core::json::Json;
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::outcome::Failure;
use orchestrator_core::path::Digest;
use orchestrator_core::phase::{Draft, Phase};
use orchestrator_core::project::Project;
use orchestrator_core::settings::Settings;
use orchestrator_core::testkit::{Kept, done, task};

use super::*;
use crate::backup::RestartBackup;
use crate::backup::repository::{RepositoryBackup, RepositoryBackupConfig};

fn config() -> RepositoryBackupConfig {
    serde_json::from_value(json!({ "repository": beside(), "include": [".env"] })).unwrap()
}

fn conclude(carried: Json, receipts: &[Receipt]) -> Verdict<StoredBackup> {
    let kept = Kept::default();
    let mut task = task(config());
    task.carried = carried;
    RepositoryBackup.conclude(&task, receipts, &Artifacts::new(&kept)).unwrap()
}

#[tokio::test]
async fn a_dry_run_shows_where_the_key_comes_from() {
    let rig = Rig::bare();
    let actions = RepositoryBackup.plan(&task(config()), &rig.look()).await.unwrap();
    let place = r#"{"path":"../backups.restic","password":{"secret":"BACKUP_PASSWORD"}}"#;
    assert_eq!(
        actions[0].to_string(),
        format!(r#"call look-at-repository {{"repository":{place}}} [reads]"#)
    );
    let looked = |id: Option<&str>| conclude(Json::null(), &[done(json!({ "id": id, "snapshots": 0 }))]);
    let Verdict::More { actions, carried } = looked(None) else { panic!("nothing to do") };
    let shown: Vec<String> = actions.iter().map(ToString::to_string).collect();
    let store =
        format!(r#"call store-backup {{"repository":{place},"to":"backups","include":[".env"]}} [writes]"#);
    let init = format!(r#"call init-repository {{"repository":{place}}} [writes]"#);
    assert_eq!(shown, [init, store.clone()]);
    let stored = json!({ "snapshot": "0123456789abcdef", "manifest": Digest::of(b"x"), "files": 3, "tree_bytes": 9,
        "added": 52_340_000, "head": null, "refs": true, "unsettled": [], "took_ms": 1.0 });
    let Verdict::Passed(end) = conclude(carried, &[done(json!({ "id": "i" })), done(&stored)]) else {
        panic!("not passed")
    };
    assert_eq!(end.summary, "Backup stored in `../backups.restic` (52.3 MB added, snapshot 01234567)");
    assert!(end.findings[0].message.contains("its password is in the secret `BACKUP_PASSWORD`"));
    let Verdict::More { actions, carried } = looked(Some("i")) else { panic!("nothing to do") };
    assert_eq!(actions.iter().map(ToString::to_string).collect::<Vec<_>>(), [store]);
    let Verdict::Passed(end) = conclude(carried.clone(), &[done(&stored)]) else { panic!("not passed") };
    assert!(end.findings.is_empty());
    let failed = Receipt::failed(Failure::new("no room"), false);
    let Verdict::Failed(end) = conclude(carried, &[failed]) else { panic!("not failed") };
    assert_eq!(end.summary, "no room");
}

/// The tasks of the phase.
fn drafted(with: &serde_json::Value) -> Result<Vec<String>, String> {
    let settings = Settings::default();
    let mut draft = Draft::new(&settings, with);
    RestartBackup.draft(&Project::default(), &mut draft).map_err(|error| error.to_string())?;
    let registry = crate::standard();
    let (groups, _) = draft.finish();
    let tasks = groups.iter().flat_map(|group| &group.tasks);
    let checked = tasks.map(|task| {
        registry.agents()[&task.agent].check(&task.config()).map_err(|error| error.to_string())?;
        Ok(task.id.to_string())
    });
    checked.collect()
}

#[test]
fn the_phase_drafts_what_the_repository_needs() {
    let key = json!({ "secret": "KEY" });
    let with = |repository: serde_json::Value| drafted(&json!({ "repository": repository }));
    let snapshot = ["reset-environment", "check-disk", "backup", "verify-backup", "rollback-script"];
    let repository = ["repository-backup", "repository-verify"];
    assert_eq!(
        with(json!({ "path": "../b", "password": key })).unwrap(),
        [&snapshot[..], &repository].concat()
    );
    let instead = json!({ "path": "../b", "password": key, "instead": true, "keep": { "last": 3 } });
    assert_eq!(
        with(instead).unwrap(),
        ["reset-environment", "check-disk", "repository-backup", "repository-verify", "repository-prune"]
    );
    let error = with(json!({ "path": "../b" })).unwrap_err();
    assert!(error.contains("nothing says where its password comes from"), "{error}");
    let error = with(json!({ "path": "b", "password": key, "keep": { "last": 0 } })).unwrap_err();
    assert!(error.contains("nonzero"), "{error}");
}
