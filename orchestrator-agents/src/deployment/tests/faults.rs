//! What goes wrong: crashes, kills, reused ids, bad artifacts, taken ports, a stop.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use orchestrator_core::stop::StopLevel;

use super::*;
use crate::deployment::ops::{Promote, StartService, StopService};

#[test]
fn a_crash_at_the_start_is_told_with_the_end_of_the_log() {
    let desk = Desk::new();
    let mut crash = config("0.1.0", "crash");
    crash["env"]["TOKEN"] = json!({ "secret": "API" });
    let failed = desk.deploy(1, crash).unwrap_err();
    assert!(
        failed.summary.starts_with("production: 0.1.0 did not start: the service exited before it listened")
    );
    assert!(
        failed.summary.contains("starting 0.1.0 with token ***\nfatal: no database"),
        "{}",
        failed.summary
    );
    assert!(desk.deployments().is_empty());
    assert_eq!(desk.history(), ["failed_to_start 0.1.0"]);
}

#[test]
fn a_service_that_never_listens_is_ended() {
    let desk = Desk::new();
    let mut silent = config("0.1.0", "silent");
    silent["start_timeout"] = json!(0.3);
    let failed = desk.deploy(1, silent).unwrap_err();
    assert!(failed.summary.contains("nothing listened on port"), "{}", failed.summary);
    assert!(desk.deployments().is_empty());
    assert!(ops::stop_all(&desk.state()).unwrap().is_empty());
}

#[test]
fn a_service_that_dies_while_it_is_checked_is_noticed() {
    let desk = Desk::new();
    let mut dying = config("0.1.0", "dying");
    dying["health"]["timeout"] = json!(600);
    let failed = desk.deploy(1, dying).unwrap_err();
    assert!(
        failed.summary.contains("is not running any more; the end of its log:\nstarting 0.1.0"),
        "{failed:?}"
    );
}

#[test]
fn a_candidate_that_died_is_not_promoted() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let before = desk.current();
    let started = desk.call(StartService, start("0.2.0", ""), &key(2, 0, 0)).unwrap();
    let pid = started["process"]["pid"].as_u64().unwrap();
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    eventually("the end of the candidate", || !alive(pid));
    let promote = json!({ "environment": "production", "release": started["release"] });
    let error = desk.call(Promote, promote, &key(2, 2, 0)).unwrap_err();
    assert!(error.contains("is not running any more"), "{error}");
    let wrong = json!({ "environment": "production", "release": "another" });
    let error = desk.call(Promote, wrong, &key(2, 2, 0)).unwrap_err();
    assert!(
        error.starts_with("release `another` is not the candidate of production; the candidate is `0.2.0-")
    );
    assert_eq!(desk.current(), before);
}

#[test]
fn an_id_that_was_used_again_is_left_alone() {
    let desk = Desk::new();
    desk.call(StartService, start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    ops::stop_all(&desk.state()).unwrap();
    let started = desk.call(StartService, start("0.1.0", ""), &key(2, 0, 0)).unwrap();
    // The record names a process that has nothing to do with it: another one that got the same id later.
    let mut innocent = Command::new("sleep").arg("1000").spawn().unwrap();
    let path = desk.state().join("deploy/production/candidate.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    record["pid"] = json!(innocent.id());
    std::fs::write(&path, record.to_string()).unwrap();
    assert!(!desk.deployments()[0].alive);
    let stopped = desk.call(StopService, json!({ "environment": "production" }), &key(3, 0, 0)).unwrap();
    assert_eq!(
        stopped["stopped"].as_array().unwrap().len(),
        1,
        "the service itself is found by what it carries"
    );
    assert!(!alive(started["process"]["pid"].as_u64().unwrap()));
    assert!(innocent.try_wait().unwrap().is_none(), "the other process still runs");
    innocent.kill().unwrap();
    innocent.wait().unwrap();
}

/// Run by the test below in a process of its own: deploys, says where, and waits to be killed.
#[test]
#[ignore = "the other process of `a_service_outlives_the_process_that_started_it`"]
fn the_one_that_is_killed() {
    let Some(state) = std::env::var_os("DESK") else { return };
    BASE.set(std::env::var("BASE").unwrap().parse().unwrap());
    let desk = Desk::new();
    let root = PathBuf::from(state);
    let operation = dyn_operation(StartService).unwrap();
    let state = root.join(".orchestrate");
    let site = Site { root: &root, ..desk.site(&state) };
    let started =
        desk.runtime.block_on(operation.call(&start("0.1.0", "").into(), &key(1, 0, 0), &site)).unwrap();
    println!("\nSTARTED {started}");
    std::thread::sleep(Duration::from_secs(600));
}

#[test]
fn a_service_outlives_the_process_that_started_it() {
    let desk = Desk::new();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "deployment::tests::faults::the_one_that_is_killed", "--ignored", "--nocapture"])
        .env("DESK", desk.folder.path())
        .env("BASE", BASE.get().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.skip_while(|line| !line.starts_with("STARTED ")).next().expect("it started");
    parent.kill().unwrap();
    parent.wait().unwrap();
    let started: Value = serde_json::from_str(line.strip_prefix("STARTED ").unwrap()).unwrap();
    assert!(answers(started["url"].as_str().unwrap()));
    // Killed between start and promote: the order is known to be done, another one is not.
    let Already::Done(found) = desk.already(StartService, start("0.1.0", ""), &key(1, 0, 0)) else {
        panic!("it was started")
    };
    assert_eq!(json!(found.process), started["process"]);
    assert_eq!(desk.already(StartService, start("0.1.0", ""), &key(2, 0, 0)), Already::NotDone);
    let promote = json!({ "environment": "production", "release": found.release });
    desk.call(Promote, promote, &key(1, 2, 0)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.1.0");
    let environment = get(&format!("{}/env", found.url));
    assert!(!environment.contains("ORCHESTRATE_ORDER"), "{environment}");
    assert!(environment.contains(&format!("ORCHESTRATE_SERVICE=production/0.1.0/{}", key(1, 0, 0))));
    assert!(!environment.contains("DESK="), "only what is on the allow-list");
}

#[test]
fn what_a_killed_start_left_unrecorded_is_ended_when_it_is_repeated() {
    let desk = Desk::new();
    let first = desk.call(StartService, start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    std::fs::remove_file(desk.state().join("deploy/production/candidate.json")).unwrap();
    assert_eq!(desk.already(StartService, start("0.1.0", ""), &key(1, 0, 0)), Already::NotDone);
    let second = desk.call(StartService, start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    assert_eq!(first["release"], second["release"]);
    assert!(
        !alive(first["process"]["pid"].as_u64().unwrap())
            && alive(second["process"]["pid"].as_u64().unwrap())
    );
    assert_eq!(desk.deployments().len(), 1);
}

#[test]
fn a_kill_between_switch_and_end_of_the_old_one_is_made_good() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let old = desk.deployments().remove(0);
    let record = desk.state().join("deploy/production/current.json");
    let before: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    let started = desk.call(StartService, start("0.2.0", ""), &key(2, 0, 0)).unwrap();
    let candidate = desk.state().join("deploy/production/candidate.json");
    let mut switched: Value = serde_json::from_slice(&std::fs::read(candidate).unwrap()).unwrap();
    switched["previous"] = before;
    std::fs::write(&record, switched.to_string()).unwrap();
    let promote = json!({ "environment": "production", "release": started["release"] });
    assert_eq!(desk.already(Promote, promote.clone(), &key(2, 2, 0)), Already::NotDone);
    desk.call(Promote, promote, &key(2, 2, 0)).unwrap();
    assert!(!alive(u64::from(old.pid)));
    assert_eq!(desk.deployments().len(), 1);
    assert_eq!(desk.current().unwrap().0, "0.2.0");
}

#[test]
fn bad_artifacts_are_told() {
    let desk = Desk::new();
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(desk.folder.path().join("text"), "no program").unwrap();
    for (artifact, said) in [
        ("target/release/other", "artifact `target/release/other` is not there; build it first"),
        ("target", "artifact `target` is no file"),
        (outside.path().to_str().unwrap(), "lies outside the checkout"),
        ("../../../../../../etc/passwd", "lies outside the checkout"),
        ("text", "exited before it listened"),
    ] {
        let mut input = start("0.1.0", "");
        input["artifact"] = json!(artifact);
        let error = desk.call(StartService, input, &key(1, 0, 0)).unwrap_err();
        assert!(error.contains(said), "{artifact}: {error}");
    }
    assert!(desk.deployments().is_empty());
}

#[test]
fn a_taken_port_is_told_before_anything_starts() {
    let desk = Desk::new();
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = holder.local_addr().unwrap().port();
    let mut input = start("0.1.0", "");
    input["port"] = json!(port);
    let error = desk.call(StartService, input, &key(1, 0, 0)).unwrap_err();
    assert_eq!(error, format!("port {port} is taken; leave the port out and each version gets its own"));
}

#[test]
fn a_malformed_record_is_an_error_that_names_it() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.state().join("deploy/production")).unwrap();
    std::fs::write(desk.state().join("deploy/production/current.json"), "{\"version\": 1").unwrap();
    let error = desk.call(StartService, start("0.1.0", ""), &key(1, 0, 0)).unwrap_err();
    assert!(error.contains("production/current.json` is no record of a deployment"), "{error}");
    std::fs::remove_file(desk.state().join("deploy/production/current.json")).unwrap();
}

#[test]
fn a_stop_ends_a_start_and_what_it_started() {
    let desk = Desk::new();
    let mut silent = start("0.1.0", "silent");
    silent["start_timeout"] = json!(600);
    let (stop, state) = (desk.stop.clone(), desk.state());
    let stopper = std::thread::spawn(move || {
        eventually("a candidate", || state.join("deploy/production/candidate.json").exists());
        stop.raise(StopLevel::Graceful);
    });
    let error = desk.call(StartService, silent, &key(1, 0, 0)).unwrap_err();
    stopper.join().unwrap();
    assert_eq!(error, "stopped on request");
    assert!(desk.deployments().is_empty());
    assert!(ops::stop_all(&desk.state()).unwrap().is_empty(), "nothing was left to stop");
}
