//! A name that is not found for a moment: it is the same host still, and what is claimed there is not lost.

use std::sync::Arc;

use super::gone::NOWHERE;
use super::*;

#[test]
fn a_watch_outlives_a_moment_without_names() {
    let near = Arc::new(Near::new());
    let desk = near.desk();
    desk.deploy(1, near.deploys("0.1.0", "")).unwrap();
    let mut config = near.deploys("0.2.0", "");
    config["watch"] = json!({ "seconds": 600, "warm_up": 0 });
    let (own, mut looks) = (near.clone(), 0);
    *desk.waits.lock().unwrap() = Box::new(move |_, _| {
        looks += 1;
        match looks {
            2 => own.goes(),
            4 => own.returns(),
            _ => {}
        }
        (looks > 4).then(|| json!("rollback"))
    });
    let back = desk.deploy(2, config).unwrap_err();
    assert!(back.summary.contains("0.1.0 has all traffic again"), "{back:?}");
    assert_eq!(near.alive(), ["0.1.0"]);
    assert!(!near.state().join("deploy/production/claim.json").exists());
}

/// What is done there goes on, and another connection finds it.
#[test]
fn a_host_that_was_reached_is_looked_for_again() {
    let near = Near::new();
    let desk = near.desk();
    near.prepare(&desk, &near.at("program")).unwrap();
    std::fs::create_dir_all(near.at("home/srv/shop")).unwrap();
    let blip = near.at("home/blip");
    near.is_reached_by(&format!("if [ -e blip ]; then rm blip; {NOWHERE}; fi; exec sh -c \"$last\""));
    std::fs::write(&blip, "").unwrap();
    let (began, ended) = (near.at("began"), near.at("ended"));
    let apply = format!("touch {}; while [ ! -e {} ]; do sleep 0.1; done", began.display(), ended.display());
    let order = near.on(
        "apply-migrations",
        json!({ "environment": "production", "folder": "migrations", "files": [], "stage": "expand", "timeout": 60,
            "database": { "command": { "apply": ["sh", "-c", apply], "check": ["test", "-e", ended] } } }),
    );
    std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("a tool under way", || began.exists());
            std::fs::write(&ended, "").unwrap();
            for pid in near.programs() {
                signal(pid, Signal::KILL);
            }
        });
        desk.call(near.act(), order, &key(2, 0, 0)).unwrap()
    });
    assert!(!blip.exists(), "its name was asked for and not found");
}
