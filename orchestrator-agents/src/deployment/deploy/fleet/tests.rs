//! The wrapper alone: receipts in, rounds out. Real hosts are in `deployment/tests/ssh/fleet`.

use orchestrator_core::id::{GroupName, PhaseName, TaskId};
use orchestrator_core::order::Status;
use orchestrator_core::outcome::Failure;
use serde_json::{Value, json};

use super::*;

mod mended;

fn config(more: &Value) -> DeployConfig {
    let mut config = json!({
        "environment": "production", "version": "2.0.0", "artifact": "app", "wait": "1m",
        "target": { "kind": "ssh", "hosts": ["web1", "web2", "web3"], "folder": "srv/shop" },
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(config).unwrap()
}

/// A deployment whose receipts are made up: `answers` says what an operation on a host gives; `None` is a failure.
struct Play {
    config: DeployConfig,
    actions: Vec<Action>,
    carried: Json,
    /// `claim-environment web1`, in the order that they were performed.
    done: Vec<String>,
    /// The same, whole.
    all: Vec<Action>,
}

enum Says {
    Done(Value),
    Fails(bool),
}

impl Play {
    fn new(config: DeployConfig) -> Self {
        let (actions, carried) = first(&config, Known::first(None, None)).unwrap();
        Self { config, actions, carried, done: Vec::new(), all: Vec::new() }
    }

    fn task(&self) -> Task<DeployConfig> {
        let (id, phase) = (TaskId::new("deploy").unwrap(), PhaseName::new("deployment").unwrap());
        let group = GroupName::new("production").unwrap();
        Task { id, phase, group, config: self.config.clone(), carried: self.carried.clone() }
    }

    /// Plays round after round until it is over, or as many as that.
    fn plays(&mut self, rounds: usize, says: &mut dyn FnMut(&str) -> Says) -> Option<Verdict<DeployOutput>> {
        for _ in 0..rounds {
            let mut receipts = Vec::new();
            for action in &self.actions {
                let name = name(action);
                self.done.push(name.clone());
                self.all.push(action.clone());
                let receipt = match says(&name) {
                    Says::Done(output) => {
                        let took_ms = took_ms(action);
                        Receipt { output: output.into(), took_ms, ..Receipt::new(Status::Done) }
                    }
                    Says::Fails(transient) => {
                        Receipt::failed(Failure::new(format!("{name} failed")), transient)
                    }
                };
                let ok = receipt.ok();
                receipts.push(receipt);
                if !ok && !action.keeps_going() {
                    break;
                }
            }
            match conclude(&self.task(), &receipts).unwrap() {
                Verdict::More { actions, carried } => (self.actions, self.carried) = (actions, carried),
                over => return Some(over),
            }
        }
        None
    }
}

/// `start-service web1`; `wait` for a wait.
fn name(action: &Action) -> String {
    let Action::Call(call) = action else { return "wait".into() };
    let input = call.input.value();
    let host = input["host"]["name"].as_str().unwrap_or_default().to_owned();
    let operation = input["operation"].as_str().map_or_else(|| call.operation.to_string(), str::to_owned);
    format!("{operation} {host}")
}

/// Looks that are made together are a second apart.
fn took_ms(action: &Action) -> f64 {
    let Action::Call(call) = action else { return 0.0 };
    call.input.value()["input"]["looks"].as_f64().map_or(0.0, |looks| looks * 1000.0)
}

fn process() -> Value {
    json!({ "pid": 1, "started": 1, "boot": "b" })
}

/// What goes well: each host served 1.0.0 before.
fn well(name: &str) -> Says {
    let (operation, host) = name.split_once(' ').unwrap_or((name, ""));
    let service = |version: &str| {
        json!({ "environment": "production", "version": version, "release": format!("{version}-{host}"), "process": process(),
            "port": 1, "url": format!("http://{host}"), "digest": "0".repeat(64) })
    };
    Says::Done(match operation {
        "claim-environment" => json!({
            "claim": { "run": "20261120234433-00ff00ff", "task": "deploy", "owner": "ada@x", "process": process(),
                "since": "2026-11-20T23:44:33Z", "version": "2.0.0" },
            "serves": { "version": "1.0.0", "release": format!("1.0.0-{host}") },
        }),
        "start-service" => service("2.0.0"),
        "check-health" => {
            json!({ "url": format!("http://{host}"), "probes": 1, "latency_ms": 1.0, "took_ms": 1.0 })
        }
        "promote" => service("2.0.0"),
        "reinstate" => service("1.0.0"),
        "stop-service" => json!({ "stopped": [] }),
        _ => Value::Null,
    })
}

fn of<'d>(done: &'d [String], operations: &[&str]) -> Vec<&'d str> {
    let wanted = |name: &&String| operations.iter().any(|operation| name.starts_with(operation));
    done.iter().filter(wanted).map(String::as_str).collect()
}

const MOVES: [&str; 4] = ["start-service", "promote", "reinstate", "release-environment"];

#[test]
fn all_are_looked_at_and_claimed_before_the_first_begins_and_released_after_the_last() {
    let mut play = Play::new(config(&json!({})));
    let first: Vec<String> = play.actions.iter().map(name).collect();
    assert_eq!(
        first.join(", "),
        "check-host web1, check-host web2, check-host web3, prepare-host web1, prepare-host web2, prepare-host web3, \
         claim-environment web1, claim-environment web2, claim-environment web3, confirm-claim web1, claim-environment web1, \
         start-service web1"
    );
    let over = play.plays(20, &mut well).unwrap();
    let Verdict::Passed(passed) = over else { panic!("{over:?}") };
    assert_eq!(
        passed.summary,
        "production: 2.0.0 answers at http://web1 on web1 (no smoke tests declared); at http://web2 on web2 (no smoke tests declared); \
         at http://web3 on web3 (no smoke tests declared)"
    );
    assert_eq!(
        of(&play.done, &MOVES),
        [
            "start-service web1",
            "promote web1",
            "start-service web2",
            "promote web2",
            "start-service web3",
            "promote web3",
            "release-environment web1",
            "release-environment web2",
            "release-environment web3"
        ]
    );
    let hosts: Vec<String> = passed.output.unwrap().hosts.iter().map(|host| host.release.clone()).collect();
    assert_eq!(hosts, ["2.0.0-web1", "2.0.0-web2", "2.0.0-web3"]);
}

/// A dry run ends in the first round: what it shows besides is what later rounds do, on each host.
#[test]
fn what_follows_on_the_other_hosts_is_known_before() {
    let mut play = Play::new(config(&json!({ "proxy": { "listen": "0.0.0.0:8080" } })));
    let follows = foreseen(&play.config, &play.carried).unwrap();
    let names: Vec<String> = follows.iter().map(name).collect();
    assert_eq!(
        names.join(", "),
        "confirm-claim web2, claim-environment web2, serve-traffic web2, start-service web2, \
         confirm-claim web3, claim-environment web3, serve-traffic web3, start-service web3"
    );
    play.plays(1, &mut well);
    assert_eq!(foreseen(&play.config, &play.carried).unwrap(), follows, "also from the turn of the first");
    assert!(matches!(play.plays(20, &mut well), Some(Verdict::Passed(_))));
    let mut all = play.all.iter();
    for action in &follows {
        assert!(all.any(|done| done == action), "{action} was not done, or not in this order");
    }
    assert_eq!(foreseen(&play.config, &play.carried).unwrap(), [], "all have begun");
}

/// Which migrations come first hangs on what serves: that is shown for none, and the rest for all.
#[test]
fn with_migrations_the_starts_are_known_before() {
    let migrations = json!({ "database": { "sqlite": "app.db" } });
    let config = config(&json!({ "migrations": migrations }));
    let files = MigrationFiles { files: Vec::new(), flaws: Vec::new() };
    let (_, carried) = first(&config, Known::first(None, Some(files))).unwrap();
    let names: Vec<String> = foreseen(&config, &carried).unwrap().iter().map(name).collect();
    assert_eq!(names, ["start-service web1", "start-service web2", "start-service web3"]);
}

#[test]
fn those_that_were_done_go_back_the_last_one_first() {
    let mut play = Play::new(config(&json!({})));
    let ill = |name: &str| if name == "check-health web3" { Says::Fails(false) } else { well(name) };
    let over = play.plays(20, &mut { ill }).unwrap();
    let Verdict::Failed(failed) = over else { panic!("{over:?}") };
    assert_eq!(
        of(&play.done, &MOVES)[5..],
        [
            "release-environment web3",
            "reinstate web2",
            "release-environment web2",
            "reinstate web1",
            "release-environment web1",
            "release-environment web3"
        ]
    );
    assert!(failed.summary.starts_with("production: web3: 2.0.0 was not deployed"), "{}", failed.summary);
    assert!(failed.summary.ends_with("; back: web1 (1.0.0), web2 (1.0.0)"), "{}", failed.summary);
}

#[test]
fn one_that_cannot_go_back_is_named_and_keeps_no_other_from_it() {
    let mut play = Play::new(config(&json!({})));
    let ill = |name: &str| match name {
        "promote web3" | "reinstate web2" => Says::Fails(false),
        name => well(name),
    };
    let over = play.plays(20, &mut { ill }).unwrap();
    let Verdict::Failed(failed) = over else { panic!("{over:?}") };
    assert!(
        failed.summary.contains("back: web1 (1.0.0); web2 could not go back: reinstate web2 failed; not all hosts serve one version"),
        "{}",
        failed.summary
    );
}

/// Two deployments that name hosts in another order would wait for each other for ever.
#[test]
fn what_was_claimed_is_released_before_somebody_else_is_waited_for() {
    let mut play = Play::new(config(&json!({})));
    let mut tries = 0;
    let mut taken = |name: &str| {
        if name == "claim-environment web2" {
            tries += 1;
            if tries == 1 {
                return Says::Fails(true);
            }
        }
        well(name)
    };
    play.plays(1, &mut taken);
    let next: Vec<String> = play.actions.iter().map(name).collect();
    assert_eq!(next[..3].join(", "), "release-environment web1, wait, claim-environment web1");
    assert!(matches!(play.plays(20, &mut taken), Some(Verdict::Passed(_))));

    // One whose owner waits for a person is not waited for.
    let mut play = Play::new(config(&json!({})));
    let over = play.plays(20, &mut |name| {
        if name == "claim-environment web3" { Says::Fails(false) } else { well(name) }
    });
    let Some(Verdict::Failed(failed)) = over else { panic!("{over:?}") };
    assert_eq!(of(&play.done, &MOVES), ["release-environment web1", "release-environment web2"]);
    assert!(failed.summary.contains("was not deployed to any host: web3: "), "{}", failed.summary);
}

/// Somebody took a host over while the first one was watched.
#[test]
fn a_claim_that_was_lost_meanwhile_ends_it() {
    let mut play = Play::new(config(&json!({})));
    let over = play
        .plays(20, &mut |name| if name == "confirm-claim web2" { Says::Fails(false) } else { well(name) });
    let Some(Verdict::Failed(failed)) = over else { panic!("{over:?}") };
    assert_eq!(of(&play.done, &["start-service", "reinstate"]), ["start-service web1", "reinstate web1"]);
    assert!(failed.summary.contains("back: web1 (1.0.0); untouched: web3"), "{}", failed.summary);
}

#[test]
fn a_person_is_asked_once_and_heard_until_the_last_host() {
    let watch = json!({ "approve": true });
    let mut play = Play::new(config(&watch));
    let mut asked = 0;
    let mut says = |name: &str| {
        asked += usize::from(name == "wait");
        if name == "wait" { Says::Done(json!({ "decision": "done", "by": "ada" })) } else { well(name) }
    };
    assert!(matches!(play.plays(30, &mut says), Some(Verdict::Passed(_))));
    assert_eq!(asked, 1);
    let fleet = |step: Step| {
        let (_, carried) = first(&config(&json!({})), Known::first(None, None)).unwrap();
        Json::of(&Fleet { step, ..carried.parse().unwrap() }).unwrap()
    };
    assert_eq!(hears(&fleet(Step::Turn(1))), Some(true));
    assert_eq!(hears(&fleet(Step::Settle)), Some(false));
    assert_eq!(hears(&Json::of(&Known::unclaimed()).unwrap()), None);
}

/// Skipped by a person before anything had traffic: nothing is taken back, and every claim is released.
#[test]
fn what_a_person_leaves_out_is_left_out_everywhere() {
    let mut play = Play::new(config(&json!({ "approve": true })));
    let over = play.plays(30, &mut |name| {
        if name == "wait" { Says::Done(json!({ "decision": "skip", "by": "ada" })) } else { well(name) }
    });
    let Some(Verdict::Skipped(said)) = over else { panic!("{over:?}") };
    assert!(said.summary.contains("untouched: web2, web3"), "{}", said.summary);
    assert_eq!(of(&play.done, &["promote", "reinstate"]), Vec::<&str>::new());
    for host in ["web1", "web2", "web3"] {
        assert!(play.done.contains(&format!("release-environment {host}")), "{host}");
    }
}

#[test]
fn a_host_that_is_not_reached_leaves_all_as_they_were() {
    let mut play = Play::new(config(&json!({})));
    let over =
        play.plays(20, &mut |name| if name == "check-host web3" { Says::Fails(true) } else { well(name) });
    let Some(Verdict::Failed(failed)) = over else { panic!("{over:?}") };
    assert!(
        failed.summary.contains("2.0.0 was not deployed to any host: web3: check-host web3 failed"),
        "{}",
        failed.summary
    );
    assert_eq!(play.done, ["check-host web1", "check-host web2", "check-host web3"]);
}
