//! The orchestrator dies in the middle of a deployment: what runs goes on, and what was begun is finished or ended.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::*;
use crate::deployment::ops::{Promote, StartService};

/// Run by the test below in a process of its own: deploys, says where, and waits to be killed.
#[test]
#[ignore = "the other process of `a_service_outlives_the_process_that_started_it`"]
fn the_one_that_is_killed() {
    let Some(state) = std::env::var_os("DESK") else { return };
    BASE.set(std::env::var("BASE").unwrap().parse().unwrap());
    let desk = Desk::new();
    let root = PathBuf::from(state);
    let operation = dyn_operation(StartService::default()).unwrap();
    let state = root.join(".orchestrate");
    let mut env = desk.site(&state).env.to_vec();
    env.push((orchestrator_core::local::ORDER_VARIABLE.into(), "an order".into()));
    let site = Site { root: &root, env: &env, ..desk.site(&state) };
    let started =
        desk.runtime.block_on(operation.call(&start("0.1.0", "").into(), &key(1, 0, 0), &site)).unwrap();
    println!("\nSTARTED {started}");
    std::thread::sleep(Duration::from_mins(10));
}

#[test]
fn a_service_outlives_the_process_that_started_it() {
    let desk = Desk::new();
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "deployment::tests::crashes::the_one_that_is_killed", "--ignored", "--nocapture"])
        .env("DESK", desk.folder.path())
        .env("BASE", BASE.get().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines().map_while(Result::ok);
    let line = { lines }.find(|line| line.starts_with("STARTED ")).expect("it started");
    parent.kill().unwrap();
    parent.wait().unwrap();
    let started: Value = serde_json::from_str(line.strip_prefix("STARTED ").unwrap()).unwrap();
    assert!(answers(started["url"].as_str().unwrap()));
    // Killed between start and promote: the order is known to be done, another one is not.
    let Already::Done(found) = desk.already(StartService::default(), start("0.1.0", ""), &key(1, 0, 0))
    else {
        panic!("it was started")
    };
    assert_eq!(json!(found.process), started["process"]);
    assert_eq!(desk.already(StartService::default(), start("0.1.0", ""), &key(2, 0, 0)), Already::NotDone);
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
    let first = desk.call(StartService::default(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    std::fs::remove_file(desk.state().join("deploy/production/candidate.json")).unwrap();
    assert_eq!(desk.already(StartService::default(), start("0.1.0", ""), &key(1, 0, 0)), Already::NotDone);
    let second = desk.call(StartService::default(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
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
    let started = desk.call(StartService::default(), start("0.2.0", ""), &key(2, 0, 0)).unwrap();
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
