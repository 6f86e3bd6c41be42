//! The ways back and forth: what a rollback goes back to, that what it goes back to runs, and that nothing counts which has no traffic.

use std::sync::Arc;

use super::claims::claim;
use super::standin::Standin;
use super::supervised::kill;
use super::watched::{proxied, said, watched};
use super::*;
use crate::deployment::ops::{
    ClaimEnvironment, Promote, Reinstate, ReleaseEnvironment, StartService, StopService, kept, way_back,
};

/// A watched deployment that gets all traffic at once.
fn at_once(version: &str) -> Value {
    let mut config = proxied(version, "");
    config["watch"] = json!({ "seconds": 600, "warm_up": 0 });
    config
}

/// A deployment through the proxy that nobody watches; a person is asked.
fn asked(version: &str) -> Value {
    let mut config = proxied(version, "");
    config.as_object_mut().unwrap().remove("watch");
    config["approve"] = json!(true);
    config
}

fn release_of(desk: &Desk, version: &str) -> String {
    let all = kept(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    all.into_iter().find(|kept| kept.version.as_str() == version).unwrap().release
}

/// From now on it dies as soon as it is started.
fn spoil(desk: &Desk, version: &str) {
    let folder = desk.state().join("deploy/production/releases").join(release_of(desk, version));
    let path = folder.join("release.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"MODE\": \"\"", "\"MODE\": \"crash\"");
    std::fs::write(&path, text).unwrap();
}

fn done_by(decision: &'static str) -> impl FnMut(usize, &Await) -> Option<Value> {
    move |_, _| Some(json!({ "decision": decision, "by": "ada" }))
}

#[test]
fn what_a_rollback_goes_back_to_is_started_where_it_died() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let old = desk.deployments().remove(0).pid;
    let mut looks = 0;
    desk.when(move |_, _| {
        looks += 1;
        if looks == 1 {
            kill(old);
        }
        (looks > 1).then(|| json!("rollback"))
    });
    let failed = desk.deploy(2, at_once("0.2.0")).unwrap_err();
    assert!(failed.summary.contains("0.1.0 has all traffic again"), "{}", failed.summary);
    assert!(failed.metrics.iter().any(|metric| metric.name == "deploy.rollback"), "{:?}", failed.metrics);
    assert_eq!((desk.running(), proxy.served()), (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()]));
    assert!(desk.is_free());
}

#[test]
fn what_does_not_come_up_again_gets_no_traffic() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let old = desk.deployments().remove(0).pid;
    spoil(&desk, "0.1.0");
    let mut looks = 0;
    desk.when(move |_, _| {
        looks += 1;
        if looks == 1 {
            kill(old);
        }
        (looks > 1).then(|| json!("rollback"))
    });
    let failed = desk.deploy(2, at_once("0.2.0")).unwrap_err();
    assert!(failed.summary.contains("going back failed"), "{}", failed.summary);
    assert!(failed.summary.contains("fatal: no database"), "{}", failed.summary);
    assert_eq!(desk.running(), ["0.2.0"]);
    assert!(proxy.applied().last().unwrap().contains("0.2.0 100"), "{:?}", proxy.applied());
    let record = std::fs::read_to_string(desk.state().join("deploy/production/current.json")).unwrap();
    assert!(record.contains("\"0.1.0\""), "what counts stays on record: {record}");
}

#[test]
fn nothing_counts_whose_traffic_could_not_be_switched() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(done_by("done"));
    desk.deploy(1, asked("0.1.0")).unwrap();
    let old = desk.deployments();
    let proxy = Arc::new(proxy);
    let gone = proxy.clone();
    desk.when(move |_, _| {
        gone.dies();
        Some(json!({ "decision": "done", "by": "ada" }))
    });
    let failed = desk.deploy(2, asked("0.2.0")).unwrap_err();
    assert!(failed.summary.contains("no proxy answers for production"), "{}", failed.summary);
    assert_eq!(desk.deployments()[0], old[0], "what counted counts");
    assert_eq!(desk.running(), ["0.1.0", "0.2.0"], "clients may be sent to both");
    assert_eq!(desk.history().iter().filter(|line| *line == "promoted 0.2.0").count(), 0);
}

#[test]
#[ignore = "needs sqlite3; tests/run has it"]
fn needs_databases_contract_waits_for_the_traffic() {
    let desk = Desk::new();
    let proxy = Arc::new(Standin::at(&desk.state()));
    let folder = desk.folder.path().join("migrations");
    std::fs::create_dir_all(&folder).unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    file("0001_a.sql", "CREATE TABLE students (id INTEGER PRIMARY KEY, name TEXT);");
    let config = |version: &str| {
        let mut config = asked(version);
        config["migrations"] = json!({ "database": { "sqlite": "data/{environment}.db" } });
        config
    };
    desk.when(done_by("done"));
    desk.deploy(1, config("0.1.0")).unwrap();
    file("0002_b.contract.sql", "ALTER TABLE students DROP COLUMN name;");
    let gone = proxy.clone();
    desk.when(move |_, _| {
        gone.dies();
        Some(json!({ "decision": "done", "by": "ada" }))
    });
    desk.deploy(2, config("0.2.0")).unwrap_err();
    let database = desk.folder.path().join("data/production.db");
    let columns = Command::new("sqlite3").arg(database).arg("SELECT name FROM students").output().unwrap();
    assert!(columns.status.success(), "the column was dropped under the version that has the traffic");
}

#[test]
fn a_current_version_that_is_just_started_again_is_the_version_before() {
    let desk = Desk::supervised();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    // Nobody starts it again as long as the supervisor is stopped.
    let keeper = desk.keeper();
    let signal = |signal| {
        let pid = rustix::process::Pid::from_raw(keeper.cast_signed()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    };
    signal(rustix::process::Signal::STOP);
    kill(desk.deployments()[0].pid);
    let claimed = desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(2, 0, 0));
    signal(rustix::process::Signal::CONT);
    assert_eq!(claimed.unwrap()["serves"]["version"], "0.1.0");
}

#[test]
fn what_was_taken_back_is_nothing_to_go_back_to() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    desk.when(said("rollback"));
    desk.deploy(2, watched("0.2.0", "")).unwrap_err();
    let all = kept(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    assert_eq!(all.iter().filter(|kept| kept.previous).count(), 0, "{all:?}");
    // The other way round there is something.
    let newer = json!({ "environment": "production", "release": release_of(&desk, "0.2.0") });
    desk.call(Reinstate::default(), newer, &key(3, 0, 0)).unwrap();
    let all = kept(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    let previous: Vec<&str> =
        all.iter().filter(|kept| kept.previous).map(|kept| kept.version.as_str()).collect();
    assert_eq!(previous, ["0.1.0"]);
}

#[test]
fn undoing_a_way_back_that_changed_nothing_changes_nothing() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    desk.deploy(2, config("0.2.0", "")).unwrap();
    let same = json!({ "environment": "production", "release": release_of(&desk, "0.2.0") });
    assert!(desk.undo(Reinstate::default(), same).is_empty());
}

#[test]
fn two_tasks_of_one_run_do_not_claim_at_once() {
    let desk = Desk::new();
    let folder = desk.state().join("deploy/production");
    std::fs::create_dir_all(&folder).unwrap();
    // Both find no claim, and wait for the lock.
    let lock = std::fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let release = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        drop(lock);
    });
    let other = OrderKey { task: TaskId::new("other").unwrap(), ..key(1, 0, 0) };
    let operation = dyn_operation(ClaimEnvironment::default()).unwrap();
    let (state, input) = (desk.state(), claim("0.1.0").into());
    let site = desk.site(&state);
    let (first, own) = (key(1, 0, 0), desk.runtime.handle());
    let (one, two) = own.block_on(async {
        tokio::join!(operation.call(&input, &first, &site), operation.call(&input, &other, &site))
    });
    release.join().unwrap();
    let failed: Vec<BoxError> = [one, two].into_iter().filter_map(Result::err).collect();
    assert_eq!(failed.len(), 1, "one of them has it: {failed:?}");
    assert!(failed[0].is::<Transient>(), "whoever waits tries again: {}", failed[0]);
}

#[test]
fn an_artifact_does_not_take_the_place_of_a_record() {
    let desk = Desk::new();
    for name in ["release.json", "service.log"] {
        let artifact = desk.folder.path().join("target/release").join(name);
        std::fs::copy(desk.folder.path().join("target/release/app"), artifact).unwrap();
        let mut input = start("0.1.0", "");
        input["artifact"] = json!(format!("target/release/{name}"));
        let error = desk.call(StartService::default(), input, &key(1, 0, 0)).unwrap_err();
        assert!(error.contains(name) && error.contains("rename it"), "{error}");
    }
    assert!(desk.deployments().is_empty());
}

#[test]
fn a_warm_version_that_is_not_healthy_is_not_ended() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let old = desk.deployments().remove(0);
    let started = desk.call(StartService::default(), start("0.2.0", ""), &key(2, 0, 0)).unwrap();
    let promote =
        json!({ "environment": "production", "release": started["release"], "keep_previous": true });
    desk.call(Promote, promote, &key(2, 1, 0)).unwrap();
    let path = desk.state().join("deploy/production/releases").join(&old.release).join("release.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("\"path\": \"/health\"", "\"path\": \"/missing\"").replace("10.0", "0.3");
    std::fs::write(&path, text).unwrap();
    let back = json!({ "environment": "production", "release": old.release });
    let error = desk.call(Reinstate::default(), back, &key(3, 0, 0)).unwrap_err();
    assert!(error.contains("was not healthy"), "{error}");
    assert!(alive(u64::from(old.pid)), "it ran before, and runs");
    assert_eq!(desk.current().unwrap().0, "0.2.0");
}

fn back(desk: &Desk) -> Option<String> {
    let found = way_back(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    found.map(|(version, _)| version.to_string())
}

/// The deployment dies with its candidate up, or after it was promoted.
#[test]
fn a_rollback_goes_back_from_what_was_tried_and_from_what_counts() {
    let desk = Desk::new();
    let release = json!({ "environment": "production" });
    desk.deploy(1, config("0.1.0", "")).unwrap();
    assert_eq!(back(&desk), None);
    desk.deploy(2, config("0.2.0", "")).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"));
    desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(3, 0, 0)).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.2.0"), "whatever it did, the current version is where to go");
    let started = desk.call(StartService::default(), start("0.3.0", ""), &key(3, 0, 1)).unwrap();
    desk.call(ReleaseEnvironment, release.clone(), &key(3, 0, 2)).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.2.0"), "a candidate is left");
    let promote =
        json!({ "environment": "production", "release": started["release"], "keep_previous": true });
    desk.call(Promote, promote.clone(), &key(3, 1, 0)).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.2.0"), "it is on watch");
    desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(4, 0, 0)).unwrap();
    desk.call(ReleaseEnvironment, release.clone(), &key(4, 0, 1)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.2.0", "whoever claims puts it right");
    assert_eq!(back(&desk), None, "0.3.0 was taken back, and is nothing to go to");
    // Promoted, and cut off before the claim was released.
    desk.call(ClaimEnvironment::default(), claim("0.4.0"), &key(5, 0, 0)).unwrap();
    let started = desk.call(StartService::default(), start("0.4.0", ""), &key(5, 0, 1)).unwrap();
    let promote = json!({ "environment": "production", "release": started["release"] });
    desk.call(Promote, promote, &key(5, 1, 0)).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.2.0"), "the claim is that of the current version");
}

#[test]
fn a_share_of_the_traffic_is_something_that_was_tried() {
    let desk = Desk::new();
    let _proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    desk.when(said("promote"));
    desk.deploy(2, proxied("0.2.0", "")).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"));
    let started = desk.call(StartService::default(), start("0.3.0", ""), &key(3, 0, 1)).unwrap();
    let old = desk.deployments().into_iter().find(|found| found.role == ops::Role::Current).unwrap();
    let shares: BTreeMap<String, u32> =
        [(old.release, 90), (started["release"].as_str().unwrap().to_owned(), 10)].into();
    let switch = json!({ "environment": "production", "shares": shares });
    desk.call(ops::SwitchTraffic::default(), switch, &key(3, 1, 0)).unwrap();
    std::fs::remove_file(desk.state().join("deploy/production/candidate.json")).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.2.0"));
    // Who may be sent traffic is not ended by the next start.
    desk.call(StartService::default(), start("0.4.0", ""), &key(4, 0, 1)).unwrap();
    assert!(alive(started["process"]["pid"].as_u64().unwrap()));
    desk.call(StopService, json!({}), &key(5, 0, 0)).unwrap();
}

#[test]
fn a_build_that_failed_its_proofs_is_told_from_one_that_counted() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let mut again = config("0.1.0", "");
    again["smoke"] = json!([{ "name": "missing", "path": "/missing" }]);
    desk.deploy(2, again).unwrap_err();
    desk.deploy(3, config("0.2.0", "")).unwrap();
    let all = kept(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    let told: Vec<(&str, bool, &str)> =
        all.iter().map(|kept| (kept.version.as_str(), kept.proven, kept.verdict.unwrap().as_str())).collect();
    assert_eq!(told, [("0.2.0", true, "promoted"), ("0.1.0", false, "failed"), ("0.1.0", true, "promoted")]);
}

/// The proxy is gone for good and the pipeline wants none any more.
#[test]
fn a_deployment_that_wants_no_proxy_is_not_bound_to_one_of_old() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    proxy.dies();
    let passed = desk.deploy(2, config("0.2.0", "")).unwrap();
    let url = passed.output.unwrap().value()["url"].as_str().unwrap().to_owned();
    assert_eq!(get(&format!("{url}/hello")), "hello from 0.2.0");
    assert_eq!(desk.url(), format!("{url}\n"));
}

/// Whoever made the switch was killed before the other one was drained.
#[test]
fn a_switch_that_is_made_again_waits_for_who_is_drained_yet() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    for (run, version) in [(1, "0.1.0"), (2, "0.2.0")] {
        desk.when(said("promote"));
        desk.deploy(run, at_once(version)).unwrap();
    }
    let (old, new) = (release_of(&desk, "0.1.0"), release_of(&desk, "0.2.0"));
    let applied = proxy.applied();
    proxy.drains(5);
    let switch = json!({ "environment": "production", "shares": { new: 1 } });
    let again = desk.call(ops::SwitchTraffic::default(), switch, &key(3, 0, 0)).unwrap();
    assert_eq!((&again["changed"], proxy.applied()), (&json!(false), applied));
    assert_eq!(proxy.left(), 0, "it asked until that was over");
    assert_eq!(again["drained"], json!([{ "release": old, "took_ms": 1, "cuts": 0 }]));
}
