//! Migrations and the log in the rounds of a deployment: what waits for the traffic, what is looked at before, what is new after.

use super::super::logs::a_minute_later;
use super::*;

/// Where the proxy does not take the switch, the last migrations are not applied and nothing passes.
#[test]
fn what_only_the_new_version_bears_waits_for_its_traffic() {
    let desk = Desk::new();
    let proxy = std::sync::Arc::new(Standin::at(&desk.state()));
    let with = |version: &str| {
        let mut config = proxied(version, "");
        config.as_object_mut().unwrap().remove("watch");
        config["approve"] = json!(true);
        std::fs::create_dir_all(desk.folder.path().join("migrations")).unwrap();
        config["migrations"] = json!({ "folder": "migrations", "database": { "command": {
            "apply": ["sh", "-c", "echo {stage} >> applied"], "check": ["true"] } } });
        config
    };
    desk.when(|_, _| Some(json!({ "decision": "done" })));
    desk.deploy(1, with("0.1.0")).unwrap();
    let applied = || std::fs::read_to_string(desk.folder.path().join("applied")).unwrap();
    let before = applied();
    let dying = proxy.clone();
    desk.when(move |_, _| {
        dying.dies();
        Some(json!({ "decision": "done" }))
    });
    let failed = desk.deploy(2, with("0.2.0")).unwrap_err();
    assert!(failed.summary.contains("it could not be made current: no proxy answers"), "{}", failed.summary);
    assert_eq!(applied(), format!("{before}expand\n"), "no contract file was applied");
    assert_eq!(desk.running(), ["0.1.0", "0.2.0"], "nobody who may have the traffic was ended");
}

/// Errors that the log of the version before never had: told, or they fail a proof.
#[test]
fn new_kinds_of_errors_in_the_log_are_found_before_the_switch() {
    let desk = Desk::new();
    let with = |version: &str, on_new: &str, smoke: &str| {
        let mut config = config(version, "");
        config["env"]["TOKEN"] = json!({ "secret": "API" });
        config["log_watch"] = json!({ "on_new": on_new });
        config["smoke"] = json!([{ "name": "page", "path": smoke }]);
        config
    };
    let rules = |conclusion: &[orchestrator_core::evidence::Finding]| -> Vec<String> {
        conclusion.iter().filter(|it| it.rule.starts_with("log/")).map(|it| it.message.clone()).collect()
    };
    let first = desk.deploy(1, with("0.1.0", "fail", "/fail")).unwrap();
    assert_eq!(rules(&first.findings), [""; 0], "there is nothing to compare it with");
    // The same kind is known, whatever differs in it.
    desk.deploy(2, with("0.2.0", "fail", "/fail")).unwrap();
    desk.deploy(3, with("0.3.0", "fail", "/hello")).unwrap();
    // It never had it now.
    let failed = desk.deploy(4, with("0.4.0", "fail", "/fail")).unwrap_err();
    assert!(
        failed.summary.contains("0.4.0 was not deployed: 1 kinds of errors are new in the log, more than 0, such as: error: ledger"),
        "{}",
        failed.summary
    );
    assert!(failed.summary.contains("key ***"), "{}", failed.summary);
    let told = desk.deploy(5, with("0.5.0", "warn", "/fail")).unwrap();
    assert!(
        rules(&told.findings)[0]
            .starts_with("1 times in the new version's log and never in the old one's: error: ledger")
    );
}

/// The version with all of the traffic logs an error.
fn fails(state: &std::path::Path) {
    let current = std::fs::read_to_string(state.join("deploy/production/url")).unwrap();
    get(&format!("{}/fail", current.trim()));
}

/// A version before, and one whose new kinds of errors send it back, watched for so long.
fn log_watched(desk: &Desk, seconds: u32) -> Value {
    let with = |version: &str| {
        let mut config = config(version, "");
        config["log_watch"] = json!({ "on_new": "roll_back" });
        config
    };
    desk.deploy(1, with("0.1.0")).unwrap();
    let mut config = with("0.2.0");
    config["watch"] = json!({ "seconds": seconds, "warm_up": 0 });
    config
}

fn new_errors(findings: &[orchestrator_core::evidence::Finding]) -> usize {
    findings.iter().filter(|found| found.rule == "log/new-error").count()
}

#[test]
fn what_is_new_in_the_log_for_a_minute_sends_a_version_back() {
    let desk = Desk::new();
    let config = log_watched(&desk, 600);
    let state = desk.state();
    let mut looks = 0;
    desk.when(move |_, _| {
        looks += 1;
        match looks {
            1 => fails(&state),
            // It is still there: the version before may log it yet.
            12 => a_minute_later(&state),
            _ => assert!(looks < 20, "it goes back soon"),
        }
        None
    });
    let back = desk.deploy(2, config).unwrap_err();
    let why = "0.2.0 was rolled back: 1 kinds of errors are new in the log";
    assert!(back.summary.contains(why), "{}", back.summary);
    assert_eq!((desk.current().unwrap().0, new_errors(&back.findings)), ("0.1.0".into(), 1));
}

/// Both use what failed, and the new version was only the first to say so.
#[test]
fn what_the_version_before_logs_a_little_later_is_no_fault_of_the_new_one() {
    let desk = Desk::new();
    let config = log_watched(&desk, 600);
    let (state, before) = (desk.state(), desk.current().unwrap().1);
    let mut looks = 0;
    desk.when(move |_, _| {
        looks += 1;
        match looks {
            1 => fails(&state),
            8 => {
                let kept = std::fs::read_dir(state.join("deploy/production/watch")).unwrap().flatten();
                let text = |file: std::fs::DirEntry| std::fs::read_to_string(file.path()).unwrap();
                assert!(kept.map(text).any(|text| text.contains("ledger")), "it was seen");
                get(&format!("{before}/fail"));
            }
            14.. => a_minute_later(&state),
            _ => {}
        }
        (looks > 25).then(|| json!("promote"))
    });
    let passed = desk.deploy(2, config).map_err(|failed| failed.summary).unwrap();
    assert_eq!((desk.current().unwrap().0, new_errors(&passed.findings)), ("0.2.0".into(), 0));
}

/// What is new shortly before the promotion puts it off; what cannot be told in a minute more does not hold it for ever.
#[test]
fn a_promotion_waits_for_what_is_new_in_the_log() {
    for is_old in [true, false] {
        let desk = Desk::new();
        let config = log_watched(&desk, 2);
        let state = desk.state();
        let (mut looks, mut put_off) = (0, 0);
        let told = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let into = told.clone();
        desk.when(move |_, wait| {
            looks += 1;
            if looks == 1 {
                fails(&state);
            }
            put_off += u32::from(wait.message.contains("its promotion waits for what is new in its log"));
            into.store(put_off, std::sync::atomic::Ordering::SeqCst);
            if put_off == 20 && is_old {
                a_minute_later(&state);
            }
            None
        });
        let ended = desk.deploy(2, config);
        let put_off = told.load(std::sync::atomic::Ordering::SeqCst);
        if is_old {
            let back = ended.unwrap_err();
            assert!(back.summary.contains("0.2.0 was rolled back: 1 kinds of errors"), "{}", back.summary);
            assert!((20..=26).contains(&put_off), "{put_off}");
        } else {
            let passed = ended.map_err(|failed| failed.summary).unwrap();
            assert_eq!((put_off, new_errors(&passed.findings)), (65, 1), "it counts, and is told");
        }
    }
}

/// Which migrations are pending is looked at before anything is claimed: what a dry run shows is what a run does.
#[test]
fn what_follows_the_migrations_is_planned_with_the_claim() {
    let desk = Desk::new();
    std::fs::create_dir_all(desk.folder.path().join("migrations")).unwrap();
    let mut config = config("0.1.0", "");
    config["migrations"] = json!({ "folder": "migrations", "database": { "command": {
        "apply": ["sh", "-c", "echo {stage} >> applied"], "check": ["true"] } } });
    let agent = dyn_agent(desk.agent()).unwrap();
    let mut task: Task<Json> = task(config.clone().into());
    let look = Workspace::new(desk.folder.path(), "2026-11-20T23:44:33Z".parse().unwrap());
    let names = |actions: &[Action]| -> Vec<String> {
        let name = |action: &Action| match action {
            Action::Call(call) => call.operation.to_string(),
            other => panic!("{other}"),
        };
        actions.iter().map(name).collect()
    };
    let first;
    (task.carried, first) = desk.runtime.block_on(agent.prepare(&task, &look)).unwrap();
    assert_eq!(names(&first), ["pending-migrations"]);
    let receipts = desk.receipts(&first, 1, 0);
    let next = agent.conclude(&task, &receipts, &Artifacts::new(&Kept::default())).unwrap();
    let Verdict::More { actions, .. } = next else { panic!("{next:?}") };
    assert_eq!(names(&actions), ["claim-environment", "apply-migrations", "start-service"]);
    // What was planned for an empty environment is not done in another one.
    desk.deploy(2, self::config("0.2.0", "")).unwrap();
    let receipts = desk.receipts(&actions, 1, 1);
    assert!(
        receipts[0].status.to_string().contains("another version serves in production"),
        "{:?}",
        receipts[0]
    );
    assert!(desk.is_free() && !desk.folder.path().join("applied").exists());
    desk.deploy(3, config).unwrap();
    assert_eq!(std::fs::read_to_string(desk.folder.path().join("applied")).unwrap(), "expand\ncontract\n");
}
