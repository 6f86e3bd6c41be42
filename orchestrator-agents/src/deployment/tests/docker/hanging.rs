//! An engine that hangs does not hold up the looks of a watch.

use super::standin::Trouble;
use super::*;
use crate::deployment::ops::{Observe, StartContainer};

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_look_does_not_wait_for_an_engine_that_hangs() {
    let engine = Engine::new();
    let desk = Desk::new();
    let started =
        desk.call(StartContainer, start_contained(&engine.socket, "0.1.0", ""), &key(1, 0, 0)).unwrap();
    let url = started["url"].as_str().unwrap();
    eventually("an answer", || answers(url));
    let watched =
        json!({ "environment": "production", "release": started["release"], "process": started["process"] });
    let input = json!({ "new": watched, "url": url, "health": { "timeout": 5 }, "patience": 1.0, "look": 0 });
    engine.trouble("ContainerInspect", 1000, Trouble::Hangs);
    let begun = Instant::now();
    let seen = desk.call(Observe, input.clone(), &key(1, 1, 0)).unwrap();
    // Far more than the patience of a look, far less than that of a question.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!((&seen["process"], &seen["health"]["wrong"]), (&json!(null), &json!(null)), "{seen}");
    engine.trouble("ContainerInspect", 0, Trouble::Hangs);
    // Nor for its second answer.
    engine.trouble("ContainerStats", 1000, Trouble::Hangs);
    let begun = Instant::now();
    let seen = desk.call(Observe, input, &key(1, 2, 0)).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(
        (&seen["process"]["alive"], &seen["process"]["rss_kib"]),
        (&json!(true), &json!(null)),
        "{seen}"
    );
    engine.trouble("ContainerStats", 0, Trouble::Hangs);
}
