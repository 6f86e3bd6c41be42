//! One deployment at a time: taken, waited for, taken over, lost.

use super::*;
use crate::deployment::SwitchDeployment;
use crate::deployment::ops::{
    ClaimEnvironment, ConfirmClaim, Promote, Reinstate, ReleaseEnvironment, StartService, kept, standing,
};

pub(super) fn claim(version: &str) -> Value {
    json!({ "environment": "production", "version": version })
}

impl Desk {
    pub(super) fn claim(&self) -> Option<Value> {
        let text = std::fs::read(self.state().join("deploy/production/claim.json")).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    /// The process that claimed is no more.
    pub(super) fn orphan(&self) {
        let mut claim = self.claim().unwrap();
        claim["process"]["started"] = json!(1);
        std::fs::write(self.state().join("deploy/production/claim.json"), claim.to_string()).unwrap();
    }
}

#[test]
fn who_comes_second_is_told_who_was_first() {
    let desk = Desk::new();
    desk.call(ClaimEnvironment::default(), claim("0.1.0"), &key(1, 0, 0)).unwrap();
    desk.call(ClaimEnvironment::default(), claim("0.1.0"), &key(1, 1, 0)).unwrap();
    let failed = desk.deploy(2, config("0.2.0", "")).unwrap_err();
    let run = key(1, 0, 0).run;
    assert!(
        failed.summary.contains(&format!("production is claimed by run `{run}` (deploy, 0.1.0, by ")),
        "{}",
        failed.summary
    );
    assert!(failed.summary.contains("wait for it"), "{}", failed.summary);
    assert!(desk.deployments().is_empty());
    // Another's claim is not released.
    let release = json!({ "environment": "production" });
    let other = desk.call(ReleaseEnvironment, release.clone(), &key(2, 0, 0)).unwrap();
    assert_eq!((&other["released"], &other["holder"]["version"]), (&json!(false), &json!("0.1.0")));
    assert_eq!(desk.call(ReleaseEnvironment, release.clone(), &key(1, 0, 0)).unwrap()["released"], true);
    assert_eq!(desk.call(ReleaseEnvironment, release, &key(1, 0, 0)).unwrap()["released"], false);
}

#[test]
fn a_wait_ends_with_the_other_deployment_or_with_its_time() {
    let desk = Desk::new();
    desk.call(ClaimEnvironment::default(), claim("0.1.0"), &key(1, 0, 0)).unwrap();
    let mut config = config("0.2.0", "");
    config["wait"] = json!("5s");
    let failed = desk.deploy(2, config.clone()).unwrap_err();
    assert!(failed.summary.ends_with("(waited 6 s)"), "{}", failed.summary);
    let state = desk.state();
    *desk.waits.lock().unwrap() = Box::new(move |round, wait| {
        assert_eq!((wait.seconds, &wait.signal), (Some(2), &None));
        if round == 2 {
            std::fs::remove_file(state.join("deploy/production/claim.json")).unwrap();
        }
        None
    });
    desk.deploy(3, config).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.2.0");
}

#[test]
fn what_a_dead_owner_left_is_put_right_and_its_run_finds_out() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let before = desk.current();
    desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(2, 0, 0)).unwrap();
    let mut input = start("0.2.0", "");
    input["claimed"] = json!(true);
    let left = desk.call(StartService::default(), input.clone(), &key(2, 0, 1)).unwrap();
    desk.orphan();
    let claimed = desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(3, 0, 0)).unwrap();
    assert_eq!(
        (&claimed["took_over"]["version"], &claimed["serves"]["version"]),
        (&json!("0.2.0"), &json!("0.1.0"))
    );
    assert_eq!(claimed["notes"], json!(["0.2.0 was left over and ended"]));
    assert!(!alive(left["process"]["pid"].as_u64().unwrap()));
    assert_eq!(desk.current(), before);
    let lost = [
        desk.call(ConfirmClaim, json!({ "environment": "production" }), &key(2, 1, 0)).unwrap_err(),
        desk.call(StartService::default(), input, &key(2, 0, 1)).unwrap_err(),
        desk.call(
            Promote,
            json!({ "environment": "production", "release": left["release"], "claimed": true }),
            &key(2, 2, 0),
        )
        .unwrap_err(),
        desk.call(
            Reinstate::default(),
            json!({ "environment": "production", "release": left["release"], "claimed": true }),
            &key(2, 2, 0),
        )
        .unwrap_err(),
    ];
    for lost in lost {
        assert!(lost.starts_with("the claim of production was lost: it is claimed by run"), "{lost}");
    }
}

/// Without a proxy the switch comes before the watch: where that is cut off, the version before comes back.
#[test]
fn a_watch_that_was_cut_off_is_taken_back() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let before = desk.current();
    desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(2, 0, 0)).unwrap();
    let started = desk.call(StartService::default(), start("0.2.0", ""), &key(2, 0, 1)).unwrap();
    let promote = json!({ "environment": "production", "release": started["release"], "keep_previous": true, "claimed": true });
    desk.call(Promote, promote, &key(2, 2, 0)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.2.0");
    desk.orphan();
    let claimed = desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(3, 0, 0)).unwrap();
    assert_eq!(
        claimed["notes"],
        json!(["0.1.0 is the current version again", "0.2.0 was left over and ended"])
    );
    assert_eq!((desk.current(), desk.deployments().len()), (before, 1));
}

#[test]
fn where_nothing_is_healthy_nothing_is_ended() {
    let desk = Desk::new();
    desk.call(ClaimEnvironment::default(), claim("0.1.0"), &key(1, 0, 0)).unwrap();
    let mut ill = start("0.1.0", "unhealthy");
    ill["health"]["timeout"] = json!(0.2);
    let left = desk.call(StartService::default(), ill, &key(1, 0, 1)).unwrap();
    desk.orphan();
    let claimed = desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(2, 0, 0)).unwrap();
    assert!(claimed["notes"].to_string().contains("no version runs"), "{claimed}");
    assert!(alive(left["process"]["pid"].as_u64().unwrap()));
}

#[test]
fn a_kept_release_comes_back_by_its_version() {
    let desk = Desk::new();
    for (run, version) in (1..).zip(["0.1.0", "0.2.0", "0.3.0"]) {
        desk.deploy(run, config(version, "")).unwrap();
    }
    let all = kept(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    let told: Vec<(&str, bool, bool)> =
        all.iter().map(|kept| (kept.version.as_str(), kept.current, kept.previous)).collect();
    assert_eq!(told, [("0.3.0", true, false), ("0.2.0", false, true), ("0.1.0", false, false)]);
    let agent = dyn_agent(SwitchDeployment::default()).unwrap();
    let config = json!({ "environment": "production", "version": "0.1.0", "release": all[2].release });
    let task: Task<Json> = task(config.into());
    let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
    let actions = desk.runtime.block_on(agent.plan(&task, &look)).unwrap();
    let receipts = desk.receipts(&actions, 4, 0);
    let verdict = agent.conclude(&task, &receipts, &Artifacts::new(&Kept::default())).unwrap();
    let Verdict::Passed(conclusion) = verdict else { panic!("{verdict:?}") };
    assert!(
        conclusion.summary.starts_with("production: 0.1.0 has all traffic and answers at http://127.0.0.1:")
    );
    assert_eq!(desk.current().unwrap().0, "0.1.0");
    assert_eq!(desk.history()[9..], ["reinstated 0.1.0", "ended 0.1.0"]);
    let stands = standing(&desk.state(), None).unwrap().remove(0);
    assert_eq!((stands.claim, stands.services.len(), stands.proxied), (None, 1, false));
}

/// A service that crashed and is about to be started again is the version before, for migrations, shares and rollbacks alike; one whose
/// supervisor died is not.
#[test]
fn a_version_in_its_pause_before_a_restart_counts() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let folder = desk.state().join("deploy/production");
    let current: Value =
        serde_json::from_slice(&std::fs::read(folder.join("current.json")).unwrap()).unwrap();
    ops::stop_all(&desk.state()).unwrap();
    std::fs::write(folder.join("current.json"), current.to_string()).unwrap();
    let roster = |supervisor: Value| {
        let kept = json!({ "tag": current["tag"], "port": current["port"], "state": "waiting", "since": "2026-11-20T23:44:33Z" });
        let roster =
            json!({ "supervisor": supervisor, "services": { current["release"].as_str().unwrap(): kept } });
        std::fs::write(folder.join("supervise.json"), roster.to_string()).unwrap();
    };
    let this = serde_json::to_value(ops::identity(std::process::id()).unwrap()).unwrap();
    roster(this.clone());
    let claimed = desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(2, 0, 0)).unwrap();
    assert_eq!(claimed["serves"]["version"], "0.1.0");
    let mut dead = this;
    dead["started"] = json!(1);
    roster(dead);
    let claimed = desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(2, 0, 0)).unwrap();
    assert_eq!(claimed["serves"], Value::Null);
    std::fs::remove_file(folder.join("supervise.json")).unwrap();
}

/// What was cut off after its claim was taken over changes nothing any more: migrations and ends ask as well.
#[test]
fn migrations_and_ends_ask_whose_environment_it_is() {
    let desk = Desk::new();
    desk.call(ClaimEnvironment::default(), claim("0.1.0"), &key(1, 0, 0)).unwrap();
    let stop = json!({ "environment": "production", "claimed": true });
    let migrate = json!({
        "environment": "production", "folder": "migrations", "files": [], "stage": "contract", "timeout": 5.0, "claimed": true,
        "database": { "command": { "apply": ["touch", "applied"], "check": ["true"] } },
    });
    for lost in [
        desk.call(ops::StopService, stop, &key(2, 0, 0)).unwrap_err(),
        desk.call(ops::ApplyMigrations, migrate, &key(2, 0, 0)).unwrap_err(),
    ] {
        assert!(lost.starts_with("the claim of production was lost: it is claimed by run"), "{lost}");
    }
    assert!(!desk.folder.path().join("applied").exists());
}

/// A cut came between a release and its answer, and somebody else has the environment by then.
#[test]
fn what_was_released_at_its_end_was_not_taken_over() {
    let desk = Desk::new();
    let ended = json!({ "version": "0.1.0", "release": "r", "verdict": "promoted" });
    let release = json!({ "environment": "production", "ended": ended });
    let asked = |run| desk.already(ReleaseEnvironment, release.clone(), &key(run, 1, 0));
    desk.call(ClaimEnvironment::default(), claim("0.1.0"), &key(1, 0, 0)).unwrap();
    assert_eq!(asked(1), Already::NotDone);
    desk.call(ReleaseEnvironment, release.clone(), &key(1, 1, 0)).unwrap();
    desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(2, 0, 0)).unwrap();
    let Already::Done(done) = asked(1) else { panic!("{:?}", asked(1)) };
    assert!(done.released && done.holder.is_none(), "{done:?}");
    assert_eq!(asked(2), Already::NotDone, "it has it yet");
    desk.orphan();
    desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(3, 0, 0)).unwrap();
    assert_eq!(asked(2), Already::NotDone, "it lost it");
}
