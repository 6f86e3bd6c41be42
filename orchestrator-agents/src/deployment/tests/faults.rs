//! What goes wrong: crashes, kills, reused ids, bad artifacts, taken ports, a stop.

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
    assert_eq!(desk.history(), ["failed_to_start 0.1.0", "ended 0.1.0"]);
}

#[test]
fn a_service_that_never_listens_is_ended() {
    let desk = Desk::new();
    let mut silent = config("0.1.0", "silent");
    silent["start_timeout"] = json!(0.3);
    let failed = desk.deploy(1, silent).unwrap_err();
    assert!(failed.summary.contains("nothing listened on port"), "{}", failed.summary);
    assert!(failed.summary.contains("; it listens nowhere: process "), "{}", failed.summary);
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
    let started = desk.call(StartService::default(), start("0.2.0", ""), &key(2, 0, 0)).unwrap();
    let pid = started["process"]["pid"].as_u64().unwrap();
    let process = rustix::process::Pid::from_raw(pid as i32).unwrap();
    rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
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
    desk.call(StartService::default(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    ops::stop_all(&desk.state()).unwrap();
    let started = desk.call(StartService::default(), start("0.1.0", ""), &key(2, 0, 0)).unwrap();
    // The record names a process that has nothing to do with it: another one that got the same id later.
    // Start times have the grain of a clock tick, which is shorter than it takes to use all ids once.
    std::thread::sleep(Duration::from_millis(30));
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

#[test]
fn without_a_setsid_tool_a_service_has_its_own_group() {
    let desk = Desk::new();
    let mut input = start("0.1.0", "");
    input["env"]["PATH"] = json!("/nowhere");
    let started = desk.call(StartService::default(), input, &key(1, 0, 0)).unwrap();
    let group = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        stat.rsplit(')').next().unwrap().split_whitespace().nth(2).unwrap().to_owned()
    };
    let pid = started["process"]["pid"].to_string();
    assert_ne!(group(&pid), group(&std::process::id().to_string()));
    assert!(answers(started["url"].as_str().unwrap()));
    assert_eq!(ops::stop_all(&desk.state()).unwrap().len(), 1);
    assert!(!alive(started["process"]["pid"].as_u64().unwrap()));
}

#[test]
fn what_is_current_is_never_ended_as_a_candidate() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let folder = desk.state().join("deploy/production");
    std::fs::copy(folder.join("current.json"), folder.join("candidate.json")).unwrap();
    let input = json!({ "environment": "production", "which": { "candidate": { "version": "0.1.0" } } });
    assert_eq!(desk.call(StopService, input, &key(2, 0, 0)).unwrap()["stopped"], json!([]));
    assert_eq!(desk.current().unwrap().0, "0.1.0");
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
        let error = desk.call(StartService::default(), input, &key(1, 0, 0)).unwrap_err();
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
    let error = desk.call(StartService::default(), input, &key(1, 0, 0)).unwrap_err();
    assert_eq!(error, format!("port {port} is taken; leave the port out and each version gets its own"));
}

#[test]
fn a_malformed_record_is_an_error_that_names_it() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.state().join("deploy/production")).unwrap();
    std::fs::write(desk.state().join("deploy/production/current.json"), "{\"version\": 1").unwrap();
    let error = desk.call(StartService::default(), start("0.1.0", ""), &key(1, 0, 0)).unwrap_err();
    assert!(error.contains("production/current.json` is no record of a deployment"), "{error}");
    std::fs::remove_file(desk.state().join("deploy/production/current.json")).unwrap();
}

/// The history cannot be written: the deployment fails as it did, and says besides that nobody was told.
#[test]
fn an_end_that_could_not_be_written_down_is_said() {
    let desk = Desk::new();
    let untold = |run: u32, mode: &str| {
        let history = desk.state().join("deploy/production/history.jsonl");
        let _ = std::fs::remove_file(&history);
        std::fs::create_dir_all(&history).unwrap();
        let findings = match desk.deploy(run, config(&format!("0.{run}.0"), mode)) {
            Ok(passed) => passed.findings,
            Err(failed) => failed.findings,
        };
        let found = findings.into_iter().find(|finding| finding.rule == "deploy/untold").unwrap();
        assert!(found.message.contains("is not in the history: "), "{}", found.message);
    };
    untold(1, "");
    untold(2, "crash");
    untold(3, "unhealthy");
    assert_eq!(desk.current().unwrap().0, "0.1.0");
    assert!(
        !desk.state().join("deploy/production/claim.json").exists(),
        "the claim was given back all the same"
    );
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
    let error = desk.call(StartService::default(), silent, &key(1, 0, 0)).unwrap_err();
    stopper.join().unwrap();
    assert_eq!(error, "stopped on request");
    assert!(desk.deployments().is_empty());
    assert!(ops::stop_all(&desk.state()).unwrap().is_empty(), "nothing was left to stop");
}
