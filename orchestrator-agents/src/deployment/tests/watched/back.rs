//! Where a rollback leads: to what runs and was good, started again where it must be.

use super::*;

fn kill(pid: u32) {
    let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}

/// A rollback never sends clients to nobody: a version before that died meanwhile is started again first.
#[test]
fn going_back_to_a_version_that_died_starts_it_again() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let old = desk.deployments().remove(0).pid;
    desk.when(move |_, _| {
        kill(old);
        Some(json!("rollback"))
    });
    let failed = desk.deploy(2, proxied("0.2.0", "")).unwrap_err();
    assert!(failed.summary.contains("0.1.0 has all traffic again"), "{}", failed.summary);
    assert_eq!((desk.running(), proxy.served()), (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()]));
    assert!(failed.metrics.iter().any(|metric| metric.name == "deploy.rollback"), "{:?}", failed.metrics);
}

/// What was taken back is nothing that a second rollback goes to.
#[test]
fn a_version_that_was_rolled_back_is_not_gone_back_to() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    desk.when(said("rollback"));
    desk.deploy(2, watched("0.2.0", "")).unwrap_err();
    let production = Environment::new("production").unwrap();
    assert_eq!(ops::way_back(&desk.state(), &production).unwrap(), None);
    let kept = ops::kept(&desk.state(), &production).unwrap();
    let counted: Vec<(&str, bool)> = kept.iter().map(|kept| (kept.version.as_str(), kept.proven)).collect();
    assert_eq!(counted, [("0.2.0", false), ("0.1.0", true)]);
}

/// A canary that nobody leads any more: going back means the version that counts, not the one before it.
#[test]
fn a_rollback_beside_a_canary_goes_to_the_current_version() {
    let desk = Desk::new();
    let _proxy = Standin::at(&desk.state());
    for (run, version) in [(1, "0.1.0"), (2, "0.2.0")] {
        desk.when(said("promote"));
        desk.deploy(run, proxied(version, "")).unwrap();
    }
    let production = Environment::new("production").unwrap();
    let to = || ops::way_back(&desk.state(), &production).unwrap().map(|(version, _)| version.to_string());
    assert_eq!(to(), Some("0.1.0".into()));
    let state = desk.state();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(None));
    let own = seen.clone();
    desk.when(move |_, _| {
        let production = Environment::new("production").unwrap();
        *own.lock().unwrap() =
            ops::way_back(&state, &production).unwrap().map(|(version, _)| version.to_string());
        Some(json!("rollback"))
    });
    desk.deploy(3, proxied("0.3.0", "")).unwrap_err();
    assert_eq!(*seen.lock().unwrap(), Some("0.2.0".into()));
}

/// Each request of it takes memory for good: more and more, look after look. With a guard it goes back, without one it is told.
#[test]
fn a_version_that_leaks_goes_back_where_a_guard_says_so_and_is_told_otherwise() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    desk.when(said("promote"));
    desk.deploy(1, proxied("0.1.0", "")).unwrap();
    let leaks = |most: usize| {
        let (candidate, mut looks) = (desk.state().join("deploy/production/candidate.json"), 0);
        desk.when(move |_, _| {
            looks += 1;
            let record: Value = serde_json::from_slice(&std::fs::read(&candidate).unwrap()).unwrap();
            get(&format!("{}/hello", record["url"].as_str().unwrap()));
            // The clock of a look has hundredths of a second.
            std::thread::sleep(Duration::from_millis(10));
            assert!(looks <= most, "it would have gone back by now");
            (looks == 70 && most > 70).then(|| json!("promote"))
        });
    };
    let mut guarded = proxied("0.2.0", "leaking");
    guarded["watch"]["guards"] = json!({ "leak_mb_per_hour": 10 });
    leaks(70);
    let failed = desk.deploy(2, guarded).unwrap_err();
    assert!(
        failed.summary.contains("was rolled back: its memory keeps growing by at least "),
        "{}",
        failed.summary
    );
    assert_eq!((desk.running(), proxy.served()), (vec!["0.1.0".into()], vec!["hello from 0.1.0".into()]));
    // What it decided is in the recording, and is decided again from it.
    let watches = std::fs::read_dir(desk.state().join("deploy/production/watch")).unwrap();
    let recording =
        watches.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("0.2.0"));
    let text = std::fs::read_to_string(recording.unwrap()).unwrap();
    let replay = crate::deployment::analysis::Recording::read(&text).unwrap().replay(None);
    assert_eq!(replay.differs, None);
    assert!(replay.compared >= 60, "{}", replay.compared);

    leaks(100);
    let told = desk.deploy(3, proxied("0.3.0", "leaking")).unwrap();
    let rules: Vec<&str> = told.findings.iter().map(|finding| finding.rule.as_str()).collect();
    assert_eq!(
        rules.iter().filter(|rule| ["watch/leak", "watch/told"].contains(rule)).count(),
        2,
        "{rules:?}"
    );
}
