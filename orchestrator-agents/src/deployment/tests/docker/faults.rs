//! What goes wrong with containers and engines: said, bounded, and nothing is left over.

use super::standin::Trouble;
use super::*;
use crate::deployment::ops::{LookAtEngine, StartContainer};
use crate::deployment::tests::standin::{LISTEN, Standin};

fn look(desk: &Desk, socket: &Path, image: &str, pull: &str) -> Result<Value, String> {
    desk.call(LookAtEngine, json!({ "socket": socket, "image": image, "pull": pull }), &key(9, 0, 0))
}

/// Nothing is migrated for a version that cannot start: the engine is asked before anything else.
#[test]
fn an_engine_that_is_not_there_migrates_and_claims_nothing() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.folder.path().join("migrations")).unwrap();
    let mut config = contained(Path::new("/nowhere/engine.sock"), "0.1.0", "");
    config["migrations"] = json!({ "folder": "migrations", "database": { "command": {
        "apply": ["sh", "-c", "echo {stage} >> applied"], "check": ["sh", "-c", "echo asked >> applied"] } } });
    let failed = desk.deploy(1, config).unwrap_err();
    assert!(
        failed.summary.starts_with("production: 0.1.0 was not deployed: ")
            && failed.summary.contains("no container engine answers"),
        "{}",
        failed.summary
    );
    assert!(!desk.folder.path().join("applied").exists());
    assert_eq!(desk.history(), [""; 0]);
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_images_are_pulled_as_it_is_said() {
    let engine = Engine::new();
    let desk = Desk::new();
    let error = look(&desk, &engine.socket, "other:1", "never").unwrap_err();
    assert!(error.contains("the image `other:1` is not there; build or pull it"), "{error}");
    assert_eq!(look(&desk, &engine.socket, "other:1", "missing").unwrap()["image_id"], Value::Null);
    assert_eq!(look(&desk, &engine.socket, "school:0.1.0", "never").unwrap()["image_id"], "sha256:1");
    let pulling = |version: &str, pull: &str| {
        let mut config = contained(&engine.socket, version, "");
        config["target"]["pull"] = json!(pull);
        config
    };
    let failed = desk.deploy(1, pulling("0.9.0", "missing")).unwrap_err();
    assert!(
        failed.summary.contains("could not pull `school:0.9.0`: manifest for school:0.9.0 not found"),
        "{}",
        failed.summary
    );
    engine.lock().registry.insert("school:0.9.0".into(), "sha256:9".into());
    desk.deploy(2, pulling("0.9.0", "missing")).unwrap();
    assert_eq!(desk.release_of("0.9.0")["container"]["image_id"], "sha256:9");
    // A tag that moved is followed only where that is wanted.
    engine.lock().registry.insert("school:0.1.0".into(), "sha256:moved".into());
    engine.asked();
    desk.deploy(3, pulling("0.1.0", "missing")).unwrap();
    assert!(!engine.asked().contains(&"ImageCreate".to_owned()));
    assert_eq!(desk.release_of("0.1.0")["container"]["image_id"], "sha256:1");
    engine.image("x", "sha256:moved");
    desk.deploy(4, pulling("0.1.0", "always")).unwrap();
    let ids: Vec<String> =
        engine.lock().containers.values().map(|contained| contained.body["Image"].to_string()).collect();
    assert_eq!(ids, ["\"sha256:moved\""]);
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_one_that_exits_at_once_is_told_with_its_log() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    let before = desk.current().unwrap();
    let mut crashes = contained(&engine.socket, "0.2.0", "crash");
    crashes["env"]["TOKEN"] = json!({ "secret": "API" });
    let failed = desk.deploy(2, crashes).unwrap_err();
    for says in ["did not start", "fatal: no database", "with token ***"] {
        assert!(failed.summary.contains(says), "{}", failed.summary);
    }
    assert!(!failed.summary.contains("s3cret"));
    // One that is there and sick, and one that dies when it is asked.
    for (run, mode, says) in [
        (3, "unhealthy", "503"),
        (4, "dying", "the end of its log"),
        (5, "silent", "nothing listened on port"),
    ] {
        let mut config = contained(&engine.socket, "0.2.0", mode);
        config["health"]["timeout"] = json!(6);
        config["start_timeout"] = json!(6);
        let failed = desk.deploy(run, config).unwrap_err();
        assert!(failed.summary.contains(says), "{mode}: {}", failed.summary);
        assert_eq!((desk.current().unwrap(), engine.containers().len()), (before.clone(), 1), "{mode}");
    }
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_port_that_is_taken_is_replaced_or_said() {
    let engine = Engine::new();
    let desk = Desk::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut config = contained(&engine.socket, "0.1.0", "");
    config["port"] = json!(port);
    config["target"]["restarts"] = json!(0);
    let failed = desk.deploy(1, config.clone()).unwrap_err();
    assert!(failed.summary.contains(&format!("port {port} is taken")), "{}", failed.summary);
    assert!(engine.containers().is_empty());
    drop(listener);
    // A process that another test starts in this moment has a copy until its program is loaded.
    while !orchestrator_traffic::ports::is_free(port) {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    // The engine knows of a port that this machine does not.
    engine.lock().taken.insert(port.to_string());
    let failed = desk.deploy(2, config.clone()).unwrap_err();
    assert!(failed.summary.contains(&format!("port {port} is taken")), "{}", failed.summary);
    assert!(engine.containers().is_empty(), "what was made is removed");
    desk.deploy(3, config).unwrap();
    assert_eq!(desk.current().unwrap().1, format!("http://127.0.0.1:{port}"));
    // One that was picked is replaced by another.
    engine.lock().taken.insert("any".into());
    desk.deploy(4, contained(&engine.socket, "0.2.0", "")).unwrap();
    assert!(engine.lock().taken.is_empty());
    assert_eq!((engine.running(), engine.containers().len()), (vec!["0.2.0".into()], 1));
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_an_engine_that_refuses_is_quoted() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    let before = desk.current().unwrap();
    for (run, name, says) in
        [(2, "ContainerCreate", "make the container"), (3, "ContainerStart", "start `orchestrate-")]
    {
        engine.trouble(name, 1, Trouble::Refused(500, "write /var/lib/docker: no space left on device"));
        let failed = desk.deploy(run, contained(&engine.socket, "0.2.0", "")).unwrap_err();
        assert!(
            failed.summary.contains(says) && failed.summary.contains("no space left on device"),
            "{}",
            failed.summary
        );
        assert_eq!((desk.current().unwrap(), engine.containers().len()), (before.clone(), 1));
    }
    desk.deploy(4, contained(&engine.socket, "0.2.0", "")).unwrap();
    assert_eq!(engine.running(), ["0.2.0"]);
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_an_engine_that_hangs_or_is_gone_is_said_and_put_right_later() {
    let engine = Engine::new();
    let desk = Desk::new();
    desk.deploy(1, contained(&engine.socket, "0.1.0", "")).unwrap();
    let before = desk.current().unwrap();
    // It hangs when it is looked at: bounded, and a retry may cure it.
    engine.trouble("ImageInspect", 1, Trouble::Hangs);
    let error = look(&desk, &engine.socket, "school:0.1.0", "never").unwrap_err();
    assert!(error.contains("no container engine answers at") && error.contains("within"), "{error}");
    let operation = dyn_operation(LookAtEngine).unwrap();
    let input = Json::from(json!({ "socket": "/nowhere/engine.sock", "image": "x" }));
    let state = desk.state();
    let error = desk.runtime.block_on(operation.call(&input, &key(9, 0, 0), &desk.site(&state))).unwrap_err();
    assert!(error.is::<Transient>() && error.to_string().contains("there is no such socket"), "{error}");
    // It dies in the middle: the new version's container is there, and nobody can be asked about it.
    engine.trouble("ContainerStart", 1, Trouble::Breaks);
    engine.trouble("ContainerStop", 9, Trouble::Refused(500, "the engine is going down"));
    let failed = desk.deploy(2, contained(&engine.socket, "0.2.0", "")).unwrap_err();
    assert!(failed.summary.contains("did not start"), "{}", failed.summary);
    engine.dies();
    assert!(answers(&before.1), "the version that counts serves on, engine or not");
    let failed = desk.deploy(3, contained(&engine.socket, "0.2.0", "")).unwrap_err();
    assert!(failed.summary.contains("no container engine answers"), "{}", failed.summary);
    assert!(answers(&before.1));
    assert!(ops::stop_all(&desk.state()).unwrap_err().to_string().contains("no container engine answers"));
    assert_eq!(desk.deployments().len(), 1, "what could not be ended is not forgotten");
    // It is back: what is left over goes with the next deployment.
    engine.serve();
    engine.trouble("ContainerStop", 0, Trouble::Hangs);
    assert_eq!((engine.containers().len(), desk.current().unwrap()), (2, before));
    desk.deploy(4, contained(&engine.socket, "0.2.0", "")).unwrap();
    assert_eq!((engine.running(), engine.containers().len()), (vec!["0.2.0".into()], 1));
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_crash_loop_under_traffic_goes_back() {
    let engine = Engine::new();
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    let config = |version: &str| {
        let mut config = contained(&engine.socket, version, "");
        config["watch"] = json!({ "seconds": 600, "canary": [10], "step_seconds": 300, "warm_up": 0 });
        config["proxy"] = json!({ "listen": LISTEN });
        config["target"]["restarts"] = json!(2);
        config
    };
    *desk.waits.lock().unwrap() = Box::new(|_, _| Some(json!("promote")));
    desk.deploy(1, config("0.1.0")).unwrap();
    let state = desk.state();
    *desk.waits.lock().unwrap() = Box::new(move |_, _| {
        let record = std::fs::read(state.join("deploy/production/candidate.json")).unwrap();
        let url = serde_json::from_slice::<Value>(&record).unwrap()["url"].as_str().unwrap().to_owned();
        let _ = ureq::get(format!("{url}/crash")).call();
        std::thread::sleep(Duration::from_millis(200));
        None
    });
    let failed = desk.deploy(2, config("0.2.0")).unwrap_err();
    assert!(failed.summary.contains("was rolled back"), "{}", failed.summary);
    let says = ["crash", "its process ended, and nobody starts it again"];
    assert!(says.iter().any(|why| failed.summary.contains(why)), "{}", failed.summary);
    assert_eq!((engine.running(), proxy.served()), (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()]));
    assert_eq!(engine.containers().len(), 1);
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_container_of_somebody_else_is_left_alone() {
    let engine = Engine::new();
    let desk = Desk::new();
    let input = start_contained(&engine.socket, "0.1.0", "");
    desk.call(StartContainer, input.clone(), &key(1, 0, 0)).unwrap();
    // As if somebody had made one of that name.
    let name = engine.containers().remove(0);
    engine.lock().containers.get_mut(&name).unwrap().body["Labels"]["orchestrate.place"] = json!("another");
    assert_eq!(desk.already(StartContainer, input.clone(), &key(1, 0, 0)), Already::NotDone);
    let error = desk.call(StartContainer, input, &key(1, 0, 0)).unwrap_err();
    assert!(error.contains("is not ours"), "{error}");
    assert_eq!(engine.running(), ["0.1.0"]);
}
