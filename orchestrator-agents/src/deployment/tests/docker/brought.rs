//! What a container wrote is brought to the log of its release, each line once.

use super::*;
use crate::deployment::ops::ReadSignatures;

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_lines_are_brought_once_where_bringing_was_cut_off() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    let (url, release) = (desk.current().unwrap().1, desk.release_of("0.1.0")["name"].clone());
    let folder = desk.state().join("deploy/production/releases").join(release.as_str().unwrap());
    let errors = || desk.log_of("0.1.0").matches("error: ledger").count();
    let look = || {
        let input = json!({ "environment": "production", "release": release });
        desk.call(ReadSignatures, input, &key(2, 0, 0)).unwrap();
    };
    let fails = |all: usize| {
        get(&format!("{url}/fail"));
        eventually("the line", || {
            look();
            errors() >= all
        });
    };
    fails(1);
    let mark = folder.join("service.log.at");
    let before = std::fs::read(&mark).unwrap();
    fails(2);
    // As if it had been killed between the lines and the mark.
    std::fs::write(&mark, before).unwrap();
    look();
    assert_eq!(errors(), 2, "{}", desk.log_of("0.1.0"));
    fails(3);
    assert_eq!(errors(), 3, "{}", desk.log_of("0.1.0"));
}
