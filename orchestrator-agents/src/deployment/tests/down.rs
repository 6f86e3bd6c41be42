//! A version that was down before a deployment is what that goes back to, where it comes up again.

use super::standin::Standin;
use super::supervised::kill;
use super::watched::{proxied, said};
use super::*;

/// 0.1.0 counts, behaves like `mode` from now on, and has died.
fn died(desk: &Desk, mode: &str) {
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let folder = std::fs::read_dir(desk.state().join("deploy/production/releases")).unwrap().next().unwrap();
    let record = folder.unwrap().path().join("release.json");
    let mut release: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    release["env"]["MODE"] = json!(mode);
    std::fs::write(&record, release.to_string()).unwrap();
    kill(desk.deployments().remove(0).pid);
    eventually("its end", || desk.running().is_empty());
}

#[test]
fn what_was_down_comes_back() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    died(&desk, "");
    desk.when(said("rollback"));
    let failed = desk.deploy(2, proxied("0.2.0", "")).unwrap_err();
    assert!(failed.summary.contains("0.1.0 has all traffic again"), "{}", failed.summary);
    assert_eq!((desk.running(), proxy.served()), (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()]));
    assert!(desk.is_free());
}

#[test]
fn where_it_does_not_come_up_nothing_serves() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    died(&desk, "crash");
    desk.when(said("rollback"));
    let failed = desk.deploy(2, proxied("0.2.0", "")).unwrap_err();
    assert!(failed.summary.contains("nothing serves"), "{}", failed.summary);
    let told: Vec<&str> = failed.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(
        told.iter().any(|told| told.contains("0.1.0 was down") && told.contains("fatal: no database")),
        "{told:?}"
    );
    assert_eq!((desk.running(), proxy.served()), (Vec::<String>::new(), Vec::new()));
    assert!(desk.is_free());
}
