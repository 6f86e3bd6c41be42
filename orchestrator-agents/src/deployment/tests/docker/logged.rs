//! The error-log watch over containers: what the version before logged is brought.

use super::standin::Trouble;
use super::*;

/// A deployment whose error log is watched; while it is proved it logs an error.
fn watched(engine: &Engine, version: &str) -> Value {
    let mut config = contained(&engine.socket, version, "");
    config["log_watch"] = json!({ "on_new": "fail" });
    config["smoke"] = json!([{ "name": "fail", "path": "/fail" }]);
    config
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_what_the_version_before_logged_is_not_new() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, watched(&engine, "0.1.0")).unwrap();
    let passed = desk.deploy(2, watched(&engine, "0.2.0")).map_err(|failed| failed.summary).unwrap();
    let told: Vec<&str> = passed.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert!(!told.iter().any(|rule| rule.starts_with("log/")), "{told:?}");
    assert!(desk.log_of("0.2.0").contains("error: ledger"), "{}", desk.log_of("0.2.0"));
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_log_that_cannot_be_brought_is_told_and_not_judged() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, watched(&engine, "0.1.0")).unwrap();
    engine.trouble("ContainerLogs", 1000, Trouble::Refused(500, "the log is busy"));
    let passed = desk.deploy(2, watched(&engine, "0.2.0")).map_err(|failed| failed.summary).unwrap();
    engine.trouble("ContainerLogs", 0, Trouble::Hangs);
    let told = passed.findings.iter().find(|finding| finding.rule == "log/not-read");
    assert!(told.is_some_and(|told| told.message.contains("the log is busy")), "{:?}", passed.findings);
}
