//! An engine that is gone for good: its containers are forgotten by name where that is wanted, and found when it answers again.

use super::*;
use crate::deployment::ops::{LookAtReleases, PruneReleases};
use crate::deployment::{StopDeployment, What};

fn stop(forget: bool) -> Value {
    json!({ "environment": "production", "forget": forget })
}

fn prune() -> Value {
    json!({ "environment": "production", "keep": 1 })
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_containers_of_an_engine_that_is_gone_are_forgotten_by_name() {
    let engine = Engine::new();
    let desk = Desk::new();
    for (run, version) in [(1, "0.1.0"), (2, "0.2.0")] {
        desk.deploy(run, contained(&engine.socket, version, "")).unwrap();
    }
    let names = engine.containers();
    engine.dies();
    let said = desk.runs(StopDeployment, 3, stop(false)).unwrap_err().summary;
    assert!(
        said.contains("no container engine answers")
            && said.contains("`orchestrate deploy stop --environment production --forget`"),
        "{said}"
    );
    assert!(desk.current().is_some(), "without the flag all stays as it is");

    let forgot = desk.runs(StopDeployment, 4, stop(true)).unwrap();
    let said: Vec<&str> = forgot.findings.iter().map(|finding| finding.message.as_str()).collect();
    let socket = engine.socket.display().to_string();
    let running = names.iter().find(|name| name.contains("0.2.0")).unwrap();
    assert!(said.iter().all(|said| said.contains(&socket)), "{said:?}");
    assert!(
        said.iter().any(|said| said.contains(running.as_str()) && said.contains("runs still, and answers")),
        "{said:?}"
    );
    let output = forgot.output.unwrap().value();
    assert_eq!(output["forgotten"].as_array().unwrap().len(), 2, "each kept release, by name: {output}");
    let environment = Environment::new("production").unwrap();
    let told = ops::history(&desk.state(), &environment).unwrap();
    assert_eq!(told.iter().filter(|line| line.what == What::Forgotten).count(), 2);
    assert!(desk.deployments().is_empty());
    // Again there is nothing to forget, and nothing keeps anybody.
    let again = desk.runs(StopDeployment, 5, stop(false)).unwrap();
    assert_eq!(again.summary, "nothing ran");
    assert!(desk.runs(StopDeployment, 6, stop(true)).unwrap().findings.is_empty());

    // It answers again: what nobody ended is found, and ended.
    engine.serve();
    assert_eq!(engine.running(), ["0.2.0"]);
    engine.image("school:0.3.0", "sha256:3");
    desk.deploy(7, contained(&engine.socket, "0.3.0", "")).unwrap();
    assert_eq!(engine.running(), ["0.3.0"]);
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_forgotten_containers_keep_no_release() {
    let engine = Engine::new();
    let desk = Desk::new();
    for (run, version) in [(1, "0.1.0"), (2, "0.2.0")] {
        desk.deploy(run, contained(&engine.socket, version, "")).unwrap();
    }
    engine.dies();
    desk.runs(StopDeployment, 3, stop(true)).unwrap();
    let seen = desk.call(LookAtReleases, prune(), &key(4, 0, 0)).unwrap();
    assert_eq!(seen["goes"].as_array().unwrap().len(), 1, "{seen}");
    let gone = desk.call(PruneReleases, prune(), &key(4, 1, 0)).unwrap();
    assert_eq!((gone["goes"].as_array().unwrap().len(), &gone["kept"]), (1, &json!(1)), "{gone}");
    engine.serve();
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_an_engine_that_answers_is_asked_as_ever() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    let stopped = desk.runs(StopDeployment, 2, stop(true)).unwrap();
    assert_eq!((stopped.summary.as_str(), engine.containers().len()), ("stopped production 0.1.0", 0));
    assert!(stopped.findings.is_empty());
    // One that came back between the look and the end is not forgotten.
    desk.deploy(3, contained(&engine.socket, "0.2.0", "")).unwrap();
    engine.dies();
    let asked = desk.call(ops::AskEngines, json!({ "environment": "production" }), &key(4, 0, 0)).unwrap();
    assert_eq!(asked["silent"].as_array().unwrap().len(), 2, "{asked}");
    engine.serve();
    let input = json!({ "environment": "production", "forget": asked["silent"] });
    let ended = desk.call(ops::StopService, input, &key(4, 1, 0)).unwrap();
    assert_eq!((&ended["forgotten"], engine.containers().len()), (&json!(null), 0), "{ended}");
}

/// What was forgotten and is brought back is one like any other again.
#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_what_was_forgotten_can_be_brought_back() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    engine.dies();
    desk.runs(StopDeployment, 2, stop(true)).unwrap();
    engine.serve();
    let release = desk.release_of("0.1.0");
    assert_eq!(release["container"]["forgotten"], json!(true));
    let back = json!({ "environment": "production", "release": release["name"] });
    desk.call(ops::Reinstate::default(), back, &key(3, 0, 0)).unwrap();
    assert_eq!(desk.release_of("0.1.0")["container"]["forgotten"], json!(null));
    engine.dies();
    let said = desk.runs(StopDeployment, 4, stop(false)).unwrap_err().summary;
    assert!(said.contains("no container engine answers"), "{said}");
    engine.serve();
}
