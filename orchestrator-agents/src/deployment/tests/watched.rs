//! A version is given its traffic bit by bit, watched, and promoted; or it goes back.

mod back;
mod proofs;

use super::standin::{LISTEN, Standin};
use super::*;

/// A watched deployment behind a proxy.
pub(super) fn proxied(version: &str, mode: &str) -> Value {
    let mut config = watched(version, mode);
    config["proxy"] = json!({ "listen": LISTEN });
    config
}

/// A watched deployment.
pub(super) fn watched(version: &str, mode: &str) -> Value {
    let mut config = config(version, mode);
    config["watch"] = json!({ "seconds": 600, "canary": [10], "step_seconds": 300, "warm_up": 0 });
    config
}

impl Desk {
    pub(super) fn when(&self, answer: impl FnMut(usize, &Await) -> Option<Value> + Send + 'static) {
        *self.waits.lock().unwrap() = Box::new(answer);
    }

    pub(super) fn url(&self) -> String {
        std::fs::read_to_string(self.state().join("deploy/production/url")).unwrap_or_default()
    }

    pub(super) fn is_free(&self) -> bool {
        !self.state().join("deploy/production/claim.json").exists()
    }

    pub(super) fn running(&self) -> Vec<String> {
        let all = self.deployments().into_iter().filter(|found| found.alive);
        all.map(|found| found.version.to_string()).collect()
    }
}

/// Says `word` with the second look.
pub(super) fn said(word: &'static str) -> impl FnMut(usize, &Await) -> Option<Value> {
    let mut looks = 0;
    move |_, wait| {
        assert_eq!(wait.signal.as_ref().unwrap().as_str(), "watch.task");
        looks += 1;
        (looks > 1).then(|| json!(word))
    }
}

#[test]
fn shares_grow_and_the_proxy_keeps_its_address() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    let first = desk.deploy(1, proxied("0.1.0", "")).unwrap();
    assert_eq!(first.output.unwrap().value()["url"], format!("http://{LISTEN}"));
    assert_eq!((desk.url(), proxy.served()), (format!("http://{LISTEN}\n"), vec!["hello from 0.1.0".into()]));
    desk.when(said("promote"));
    let second = desk.deploy(2, proxied("0.2.0", "")).unwrap();
    assert_eq!(
        proxy.applied(),
        ["0.1.0 100", "0.1.0 1", "0.1.0 90, 0.2.0 10", "0.2.0 1"],
        "{}",
        second.summary
    );
    assert_eq!((desk.running(), proxy.served()), (vec!["0.2.0".into()], vec!["hello from 0.2.0".into()]));
    let output = second.output.unwrap().value();
    assert_eq!((&output["previous"], &output["watch"]["looks"]), (&json!("0.1.0"), &json!(2)));
    let metric =
        |name: &str| second.metrics.iter().find(|metric| metric.name == name).map(|metric| metric.value);
    assert!(metric("deploy.switch").is_some_and(|ms| ms > 0.0), "{:?}", second.metrics);
    assert_eq!((metric("deploy.switch.first_answer"), metric("deploy.drain")), (Some(1.5), Some(1.0)));
    assert!(desk.is_free());
}

#[test]
fn what_falls_ill_under_traffic_goes_back_by_itself() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let sick = desk.folder.path().join("sick");
    let mut ill = proxied("0.2.0", "sick");
    ill["env"]["SICK"] = json!(sick);
    let shared = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, state) = (shared.clone(), desk.state());
    desk.when(move |_, _| {
        std::fs::write(&sick, "").unwrap();
        let current = std::fs::read_to_string(state.join("deploy/production/current.json")).unwrap();
        seen.lock().unwrap().push(current.contains("\"0.1.0\""));
        None
    });
    let failed = desk.deploy(2, ill).unwrap_err();
    assert!(failed.summary.starts_with("production: 0.2.0 was rolled back: "), "{}", failed.summary);
    assert!(failed.summary.contains("0.1.0 has all traffic again"), "{}", failed.summary);
    assert!(failed.findings.iter().any(|finding| finding.rule == "watch/roll-back"), "{:?}", failed.findings);
    assert!(failed.metrics.iter().any(|metric| metric.name == "deploy.rollback"));
    assert_eq!(shared.lock().unwrap().len(), 3, "three health checks were enough");
    assert!(shared.lock().unwrap().iter().all(|current| *current), "it never counted");
    assert_eq!((desk.running(), proxy.served()), (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()]));
    assert_eq!(desk.history().last().unwrap(), "ended 0.2.0");
    let line = ops::history(&desk.state(), &Environment::new("production").unwrap()).unwrap().pop().unwrap();
    assert_eq!(line.verdict, Some(crate::deployment::Ending::RolledBack));
    assert!(line.who.unwrap().contains('@') && line.run == Some(key(2, 0, 0).run), "who and run are told");
    assert!(desk.is_free());
}

#[test]
fn a_crash_under_traffic_goes_back_too() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let candidate = desk.state().join("deploy/production/candidate.json");
    desk.when(move |_, _| {
        let record: Value = serde_json::from_slice(&std::fs::read(&candidate).unwrap()).unwrap();
        let pid = rustix::process::Pid::from_raw(record["pid"].as_i64().unwrap() as i32).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        None
    });
    let failed = desk.deploy(2, proxied("0.2.0", "")).unwrap_err();
    assert!(failed.summary.contains("was rolled back"), "{}", failed.summary);
    assert_eq!(proxy.served(), ["hello from 0.1.0"]);
}

#[test]
fn a_proxy_that_goes_away_is_said_and_nothing_is_ended_blindly() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let proxy = std::sync::Arc::new(proxy);
    let gone = proxy.clone();
    desk.when(move |_, _| {
        gone.dies();
        Some(json!({ "decision": "rollback", "by": "ada" }))
    });
    let failed = desk.deploy(2, proxied("0.2.0", "")).unwrap_err();
    assert!(
        failed.summary.contains("ada said so; going back failed: ")
            && failed.summary.contains("no proxy answers for production"),
        "{}",
        failed.summary
    );
    assert!(failed.summary.contains("no version was ended"), "{}", failed.summary);
    assert_eq!(desk.running(), ["0.1.0", "0.2.0"]);
    assert_eq!(proxy.served().len(), 2, "whoever has a share answers");
    // Back again, a new deployment first puts all traffic on the version that counts.
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(3, proxied("0.3.0", "")).unwrap();
    assert_eq!((desk.running(), proxy.served()), (vec!["0.3.0".into()], vec!["hello from 0.3.0".into()]));
    let absent = Desk::new();
    let failed = absent.deploy(1, proxied("0.1.0", "")).unwrap_err();
    assert!(failed.summary.contains("start it with `orchestrate proxy --folder"), "{}", failed.summary);
    assert!(absent.deployments().is_empty() && absent.is_free());
}

#[test]
fn the_old_version_may_die_while_the_new_one_gets_traffic() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let old = desk.deployments().remove(0).pid;
    desk.when(move |_, _| {
        let pid = rustix::process::Pid::from_raw(old.cast_signed()).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        Some(json!("promote"))
    });
    desk.deploy(2, proxied("0.2.0", "")).unwrap();
    assert_eq!((desk.running(), proxy.served()), (vec!["0.2.0".into()], vec!["hello from 0.2.0".into()]));
}

#[test]
fn without_a_proxy_health_is_watched_and_that_is_said() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let old = desk.current().unwrap();
    desk.when(said("rollback"));
    let failed = desk.deploy(2, watched("0.2.0", "")).unwrap_err();
    assert!(failed.summary.contains("a person said so; 0.1.0 has all traffic again"), "{}", failed.summary);
    assert_eq!((desk.current().unwrap(), desk.running()), (old, vec!["0.1.0".into()]), "it never stopped");
    let state = desk.state();
    let mut looks = 0;
    desk.when(move |_, _| {
        looks += 1;
        let current = std::fs::read_to_string(state.join("deploy/production/current.json")).unwrap();
        assert!(current.contains("\"on_watch\": true"), "{current}");
        (looks > 1).then(|| json!("promote"))
    });
    let passed = desk.deploy(3, watched("0.3.0", "")).unwrap();
    assert!(
        passed.findings.iter().any(|finding| finding.rule == "watch/health-only"),
        "{:?}",
        passed.findings
    );
    assert_eq!(desk.running(), ["0.3.0"]);
    let current = std::fs::read_to_string(desk.state().join("deploy/production/current.json")).unwrap();
    assert!(!current.contains("on_watch"));
}

#[test]
fn a_person_is_asked_before_there_is_traffic() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    let asking = |version: &str| {
        let mut config = config(version, "");
        config["approve"] = json!(true);
        config
    };
    let answer = |decision: &'static str| {
        let mut answers = vec![json!({ "decision": decision, "by": "ada" }), json!("nonsense")];
        move |_: usize, wait: &Await| {
            assert_eq!(wait.signal.as_ref().unwrap().as_str(), "manual.task");
            assert!(
                answers.len() == 1 || wait.message.contains("instead of 0.1.0? It is healthy"),
                "{}",
                wait.message
            );
            answers.pop()
        }
    };
    desk.when(answer("abort"));
    let failed = desk.deploy(2, asking("0.2.0")).unwrap_err();
    assert!(
        failed.summary.contains("0.2.0 was not deployed: ") && failed.summary.contains("ada"),
        "{}",
        failed.summary
    );
    desk.when(answer("skip"));
    assert!(desk.deploy(3, asking("0.2.0")).unwrap_err().summary.contains("was left out"));
    assert_eq!((desk.current().unwrap().0, desk.running().len()), ("0.1.0".into(), 1));
    desk.when(answer("done"));
    desk.deploy(4, asking("0.2.0")).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.2.0");
}

/// The first round of earlier versions was to start, and carried nothing: such a journal goes on as it began.
#[test]
fn a_deployment_of_an_earlier_version_goes_on() {
    let desk = Desk::new();
    let agent = dyn_agent(Deploy::default()).unwrap();
    let mut task: Task<Json> = task(config("0.1.0", "").into());
    let start: super::ops::StartInput = serde_json::from_value(start("0.1.0", "")).unwrap();
    let mut actions = vec![super::ops::StartService::action(&start).unwrap()];
    for round in 0.. {
        let receipts = desk.receipts(&actions, 1, round);
        match agent.conclude(&task, &receipts, &Artifacts::new(&Kept::default())).unwrap() {
            Verdict::Passed(conclusion) => {
                assert_eq!(conclusion.output.unwrap().value()["version"], "0.1.0");
                break;
            }
            Verdict::More { actions: next, carried } => {
                // As it was carried then: what started, and the step.
                let mut old = carried.value().clone();
                let fields = old.as_object_mut().unwrap();
                fields.retain(|name, _| ["step", "started", "health", "smoke"].contains(&name.as_str()));
                (actions, task.carried) = (next, old.into());
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(desk.current().unwrap().0, "0.1.0");
    assert_eq!(desk.history(), ["started 0.1.0", "promoted 0.1.0"]);
}

/// Tests that need what another one saved are sent before the switch and never again: alone they would always fail.
#[test]
fn tests_that_need_another_one_do_not_send_a_healthy_version_back() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    let mut config = proxied("0.1.0", "");
    config["smoke"] = json!([
        { "name": "made", "method": "POST", "path": "/echo", "body": { "id": "hello" }, "save": { "page": "/id" },
            "expect": { "status": 201 } },
        { "name": "shown", "path": "/{page}", "expect": { "contains": "hello from" } },
    ]);
    let mut looks = 0;
    desk.when(move |_, _| {
        looks += 1;
        (looks > 5).then(|| json!("promote"))
    });
    let passed = desk.deploy(1, config.clone()).unwrap();
    let watch = passed.output.unwrap().value()["watch"].clone();
    assert_eq!((&watch["looks"], &watch["numbers"]["probe.failures"]), (&json!(6), &json!(0.0)));
    assert_eq!(proxy.served(), ["hello from 0.1.0"]);
    config["smoke"][1]["probe"] = json!(true);
    let task: Task<Json> = task(config.into());
    let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
    let agent = dyn_agent(desk.agent()).unwrap();
    let refused = desk.runtime.block_on(agent.plan(&task, &look)).unwrap_err().to_string();
    assert!(refused.contains("smoke test `shown` can be no probe: it needs {page}"), "{refused}");
}

/// What a probe needs from the checkout may be gone for a while: that says nothing of the version.
#[test]
fn a_probe_that_cannot_be_made_ready_is_told_and_nothing_else() {
    let desk = Desk::new();
    let _proxy = Standin::at(&desk.state());
    let schema = desk.folder.path().join("schema.json");
    std::fs::write(&schema, "{}").unwrap();
    let mut config = proxied("0.1.0", "");
    config["smoke"] =
        json!([{ "name": "health", "path": "/health", "expect": { "schema_file": "schema.json" } }]);
    let mut looks = 0;
    desk.when(move |_, _| {
        looks += 1;
        let _ = std::fs::remove_file(&schema);
        (looks > 4).then(|| json!("promote"))
    });
    let passed = desk.deploy(1, config).unwrap();
    let told = passed
        .findings
        .iter()
        .find(|finding| finding.message.starts_with("a probe was not sent: `health`: "));
    assert!(told.is_some(), "{:?}", passed.findings);
}

/// A claim that cannot be read for a moment is not lost, and a look that saw nothing sends nobody back.
#[test]
fn a_claim_that_cannot_be_read_for_a_while_does_not_end_the_watch() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    let claim = desk.state().join("deploy/production/claim.json");
    let (mut looks, mut kept) = (0, Vec::new());
    desk.when(move |_, _| {
        looks += 1;
        match looks {
            2 => {
                kept = std::fs::read(&claim).unwrap();
                std::fs::write(&claim, "{").unwrap();
            }
            4 => std::fs::write(&claim, &kept).unwrap(),
            6 => return Some(json!("promote")),
            _ => {}
        }
        None
    });
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    assert_eq!(proxy.served(), ["hello from 0.1.0"]);
}
