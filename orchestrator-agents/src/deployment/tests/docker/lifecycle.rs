//! A version comes as a container, is proved, counts, goes, and comes back.

use super::*;
use crate::deployment::ops::{Observe, ReadSignatures, Reinstate};
use crate::deployment::tests::standin::{LISTEN, Standin};

/// A deployment, the next beside it, a rollback to the first, and the end: on any engine.
pub(super) fn whole_life(desk: &Desk, config: &dyn Fn(&str, &str) -> Value, retag: &dyn Fn()) {
    let mut first = config("0.1.0", "");
    first["env"]["TOKEN"] = json!({ "secret": "API" });
    first["env"]["WHERE"] = json!("{environment} {version} {port}");
    let passed = desk.deploy(1, first).unwrap();
    assert!(passed.summary.contains("0.1.0"), "{}", passed.summary);
    let (version, url) = desk.current().unwrap();
    assert_eq!((version.as_str(), get(&format!("{url}/hello")).as_str()), ("0.1.0", "hello from 0.1.0"));
    let env = get(&format!("{url}/env"));
    for line in ["TOKEN=s3cret", "WHERE=production 0.1.0 8080"] {
        assert!(env.contains(line), "{env}");
    }
    assert!(!env.contains("ORCHESTRATE_ORDER"), "{env}");
    let record = desk.release_of("0.1.0");
    assert!(!record.to_string().contains("s3cret"), "secrets are named, not kept");
    let pinned = record["container"]["image_id"].as_str().unwrap().to_owned();
    assert!(!pinned.is_empty() && pinned != "school:0.1.0", "{record}");

    desk.deploy(2, config("0.2.0", "")).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.2.0");
    assert!(!answers(&url), "the version before has ended");
    assert!(desk.log_of("0.1.0").contains("starting 0.1.0"), "its log stays: {}", desk.log_of("0.1.0"));

    // The tag means something else now; the release does not.
    retag();
    let release = record["name"].as_str().unwrap();
    let input = json!({ "environment": "production", "release": release, "grace": 1.0 });
    desk.call(Reinstate::default(), input.clone(), &key(3, 0, 0)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.1.0");
    assert_eq!(get(&format!("{}/hello", desk.current().unwrap().1)), "hello from 0.1.0");
    assert_eq!(desk.release_of("0.1.0")["container"]["image_id"], pinned);
    // Twice is as good as once.
    let again = desk.call(Reinstate::default(), input, &key(3, 0, 0)).unwrap();
    assert_eq!(again["version"], "0.1.0");
    let told = [
        "started 0.1.0",
        "promoted 0.1.0",
        "ended 0.1.0",
        "started 0.2.0",
        "promoted 0.2.0",
        "ended 0.2.0",
        "reinstated 0.1.0",
    ];
    assert_eq!(desk.history(), told);
    let status = desk.deployments();
    assert_eq!((status.len(), status[0].alive), (1, true));
    let stopped = ops::stop_all(&desk.state()).unwrap();
    assert_eq!(stopped.len(), 1);
    assert!(desk.current().is_none() && desk.deployments().is_empty());
    assert_eq!(ops::stop_all(&desk.state()).unwrap().len(), 0);
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_version_comes_counts_goes_and_comes_back() {
    let engine = Engine::new();
    let desk = Desk::new();
    let config = |version: &str, mode: &str| {
        let mut config = contained(&engine.socket, version, mode);
        let target = json!({ "args": ["--port={port}", "{release}"], "memory": "64MiB", "cpus": 0.5, "network": "web",
            "volumes": ["data:/data", "/srv:/srv:ro"], "restarts": 2 });
        config["target"].as_object_mut().unwrap().extend(target.as_object().unwrap().clone());
        config
    };
    whole_life(&desk, &config, &|| {
        // As it was asked for: all bounds, and who it is.
        let (name, body) = {
            let inner = engine.lock();
            let (name, contained) = inner.containers.first_key_value().unwrap();
            (name.clone(), contained.body.clone())
        };
        let project = desk
            .folder
            .path()
            .file_name()
            .unwrap()
            .to_string_lossy()
            .replace(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c), "_");
        assert!(name.starts_with(&format!("orchestrate-{project}-production-0.2.0-")), "{name}");
        assert_eq!(body["Image"], "sha256:2");
        assert_eq!(body["Cmd"][0], "--port=8080");
        let host = &body["HostConfig"];
        assert_eq!(
            (&host["Memory"], &host["NanoCpus"], &host["NetworkMode"]),
            (&json!(64 << 20), &json!(500_000_000), &json!("web"))
        );
        assert_eq!((&host["Init"], &host["Binds"]), (&json!(true), &json!(["data:/data", "/srv:/srv:ro"])));
        assert_eq!(host["RestartPolicy"], json!({ "Name": "on-failure", "MaximumRetryCount": 2 }));
        assert_eq!(host["LogConfig"]["Config"], json!({ "max-size": "10m", "max-file": "3" }));
        let label = |name: &str| body["Labels"][format!("orchestrate.{name}")].as_str().unwrap().to_owned();
        assert_eq!(
            (label("version"), label("environment"), label("project")),
            (
                "0.2.0".into(),
                "production".into(),
                desk.folder.path().file_name().unwrap().to_string_lossy().into_owned()
            )
        );
        assert_eq!(label("run"), key(2, 0, 0).run.to_string());
        assert!(
            name.ends_with(&label("release")) && !label("order").is_empty() && !label("place").is_empty()
        );
        engine.image("school:0.1.0", "sha256:other");
        engine.lock().images.insert("kept".into(), "sha256:1".into());
    });
    assert_eq!(engine.containers(), Vec::<String>::new());
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_shares_go_through_the_proxy_and_back() {
    let engine = Engine::new();
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    let config = |version: &str| {
        let mut config = contained(&engine.socket, version, "");
        config["watch"] = json!({ "seconds": 600, "canary": [10], "step_seconds": 300, "warm_up": 0 });
        config["proxy"] = json!({ "listen": LISTEN });
        config
    };
    let say = |word: &'static str| *desk.waits.lock().unwrap() = Box::new(move |_, _| Some(json!(word)));
    say("promote");
    desk.deploy(1, config("0.1.0")).unwrap();
    say("rollback");
    let failed = desk.deploy(2, config("0.2.0")).unwrap_err();
    assert!(failed.summary.contains("0.1.0 has all traffic again"), "{}", failed.summary);
    assert_eq!((engine.running(), proxy.served()), (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()]));
    assert_eq!(proxy.applied(), ["0.1.0 100", "0.1.0 1", "0.1.0 90, 0.2.0 10", "0.1.0 1"]);
    assert_eq!(engine.containers().len(), 1);
    say("promote");
    desk.deploy(3, config("0.2.0")).unwrap();
    assert_eq!((engine.running(), proxy.served()), (vec!["0.2.0".into()], vec!["hello from 0.2.0".into()]));
}

#[test]
#[ignore = "needs the engine's published schema; tests/run has it"]
fn needs_docker_schema_a_look_sees_restarts_memory_and_the_log() {
    let engine = Engine::new();
    let desk = Desk::new();
    looked_at(&desk, &start_contained(&engine.socket, "0.1.0", ""));
}

/// A service is looked at while it grows and crashes.
pub(super) fn looked_at(desk: &Desk, input: &Value) {
    let started = desk.call(crate::deployment::ops::StartContainer, input.clone(), &key(1, 0, 0)).unwrap();
    let url = started["url"].as_str().unwrap().to_owned();
    patiently("an answer", || answers(&url));
    let look = || {
        let watched = json!({ "environment": "production", "release": started["release"], "process": started["process"] });
        let input =
            json!({ "new": watched, "url": url, "health": { "timeout": 5 }, "patience": 30.0, "look": 0 });
        desk.call(Observe, input, &key(1, 1, 0)).unwrap()["process"].clone()
    };
    let before = look();
    assert_eq!(
        (&before["alive"], &before["supervised"], &before["restarts"]),
        (&json!(true), &json!(true), &json!(0)),
        "{before}"
    );
    assert!(before["rss_kib"].as_u64().unwrap() > 50, "{before}");
    get(&format!("{url}/leak"));
    let after = look();
    let grown = after["rss_kib"].as_u64().unwrap() - before["rss_kib"].as_u64().unwrap();
    assert!((30_000..60_000).contains(&grown), "{before} {after}");
    // It crashes, is started again, in the end no more.
    for restarts in 1..=3 {
        patiently("an answer", || answers(&url));
        let _ = ureq::get(format!("{url}/crash")).call();
        patiently("a restart", || look()["restarts"] == restarts);
    }
    patiently("an answer", || answers(&url));
    let _ = ureq::get(format!("{url}/crash")).call();
    patiently("a crash loop", || look()["crash_loop"] == true);
    let over = look();
    assert_eq!((&over["alive"], &over["supervised"]), (&json!(false), &json!(false)), "{over}");
    let input = json!({ "environment": "production", "release": started["release"] });
    let read = desk.call(ReadSignatures, input, &key(1, 2, 0)).unwrap();
    assert_eq!(desk.log_of("0.1.0").matches("starting 0.1.0").count(), 4, "{read} {}", desk.log_of("0.1.0"));
}
