//! Looks on a host that are journaled together end when a person says something here, or when somebody else has the host.

use orchestrator_core::layout::Layout;

use super::*;
use crate::deployment::analysis::{WatchConfig, Watcher};
use crate::deployment::ops::{Observe, ObserveInput, Watched};

/// A service on the host, and so many looks at it that they would take hours.
fn looks(near: &Near, desk: &Desk) -> Value {
    let input = json!({ "host": near.host(), "environment": "production" });
    desk.call(ops::PrepareHost { program: Some(near.at("program")) }, input, &key(1, 0, 0)).unwrap();
    let claim = near.on("claim-environment", json!({ "environment": "production", "version": "0.1.0" }));
    desk.call(near.act(), claim, &key(2, 0, 0)).unwrap();
    let mut order = near.on("start-service", start("0.1.0", ""));
    order["brings"] = json!([{ "path": "target/release/app", "into": "/artifact" }]);
    let started = desk.call(near.act(), order, &key(2, 0, 1)).unwrap();
    let config: WatchConfig = serde_json::from_value(json!({ "seconds": 86400, "warm_up": 0 })).unwrap();
    let text = |name: &str| started[name].as_str().unwrap().to_owned();
    let input = ObserveInput {
        new: Watched {
            environment: Environment::new("production").unwrap(),
            release: text("release"),
            process: serde_json::from_value(started["process"].clone()).unwrap(),
        },
        url: text("url"),
        version: None,
        old: None,
        route: None,
        health: serde_json::from_value(json!({})).unwrap(),
        probes: Vec::new(),
        patience: crate::deployment::Seconds::known(2),
        look: 0,
        config: Some(config.clone()),
        decided: None,
        looks: 1_000_000,
        watcher: Some(Box::new(Watcher::new(&config))),
    };
    near.on(Observe::NAME, serde_json::to_value(input).unwrap())
}

/// How many looks its recording has.
fn recorded(near: &Near) -> usize {
    let all = std::fs::read_dir(near.state().join("deploy/production/watch")).into_iter().flatten().flatten();
    let text = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path()).unwrap_or_default();
    all.map(|entry| text(entry).matches("\"sample\"").count()).sum()
}

/// How many looks were made until that was done after the third.
fn looked(near: &Near, desk: &Desk, then: impl FnOnce() + Send) -> usize {
    let order = looks(near, desk);
    let look = ops::LookOnHost { program: Some(near.at("program")) };
    let seen = std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("three looks", || recorded(near) >= 3);
            then();
        });
        desk.call(look, order, &key(2, 1, 0)).unwrap()
    });
    let seen: crate::deployment::analysis::Observed = serde_json::from_value(seen).unwrap();
    let samples = seen.samples().unwrap();
    assert!(samples.iter().all(|sample| sample.health.as_ref().unwrap().wrong.is_none()), "{samples:?}");
    assert_eq!(recorded(near), samples.len(), "each stands in the recording there");
    samples.len()
}

#[test]
fn a_person_is_heard_between_two_looks_at_a_host() {
    let near = Near::new();
    let desk = near.desk();
    let inbox = Layout::new(desk.state()).inbox(&key(2, 0, 0).run);
    let looks = looked(&near, &desk, || {
        std::fs::create_dir_all(inbox.parent().unwrap()).unwrap();
        std::fs::write(inbox, "{}").unwrap();
    });
    assert!((3..1_000_000).contains(&looks), "{looks}");
}

#[test]
fn whoever_lost_a_host_looks_no_more() {
    let near = Near::new();
    let desk = near.desk();
    let looks = looked(&near, &desk, || {
        let path = near.state().join("deploy/production/claim.json");
        let mut claim: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        claim["run"] = json!(key(9, 0, 0).run);
        std::fs::write(&path, claim.to_string()).unwrap();
    });
    assert!((3..1_000_000).contains(&looks), "{looks}");
}
