//! The end of everything: nobody says that nothing ran while a container runs.

use super::standin::Trouble;
use super::*;
use crate::deployment::ops::StartContainer;

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_what_nobody_recorded_is_not_said_to_be_nothing() {
    let engine = Engine::new();
    let desk = Desk::new();
    // The engine breaks when it has started one.
    engine.trouble("ContainerStart", 1, Trouble::Breaks);
    engine.trouble("ContainerStop", 9, Trouble::Refused(500, "the engine is going down"));
    desk.call(StartContainer, start_contained(&engine.socket, "0.1.0", ""), &key(1, 0, 0)).unwrap_err();
    engine.dies();
    let error = ops::stop_all(&desk.state()).unwrap_err().to_string();
    assert!(error.contains("no container engine answers"), "{error}");
    engine.serve();
    engine.trouble("ContainerStop", 0, Trouble::Hangs);
    assert_eq!(ops::stop_all(&desk.state()).unwrap().len(), 1);
    assert_eq!((engine.containers(), ops::stop_all(&desk.state()).unwrap().len()), (Vec::new(), 0));
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_container_whose_record_is_gone_is_told() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    let folder = desk.state().join("deploy/production");
    std::fs::remove_dir_all(folder.join("releases")).unwrap();
    let error = ops::stop_all(&desk.state()).unwrap_err().to_string();
    let id = engine.id("0.1.0").unwrap();
    assert!(error.contains(&id) && error.contains("current.json"), "{error}");
    assert!(folder.join("current.json").exists(), "what may run is not forgotten");
    // As it is said.
    std::fs::remove_file(folder.join("current.json")).unwrap();
    assert_eq!(ops::stop_all(&desk.state()).unwrap().len(), 0);
}
