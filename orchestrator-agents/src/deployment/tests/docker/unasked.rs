//! An engine that cannot be asked says nothing about its containers: who answers serves, and nobody is ended for it.

use std::sync::Arc;

use super::standin::Trouble;
use super::*;
use crate::deployment::ops::{ClaimEnvironment, Promote, Reinstate, StartContainer};
use crate::deployment::tests::claims::claim;
use crate::deployment::tests::standin::{LISTEN, Standin};

impl Engine {
    /// The id of the container of a version.
    pub(super) fn id(&self, version: &str) -> Option<String> {
        let inner = self.lock();
        let own = inner
            .containers
            .values()
            .find(|contained| contained.body["Labels"]["orchestrate.version"] == version);
        own.map(|contained| contained.id.clone())
    }

    /// The process of a version is killed.
    pub(super) fn kills(&self, version: &str) {
        let mut inner = self.lock();
        let own = inner
            .containers
            .values_mut()
            .find(|contained| contained.body["Labels"]["orchestrate.version"] == version);
        own.unwrap().child.as_mut().unwrap().kill().unwrap();
    }

    /// The same, and it is not started again.
    fn kills_for_good(&self, version: &str) {
        for contained in self.lock().containers.values_mut() {
            contained.body["HostConfig"]["RestartPolicy"] = json!(null);
        }
        self.kills(version);
        eventually("its end", || self.running().is_empty());
    }

    /// The next questions about containers are not answered well.
    fn refuses_to_look(&self, times: usize) {
        self.trouble("ContainerInspect", times, Trouble::Refused(500, "the engine is busy"));
    }
}

/// A deployment that is watched behind a proxy.
fn watched(engine: &Engine, version: &str) -> Value {
    let mut config = contained(&engine.socket, version, "");
    config["watch"] = json!({ "seconds": 600, "canary": [10], "step_seconds": 300, "warm_up": 0 });
    config["proxy"] = json!({ "listen": LISTEN });
    config
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_going_back_to_what_answers_needs_no_engine() {
    let engine = Arc::new(Engine::new());
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(|_, _| Some(json!("promote")));
    desk.deploy(1, watched(&engine, "0.1.0")).unwrap();
    let gone = engine.clone();
    desk.when(move |_, _| {
        gone.dies();
        Some(json!("rollback"))
    });
    let failed = desk.deploy(2, watched(&engine, "0.2.0")).unwrap_err();
    assert!(failed.summary.contains("0.1.0 has all traffic again"), "{}", failed.summary);
    assert_eq!(proxy.applied().last().unwrap(), "0.1.0 1");
    assert_eq!(proxy.served(), ["hello from 0.1.0"]);
    engine.serve();
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_what_serves_is_not_ended_because_a_question_failed() {
    let engine = Arc::new(Engine::new());
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(|_, _| Some(json!("promote")));
    desk.deploy(1, watched(&engine, "0.1.0")).unwrap();
    let old = engine.id("0.1.0");
    let busy = engine.clone();
    desk.when(move |_, _| {
        busy.refuses_to_look(3);
        Some(json!("rollback"))
    });
    let failed = desk.deploy(2, watched(&engine, "0.2.0")).unwrap_err();
    engine.refuses_to_look(0);
    assert!(failed.summary.contains("0.1.0 has all traffic again"), "{}", failed.summary);
    assert_eq!((engine.id("0.1.0"), proxy.served()), (old, vec!["hello from 0.1.0".into()]));
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_what_does_not_answer_either_is_asked_for_again() {
    let engine = Engine::new();
    let desk = Desk::new();
    let started =
        desk.call(StartContainer, start_contained(&engine.socket, "0.1.0", ""), &key(1, 0, 0)).unwrap();
    let promote = json!({ "environment": "production", "release": started["release"] });
    engine.refuses_to_look(1);
    desk.call(Promote, promote, &key(1, 1, 0)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.1.0");
    // It is down, and the engine says so only after a while: then it is started anew.
    let old = engine.id("0.1.0");
    engine.kills_for_good("0.1.0");
    engine.refuses_to_look(1);
    let back = json!({ "environment": "production", "release": started["release"] });
    desk.call(Reinstate::default(), back.clone(), &key(2, 0, 0)).unwrap();
    assert_ne!(engine.id("0.1.0"), old);
    assert!(desk.current().is_some(), "{:?}, asked: {:?}", desk.deployments(), engine.asked());
    // Where it never says so, nothing of it is ended.
    let old = engine.id("0.1.0");
    let record = std::fs::read_dir(desk.state().join("deploy/production/releases")).unwrap().next().unwrap();
    let record = record.unwrap().path().join("release.json");
    let mut release: Value = serde_json::from_slice(&std::fs::read(&record).unwrap()).unwrap();
    release["health"]["timeout"] = json!(1);
    release["health"]["path"] = json!("/nowhere");
    std::fs::write(&record, release.to_string()).unwrap();
    engine.refuses_to_look(1000);
    let error = desk.call(Reinstate::default(), back, &key(3, 0, 0)).unwrap_err();
    assert!(error.contains("the engine is busy"), "{error}");
    engine.refuses_to_look(0);
    assert_eq!(engine.id("0.1.0"), old);
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_what_was_only_tried_does_not_come_in_for_what_answers() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    desk.call(StartContainer, start_contained(&engine.socket, "0.2.0", ""), &key(2, 0, 0)).unwrap();
    let old = engine.id("0.1.0");
    engine.refuses_to_look(4);
    desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(3, 0, 0)).unwrap();
    engine.refuses_to_look(0);
    assert_eq!((desk.current().unwrap().0.as_str(), engine.id("0.1.0")), ("0.1.0", old));
    assert_eq!(engine.running(), ["0.1.0"]);
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_claim_never_takes_what_serves_for_nothing() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    engine.dies();
    let claimed = desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(2, 0, 0)).unwrap();
    assert_eq!(
        (&claimed["serves"]["version"], &claimed["down"]),
        (&json!("0.1.0"), &json!(null)),
        "{claimed}"
    );
    // Whether it is down cannot be told: a retry may cure that.
    engine.kills_for_good("0.1.0");
    let operation = dyn_operation(ClaimEnvironment::default()).unwrap();
    let state = desk.state();
    let (input, order, site) = (Json::from(claim("0.2.0")), key(2, 0, 0), desk.site(&state));
    let error = desk.runtime.block_on(operation.call(&input, &order, &site)).unwrap_err();
    assert!(error.is::<Transient>() && error.to_string().contains("no container engine answers"), "{error}");
    engine.serve();
}
