//! The way of a version: started, proved, current, replaced, brought back, ended.

use super::*;
use crate::deployment::ops::{Promote, StartService, runs_in_use, stop_all};

#[test]
fn a_version_replaces_the_one_before() {
    let desk = Desk::new();
    let first = desk.deploy(1, config("0.1.0", "warming")).unwrap();
    let output = first.output.unwrap().value();
    assert_eq!(output["previous"], Value::Null);
    let (version, old) = desk.current().unwrap();
    assert_eq!(version, "0.1.0");
    assert_eq!(first.summary, format!("production: 0.1.0 answers at {old} (1 smoke test passed)"));
    let metric = |name: &str| first.metrics.iter().find(|metric| metric.name == name).unwrap();
    assert!(metric("deploy.health.probes").value > 1.0, "it needed to warm up");
    assert!(metric("deploy.health.latency").value > 0.0);
    assert_eq!(metric("deploy.health.latency").evidence.command, Some(format!("GET {old}/health")));
    assert_eq!(metric("deploy.smoke.passed").value.to_bits(), 1f64.to_bits());
    assert_eq!(metric("deploy.smoke.p50").value.to_bits(), metric("deploy.smoke.max").value.to_bits());

    let second = desk.deploy(2, config("0.2.0", "")).unwrap().output.unwrap().value();
    assert_eq!(second["previous"], "0.1.0");
    let (version, new) = desk.current().unwrap();
    assert_eq!((version.as_str(), new.as_str()), ("0.2.0", second["url"].as_str().unwrap()));
    assert_eq!(get(&format!("{new}/hello")), "hello from 0.2.0");
    assert!(!alive(output["pid"].as_u64().unwrap()) && !answers(&old));
    assert_eq!(desk.deployments().len(), 1, "no candidate is left");
    let told =
        ["started 0.1.0", "promoted 0.1.0", "ended 0.1.0", "started 0.2.0", "promoted 0.2.0", "ended 0.2.0"];
    assert_eq!(desk.history(), told);
}

#[test]
fn an_unhealthy_version_goes_and_the_old_one_stays() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let before = desk.current();
    let mut bad = config("0.2.0", "unhealthy");
    bad["health"]["timeout"] = json!(5);
    let failed = desk.deploy(2, bad).unwrap_err();
    assert!(
        failed.summary.starts_with("production: 0.2.0 was not deployed: it is not healthy: http://"),
        "{failed:?}"
    );
    assert!(
        failed.summary.contains("status 503 instead of 200; /status is \"broken\" instead of \"healthy\"")
    );
    assert!(failed.summary.ends_with("; it was ended and 0.1.0 goes on serving"));
    assert_eq!(desk.current(), before);
    assert!(answers(&before.unwrap().1));
    assert_eq!(desk.deployments().len(), 1);
    assert_eq!(desk.history()[3..], ["started 0.2.0", "stopped 0.2.0", "ended 0.2.0"]);
}

#[test]
fn all_failed_smoke_tests_are_told() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let before = desk.current();
    let mut bad = config("0.2.0", "");
    bad["smoke"] = json!([
        { "name": "hello", "path": "/hello", "expect": { "contains": "hello from 0.2.0" } },
        { "name": "missing", "path": "/missing" },
        { "name": "echo", "method": "POST", "path": "/echo", "body": { "a": 1 }, "expect": { "status": 201, "json": { "/a": 2 } } },
        { "name": "token", "path": "/token", "headers": { "X-Token": { "secret": "API" } }, "expect": { "contains": "s3cret" } },
    ]);
    let failed = desk.deploy(2, bad).unwrap_err();
    assert!(failed.summary.contains("2 of 4 smoke tests failed"), "{failed:?}");
    let told: Vec<String> = failed.findings.iter().map(|f| format!("{}: {}", f.rule, f.message)).collect();
    assert_eq!(
        told,
        [
            "smoke/missing: GET /missing: status 404 instead of 200",
            "smoke/echo: POST /echo: /a is 1 instead of 2"
        ]
    );
    assert_eq!(desk.current(), before);
}

#[test]
fn promoting_twice_is_promoting_once() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let started = desk.call(StartService::default(), start("0.2.0", ""), &key(2, 0, 0)).unwrap();
    let promote = json!({ "environment": "production", "release": started["release"] });
    let once = desk.call(Promote, promote.clone(), &key(2, 2, 0)).unwrap();
    let twice = desk.call(Promote, promote, &key(2, 2, 0)).unwrap();
    assert_eq!(once, twice);
    assert_eq!(once["previous"], "0.1.0");
    assert_eq!(desk.history().iter().filter(|line| *line == "promoted 0.2.0").count(), 1);
}

#[test]
fn undoing_a_promotion_brings_the_earlier_version_back() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let old = desk.current().unwrap();
    let started = desk.call(StartService::default(), start("0.2.0", ""), &key(2, 0, 0)).unwrap();
    let promote = json!({ "environment": "production", "release": started["release"] });
    let undo = desk.undo(Promote, promote.clone());
    desk.call(Promote, promote, &key(2, 2, 0)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.2.0");
    let redo = {
        let [Action::Call(call)] = undo.as_slice() else { panic!("{undo:?}") };
        desk.undo(ops::Reinstate::default(), call.input.value())
    };
    assert!(desk.receipts(&undo, 3, 0).iter().all(Receipt::ok));
    assert_eq!(desk.current().unwrap(), old, "on the port that it had");
    assert!(answers(&old.1));
    assert_eq!(desk.deployments().len(), 1);
    // An undo is an ordinary run, so it can be undone.
    assert!(desk.receipts(&redo, 4, 0).iter().all(Receipt::ok));
    assert_eq!(desk.current().unwrap().0, "0.2.0");
}

#[test]
fn undoing_the_first_deployment_leaves_nothing() {
    let desk = Desk::new();
    let undo_start = desk.undo(StartService::default(), start("0.1.0", ""));
    let started = desk.call(StartService::default(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    let promote = json!({ "environment": "production", "release": started["release"] });
    let mut undo = desk.undo(Promote, promote.clone());
    desk.call(Promote, promote, &key(1, 2, 0)).unwrap();
    undo.extend(undo_start);
    assert!(desk.receipts(&undo, 2, 0).iter().all(Receipt::ok));
    assert!(desk.deployments().is_empty());
    assert!(!desk.state().join("deploy/production/url").exists());
    assert!(!alive(started["process"]["pid"].as_u64().unwrap()));
}

#[test]
fn an_earlier_version_that_is_unhealthy_now_does_not_come_back() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let first = desk.deployments().remove(0).release;
    desk.deploy(2, config("0.2.0", "")).unwrap();
    let path = desk.state().join("deploy/production/releases").join(&first).join("release.json");
    let text = std::fs::read_to_string(&path).unwrap().replace("\"MODE\": \"\"", "\"MODE\": \"crash\"");
    std::fs::write(&path, text).unwrap();
    let before = desk.current();
    let input = json!({ "environment": "production", "release": first });
    let error = desk.call(ops::Reinstate::default(), input, &key(3, 0, 0)).unwrap_err();
    assert!(error.contains("fatal: no database"), "{error}");
    assert_eq!(desk.current(), before);
    let input = json!({ "environment": "production", "release": "../../production/releases/x" });
    let error = desk.call(ops::Reinstate::default(), input, &key(4, 0, 0)).unwrap_err();
    assert!(error.contains("has no release"), "{error}");
}

#[test]
fn stopping_all_leaves_nothing_and_ends_whole_trees() {
    let desk = Desk::new();
    let mut family = config("0.1.0", "");
    let line = "trap '' TERM; sleep 1000 & setsid sleep 1000 & exec \"$0\"";
    family["argv"] = json!(["sh", "-c", line, "{binary}"]);
    family["environment"] = json!("staging");
    desk.deploy(1, family).unwrap();
    desk.deploy(2, config("0.1.0", "")).unwrap();
    desk.call(StartService::default(), start("0.2.0", ""), &key(3, 0, 0)).unwrap();
    let before = desk.deployments();
    assert_eq!(before.len(), 3);
    // One that no record knows any more.
    std::fs::remove_file(desk.state().join("deploy/production/candidate.json")).unwrap();
    let input = json!({ "grace": 0.2 });
    let stopped = desk.call(ops::StopService, input, &key(4, 0, 0)).unwrap();
    assert_eq!(stopped["stopped"].as_array().unwrap().len(), 3, "{stopped}");
    assert!(before.iter().all(|service| !alive(u64::from(service.pid)) && !answers(&service.url)));
    assert!(desk.deployments().is_empty());
    let marker = desk.folder.path().to_string_lossy().into_owned();
    let left = Command::new("sh")
        .args(["-c", "grep -laF \"$0\" /proc/[0-9]*/environ 2>/dev/null", &marker])
        .output();
    assert_eq!(String::from_utf8_lossy(&left.unwrap().stdout), "", "processes are left");
    assert!(stop_all(&desk.state()).unwrap().is_empty());
}

#[test]
fn the_runs_of_what_is_deployed_are_in_use() {
    let desk = Desk::new();
    assert!(runs_in_use(&desk.state()).unwrap().is_empty());
    let run = |n| key(n, 0, 0).run;
    let deploy = |n: u32| desk.deploy(n, config(&format!("0.{n}.0"), "")).unwrap();
    deploy(1);
    assert_eq!(runs_in_use(&desk.state()).unwrap(), [run(1)].into());
    deploy(2);
    assert_eq!(runs_in_use(&desk.state()).unwrap(), [run(1), run(2)].into(), "the one before counts");
    deploy(3);
    assert_eq!(runs_in_use(&desk.state()).unwrap(), [run(2), run(3)].into());
    // What runs is in use, whatever the records say.
    let record = desk.state().join("deploy/production/current.json");
    let text = std::fs::read(&record).unwrap();
    std::fs::remove_file(&record).unwrap();
    assert_eq!(runs_in_use(&desk.state()).unwrap(), [run(3)].into());
    std::fs::write(&record, "garbage").unwrap();
    assert!(runs_in_use(&desk.state()).is_err(), "then nobody knows");
    std::fs::write(&record, text).unwrap();
    stop_all(&desk.state()).unwrap();
}

/// The rollback of a first deployment ends it; the rollback of that rollback starts the same release again.
#[test]
fn what_a_rollback_ended_comes_back() {
    let desk = Desk::new();
    let undo = {
        let started = desk.call(StartService::default(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
        let promote = json!({ "environment": "production", "release": started["release"] });
        let undo = desk.undo(Promote, promote.clone());
        desk.call(Promote, promote, &key(1, 1, 0)).unwrap();
        undo
    };
    let input = |action: &Action| match action {
        Action::Call(call) => (call.operation.to_string(), call.input.value()),
        other => panic!("not a call: {other}"),
    };
    let (name, stop) = input(&undo[0]);
    assert_eq!(name, "stop-service");
    let back = desk.undo(ops::StopService, stop.clone());
    desk.call(ops::StopService, stop.clone(), &key(2, 0, 0)).unwrap();
    assert!(desk.current().is_none_or(|(_, url)| !answers(&url)));
    assert!(desk.undo(ops::StopService, stop).is_empty(), "nothing runs any more");
    let (name, reinstate) = input(&back[0]);
    assert_eq!((back.len(), name.as_str()), (1, "reinstate"));
    desk.call(ops::Reinstate::default(), reinstate, &key(3, 0, 0)).unwrap();
    let (version, url) = desk.current().unwrap();
    assert_eq!((version.as_str(), get(&format!("{url}/hello")).as_str()), ("0.1.0", "hello from 0.1.0"));
    let candidate = json!({ "environment": "production", "which": { "candidate": { "version": "0.1.0" } } });
    assert!(desk.undo(ops::StopService, candidate).is_empty(), "a candidate is not started again");
}
