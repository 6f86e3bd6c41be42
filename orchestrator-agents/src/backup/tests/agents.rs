use orchestrator_core::agent::{Agent, Verdict};
use orchestrator_core::order::{Artifacts, Receipt};
use orchestrator_core::outcome::Failure;
use orchestrator_core::path::Digest;
use orchestrator_core::testkit::{Kept, done, task};
use serde_json::json;

use super::*;
use crate::backup::ops::{Disk, MeasureDisk};
use crate::backup::{
    Backup, BackupConfig, Bytes, CheckDisk, CheckDiskConfig, ClearCaches, ClearCachesConfig, VerifyBackup,
    VerifyBackupConfig,
};

fn concluded<A: Agent>(agent: &A, config: A::Config, receipts: &[Receipt]) -> (bool, String) {
    let kept = Kept::default();
    match agent.conclude(&task(config), receipts, &Artifacts::new(&kept)).unwrap() {
        Verdict::Passed(conclusion) => (true, conclusion.summary),
        Verdict::Failed(conclusion) => (false, conclusion.summary),
        Verdict::Skipped(_) | Verdict::More { .. } => panic!("one round is enough"),
    }
}

fn config(text: serde_json::Value) -> BackupConfig {
    serde_json::from_value(text).unwrap()
}

#[tokio::test]
async fn a_dry_run_shows_the_snapshot_to_come() {
    let rig = Rig::bare();
    let actions = Backup.plan(&task(config(json!({ "include": [".env"] }))), &rig.look()).await.unwrap();
    assert_eq!(
        actions[0].to_string(),
        r#"call create-backup {"to":"backups","name":"2026-11-20-234433","include":[".env"]} [writes]"#
    );
    let caches = ClearCachesConfig { paths: vec![], known: false };
    assert!(ClearCaches.plan(&task(caches.clone()), &rig.look()).await.unwrap().is_empty());
    assert_eq!(concluded(&ClearCaches, caches, &[]), (true, "No caches to clear".into()));
}

#[tokio::test]
async fn databases_are_planned_with_names_of_secrets_only() {
    let rig = Rig::bare();
    let main = json!({ "name": "main", "kind": "postgres", "database": "app", "password": { "secret": "DB_PASSWORD" } });
    let app = json!({ "name": "app", "kind": "sqlite", "path": "data/app.db" });
    let planned = |databases: serde_json::Value| {
        let task = task(config(json!({ "databases": databases })));
        let look = rig.look();
        async move { Backup.plan(&task, &look).await }
    };
    let actions = planned(json!([main, app])).await.unwrap();
    let wanted = r#""databases":[{"kind":"postgres","name":"main","database":"app","password":{"secret":"DB_PASSWORD"}},{"kind":"sqlite","name":"app","path":"data/app.db"}]"#;
    assert!(actions[0].to_string().contains(wanted), "{}", actions[0]);
    let error = planned(json!([app, app])).await.unwrap_err().to_string();
    assert!(error.contains("two databases are called `app`"), "{error}");
}

#[tokio::test]
async fn a_full_disk_stops_everything() {
    let rig = Rig::bare();
    let disk = rig.call(MeasureDisk, Disk { path: path("not/there/yet"), backups: None }).await.unwrap();
    assert!(disk.free > 0 && disk.total >= disk.free);
    let wants = |bytes| CheckDiskConfig { min_free: Bytes(bytes), ..CheckDiskConfig::default() };
    let receipt = || done(json!({ "free": 5_000_000, "total": 9_000_000 }));
    assert_eq!(
        concluded(&CheckDisk, wants(5_000_000), &[receipt()]),
        (true, "Disk has room (5.0 MB free, 5.0 MB wanted)".into())
    );
    let (passed, summary) = concluded(&CheckDisk, wants(5_000_001), &[receipt()]);
    assert!(!passed && summary.contains("Only 5.0 MB of disk are free"), "{summary}");
    let read = |text| {
        serde_json::from_value::<CheckDiskConfig>(json!({ "min_free": text })).map(|read| read.min_free.0)
    };
    assert_eq!((read("2 GiB").unwrap(), read("500mb").unwrap()), (2 << 30, 500_000_000));
    assert!(read("much").is_err());
}

#[tokio::test]
async fn the_next_backup_may_add_as_much_as_the_last() {
    let rig = Rig::new();
    let measure = || rig.call(MeasureDisk, Disk { path: path("."), backups: Some(path("backups")) });
    assert_eq!(measure().await.unwrap().growth, None);
    let made = backup(&rig).await.unwrap();
    let growth = measure().await.unwrap().growth.unwrap();
    assert_eq!(format!("backups/{}", growth.snapshot), made.snapshot.as_str());
    assert!(growth.bytes >= made.bytes, "{growth:?}");
    let wants =
        |growth| CheckDiskConfig { min_free: Bytes(1_000_000_000), growth, ..CheckDiskConfig::default() };
    let receipt = |free: u64| {
        done(
            json!({ "free": free, "total": 9_000_000_000_u64, "growth": { "snapshot": "s", "bytes": 300_000_000 } }),
        )
    };
    let check = |growth, free| concluded(&CheckDisk, wants(growth), &[receipt(free)]);
    assert!(check(2, 1_600_000_000).0 && check(0, 1_000_000_000).0 && !check(3, 1_600_000_000).0);
    let (passed, summary) = check(2, 1_599_999_999);
    assert!(!passed);
    for part in [
        "are wanted: 1.0 GB by `min_free`, and 2 times the 300.0 MB that backup s added",
        "backup prune",
        "Nothing was written",
    ] {
        assert!(summary.contains(part), "{part} in {summary}");
    }
}

#[test]
fn people_are_told_what_was_done() {
    let digest = Digest::of(b"x");
    let made = json!({ "snapshot": "backups/x", "manifest": digest, "files": 3, "tree_bytes": 9, "bytes": 52_340_000,
        "head": null, "refs": true, "unsettled": [], "took_ms": 1.0 });
    assert_eq!(
        concluded(&Backup, config(json!({})), &[done(&made)]),
        (true, "Backup created (52.3 MB)".into())
    );
    let mut odd = made;
    odd["refs"] = json!(false);
    odd["unsettled"] = json!([{ "path": { "hex": "ff" }, "why": "vanished while being read" }]);
    let summary = "Backup created (52.3 MB, files only, 1 path not as they were)".to_owned();
    assert_eq!(concluded(&Backup, config(json!({})), &[done(odd)]), (true, summary));
    let verified =
        json!({ "snapshot": "backups/x", "manifest": digest, "files": 1234, "refs": 2, "restore_ms": 812.0 });
    let wanted = VerifyBackupConfig { snapshot: path("backups/x").into(), manifest: None };
    let summary = "Backup verified: 1,234 files restored in 0.8 s".to_owned();
    assert_eq!(concluded(&VerifyBackup, wanted.clone(), &[done(verified)]), (true, summary));
    let database = json!({ "name": "main", "tables": 3, "rows": 17000, "restore_ms": 400.0 });
    let with = json!({ "snapshot": "backups/x", "manifest": digest, "files": 1, "refs": 2, "restore_ms": 812.0, "databases": [database] });
    let summary = "Backup verified: 1 file, 1 database with 17,000 rows restored in 0.8 s".to_owned();
    assert_eq!(concluded(&VerifyBackup, wanted.clone(), &[done(with)]), (true, summary));
    let failed = Receipt::failed(Failure::new("`a`: content differs"), false);
    assert_eq!(concluded(&VerifyBackup, wanted, &[failed]), (false, "`a`: content differs".into()));
}
