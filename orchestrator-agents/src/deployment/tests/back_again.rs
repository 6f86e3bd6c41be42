//! A switch or a rollback that was cut off: the same one again goes on, and nobody goes the other way.

use super::claims::claim;
use super::*;
use crate::deployment::SwitchDeployment;
use crate::deployment::ops::{ClaimEnvironment, ReleaseEnvironment, kept, way_back};

pub(super) fn back(desk: &Desk) -> Option<String> {
    let found = way_back(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    found.map(|(version, _)| version.to_string())
}

/// Gives the traffic to a kept version; only the first actions, or all of it.
pub(super) fn switch(desk: &Desk, run: u32, version: &str, first: usize) -> Option<Result<String, String>> {
    let all = kept(&desk.state(), &Environment::new("production").unwrap()).unwrap();
    let release = all.into_iter().find(|kept| kept.version.as_str() == version).unwrap().release;
    let agent = dyn_agent(SwitchDeployment::default()).unwrap();
    let mut task: Task<Json> =
        task(json!({ "environment": "production", "version": version, "release": release }).into());
    let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
    let mut actions = desk.runtime.block_on(agent.plan(&task, &look)).unwrap();
    if first < actions.len() {
        let receipts = desk.receipts(&actions[..first], run, 0);
        assert!(receipts.iter().all(Receipt::ok), "{receipts:?}");
        return None;
    }
    for round in 0.. {
        let receipts = desk.receipts(&actions, run, round);
        match agent.conclude(&task, &receipts, &Artifacts::new(&Kept::default())).unwrap() {
            Verdict::Passed(conclusion) => return Some(Ok(conclusion.summary)),
            Verdict::Failed(conclusion) | Verdict::Skipped(conclusion) => {
                return Some(Err(conclusion.summary));
            }
            Verdict::More { actions: next, carried } => (actions, task.carried) = (next, carried),
        }
    }
    unreachable!("rounds end")
}

#[test]
fn a_rollback_that_was_cut_off_goes_where_it_was_to_go() {
    let desk = Desk::new();
    let folder = desk.state().join("deploy/production");
    desk.deploy(1, config("0.1.0", "")).unwrap();
    desk.deploy(2, config("0.2.0", "")).unwrap();
    assert_eq!(switch(&desk, 3, "0.1.0", 1), None);
    desk.orphan();
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"), "it claimed, and no more");
    // What it had started by then is on record.
    let current: Value =
        serde_json::from_slice(&std::fs::read(folder.join("current.json")).unwrap()).unwrap();
    std::fs::write(folder.join("candidate.json"), current["previous"].to_string()).unwrap();
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"), "what is brought back is not what was tried");
    let done = switch(&desk, 4, "0.1.0", usize::MAX).unwrap().unwrap();
    assert!(done.starts_with("production: 0.1.0 has all traffic"), "{done}");
    assert_eq!((desk.current().unwrap().0, back(&desk)), ("0.1.0".into(), None));

    // Cut off before its claim was released: what it made current is not gone back to.
    assert_eq!(switch(&desk, 5, "0.2.0", 2), None);
    desk.orphan();
    assert_eq!((desk.current().unwrap().0, back(&desk).as_deref()), ("0.2.0".into(), Some("0.1.0")));
    desk.call(ReleaseEnvironment, json!({ "environment": "production" }), &key(5, 0, 2)).unwrap();
    assert_eq!(switch(&desk, 6, "0.1.0", 2), None);
    desk.orphan();
    assert_eq!((desk.current().unwrap().0, back(&desk)), ("0.1.0".into(), None));
}

#[test]
fn a_deployment_that_was_cut_off_is_still_what_was_tried() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    desk.deploy(2, config("0.2.0", "")).unwrap();
    desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(3, 0, 0)).unwrap();
    desk.orphan();
    assert_eq!(back(&desk).as_deref(), Some("0.2.0"));
}
