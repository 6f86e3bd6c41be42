//! A load that was over before the deployment ended it proves nothing of what came later.

use super::*;
use crate::deployment::ops::ClaimEnvironment;

/// The same client, that ends in order by itself.
fn short(desk: &mut Desk) {
    let own = std::env::current_exe().unwrap().to_string_lossy().into_owned();
    let script = CLIENT.replace("while :; do\n  for", "sleep 0.3; say true; exit 0\nwhile :; do\n  for");
    assert_ne!(script, CLIENT);
    desk.supervisor = Some(Supervisor { program: "/bin/sh".into(), args: vec!["-c".into(), script, own] });
}

#[test]
fn a_load_that_was_over_too_soon_is_told() {
    let (mut desk, _proxy) = Desk::loading();
    desk.says(json!("promote"));
    desk.deploy(1, loaded("0.1.0", 5.0)).unwrap();
    short(&mut desk);
    let record = desk.state().join("deploy/production/load.json");
    let mut looks = 0;
    *desk.waits.lock().unwrap() = Box::new(move |_, wait| {
        wait.signal.as_ref()?;
        let record: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
        let pid = record["process"]["pid"].as_u64().unwrap();
        eventually("the end of the client", || !alive(pid));
        looks += 1;
        (looks > 1).then(|| json!("promote"))
    });
    let done = desk.deploy(2, loaded("0.2.0", 5.0)).unwrap();
    let load = &done.output.unwrap().value()["load"];
    assert_eq!((&load["over"], &load["early"]), (&json!(true), &json!(true)), "{load}");
    let told = |finding: &orchestrator_core::evidence::Finding| {
        finding.message.contains("ended before the deployment did")
    };
    assert!(done.findings.iter().any(told), "{:?}", done.findings);
    assert!(done.summary.contains("until the load ended too soon"), "{}", done.summary);
    let release = desk.deployments().remove(0).release;
    let again = desk.call(EndLoad, json!({ "environment": "production", "release": release }), &key(2, 9, 0));
    assert_eq!(again.unwrap()["early"], true, "again it reads the same");
}

#[test]
fn a_load_that_ran_to_its_end_is_not_told_so() {
    let (desk, _proxy) = Desk::loading();
    desk.says(json!("promote"));
    desk.deploy(1, loaded("0.1.0", 5.0)).unwrap();
    desk.says(json!("promote"));
    let done = desk.deploy(2, loaded("0.2.0", 5.0)).unwrap();
    assert_eq!(done.output.unwrap().value()["load"].get("early"), None);
    assert!(!done.findings.iter().any(|finding| finding.message.contains("ended before")));
}

#[test]
fn a_client_that_is_dead_by_then_was_not_started() {
    let (desk, _proxy) = Desk::loading();
    let claim = json!({ "environment": "production", "version": "1" });
    desk.call(ClaimEnvironment::default(), claim, &key(1, 0, 0)).unwrap();
    let input = json!({ "environment": "production", "release": "1-x", "url": "http://127.0.0.1:1", "load": { "rate": 5 } });
    let start = || StartLoad { supervisor: Some(client()) };
    desk.call(start(), input.clone(), &key(1, 0, 1)).unwrap();
    assert!(matches!(desk.already(start(), input.clone(), &key(1, 0, 1)), Already::Done(_)));
    let pid = desk.client().unwrap();
    kill_process(Pid::from_raw(pid as i32).unwrap(), Signal::KILL).unwrap();
    eventually("its end", || !alive(pid));
    assert!(matches!(desk.already(start(), input.clone(), &key(1, 0, 1)), Already::NotDone));
    desk.call(start(), input, &key(1, 0, 1)).unwrap();
    assert!(alive(desk.client().unwrap()));
    let end = json!({ "environment": "production", "release": "1-x" });
    assert_eq!(
        desk.call(EndLoad, end, &key(1, 0, 2)).unwrap().get("early"),
        None,
        "the one before does not count"
    );
}
