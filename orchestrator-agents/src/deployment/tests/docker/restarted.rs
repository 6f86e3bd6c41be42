//! A restart while a version is proved fails it, wherever it comes between two questions.

use super::standin::Trouble;
use super::*;
use crate::deployment::ops::{CheckHealth, StartContainer};

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_one_that_was_restarted_before_it_was_asked_is_not_healthy() {
    let engine = Engine::new();
    let desk = Desk::new();
    let started =
        desk.call(StartContainer, start_contained(&engine.socket, "0.1.0", ""), &key(1, 0, 0)).unwrap();
    let url = started["url"].as_str().unwrap();
    let watched =
        json!({ "environment": "production", "release": started["release"], "process": started["process"] });
    let input = json!({ "url": url, "health": { "timeout": 10 }, "service": watched });
    // An engine that cannot be asked for a moment proves nothing, and fails nothing.
    engine.trouble("ContainerInspect", 1, Trouble::Refused(500, "busy"));
    desk.call(CheckHealth, input.clone(), &key(1, 1, 0)).unwrap();
    let _ = ureq::get(format!("{url}/crash")).call();
    eventually("its return", || answers(url));
    let error = desk.call(CheckHealth, input, &key(1, 2, 0)).unwrap_err();
    assert!(error.contains("it ended, and runs again after 1 restarts"), "{error}");
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_one_that_is_restarted_by_its_smoke_tests_is_not_deployed() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    // Its twentieth greeting ends it, and the next try finds it again.
    let mut config = contained(&engine.socket, "0.2.0", "crashing");
    config["smoke"] = json!([{ "name": "hello", "path": "/hello", "repeat": 25, "retries": 5 }]);
    let failed = desk.deploy(2, config).unwrap_err();
    assert!(failed.summary.contains("it ended, and runs again after 1 restarts"), "{}", failed.summary);
    assert_eq!((desk.current().unwrap().0, engine.running()), ("0.1.0".into(), vec!["0.1.0".into()]));
}
