//! What is said too early, what cannot be read this time, and what is not written down.

use orchestrator_core::evidence::Finding;
use orchestrator_core::operation::Operation as _;

use super::*;
use crate::deployment::ops::HoldClaims;

/// A look that finds a version healthy; a minute has as many of them as it has seconds.
fn looked(looks: u64) -> Says {
    Says::Done(json!({
        "clock": { "boot": "b", "ms": looks * 1000 }, "traffic": { "is": "unseen" }, "health": { "what": "/health", "latency_ms": 1.0 },
    }))
}

fn watched() -> Play {
    Play::new(config(&json!({ "watch": { "seconds": 600, "warm_up": 0 } })))
}

/// Plays a deployment that is watched, where these words are said in the waits of its watches.
fn said(play: &mut Play, words: &[Option<&str>]) -> Option<Verdict<DeployOutput>> {
    let (mut looks, mut words) = (0, words.iter());
    play.plays(60, &mut |name| {
        if name.starts_with("observe") {
            looks += 1;
            return looked(looks);
        }
        if name == "wait" { Says::Done(json!(words.next().expect("it waits no more"))) } else { well(name) }
    })
}

/// Two people who say it at the same time mean the same host.
#[test]
fn a_promote_that_was_said_before_a_host_was_watched_is_not_about_it() {
    let mut play = watched();
    let word = Some("promote");
    let over = said(&mut play, &[word, word, word, None, word, None, word]);
    let Some(Verdict::Passed(passed)) = over else { panic!("{over:?}") };
    let looks = |host| of(&play.done, &["observe"]).iter().filter(|name| name.ends_with(host)).count();
    assert_eq!([looks("web1"), looks("web2"), looks("web3")], [1, 4, 2], "{:?}", play.done);
    let notes: Vec<&str> = passed.findings.iter().map(|finding| finding.message.as_str()).collect();
    let note = "web2: \"promote\" by a person was passed over: it came before 2.0.0 was watched here";
    assert_eq!(notes.iter().filter(|known| known.contains("passed over")).count(), 1, "{notes:?}");
    assert!(notes.contains(&note), "{notes:?}");

    // Who wants all of them to go back has said so.
    let mut play = watched();
    let over = said(&mut play, &[word, Some("rollback")]);
    assert!(matches!(over, Some(Verdict::Failed(_))), "{over:?}");
    assert_eq!(of(&play.done, &["reinstate"]), ["reinstate web2", "reinstate web1"]);
}

/// Its connection may be cut meanwhile, and nobody else would notice.
#[test]
fn in_a_long_watch_the_other_hosts_hear_of_it() {
    let mut play = watched();
    let (mut looks, mut held) = (0, Vec::new());
    let over = play.plays(100, &mut |name| {
        if name.starts_with("observe") {
            looks += 1;
            return looked(looks);
        }
        if name.starts_with(HoldClaims::NAME) {
            held.push(looks);
            return Says::Done(json!({ "unheard": ["web3: it did not answer within 10 s"] }));
        }
        well(name)
    });
    assert!(over.is_none(), "{over:?}");
    // After the first minute a look is thirty, half a minute together.
    assert_eq!(held[..4], [20, 61, 63, 65], "one that does not answer keeps nobody from looking");
    play.plays(40, &mut |name| if name.starts_with("observe") { looked(120) } else { well(name) });
    let (mut play, mut hosts) = (watched(), Value::Null);
    for _ in 0..40 {
        for action in &play.actions {
            if let Action::Call(call) = action
                && call.operation.as_str() == HoldClaims::NAME
            {
                hosts = call.input.value()["hosts"].clone();
                assert!(action.keeps_going());
            }
        }
        play.plays(1, &mut |name| if name.starts_with("observe") { looked(1) } else { well(name) });
    }
    let names: Vec<&str> =
        hosts.as_array().unwrap().iter().map(|host| host["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web2", "web3"]);
}

/// A deployment with a file that only the new version bears; the claim of the second host is read as `says` tells, once all serve it.
fn contracted(says: impl Fn(usize) -> Option<Says>) -> (Play, Option<Verdict<DeployOutput>>) {
    let file = json!({ "name": "0001_a.contract.sql", "kind": "contract", "digest": "0".repeat(64) });
    let files: MigrationFiles = serde_json::from_value(json!({ "files": [file], "flaws": [] })).unwrap();
    let mut play = Play::new(config(&json!({ "migrations": { "database": { "sqlite": "app.db" } } })));
    (play.actions, play.carried) = first(&play.config, Known::first(None, Some(files))).unwrap();
    let (mut all_serve, mut tries) = (false, 0);
    let over = play.plays(200, &mut |name| {
        all_serve |= name == "promote web3";
        if name == "confirm-claim web2" && all_serve {
            tries += 1;
            if let Some(says) = says(tries) {
                return says;
            }
        }
        match name.split(' ').next() {
            Some("pending-migrations") => {
                Says::Done(json!({ "stage": "expand", "pending": [], "later": [] }))
            }
            Some("apply-migrations") => Says::Done(json!({ "stage": "contract", "applied": [] })),
            _ => well(name),
        }
    });
    (play, over)
}

#[test]
fn a_claim_that_cannot_be_read_at_the_end_is_read_again() {
    let (play, over) = contracted(|tries| (tries < 3).then_some(Says::Fails(true)));
    assert!(matches!(over, Some(Verdict::Passed(_))), "{over:?}");
    let last = play.done.iter().rposition(|name| name == "promote web3").unwrap();
    assert_eq!(
        play.done[last + 1..].join(", "),
        "confirm-claim web1, confirm-claim web2, wait, confirm-claim web1, confirm-claim web2, wait, \
         confirm-claim web1, confirm-claim web2, confirm-claim web3, \
         apply-migrations web1, apply-migrations web2, apply-migrations web3, \
         release-environment web1, release-environment web2, release-environment web3, \
         prune-releases web1, prune-releases web2, prune-releases web3"
    );

    for (transient, tries) in [(true, 30), (false, 0)] {
        let (play, over) = contracted(|_| Some(Says::Fails(transient)));
        let Some(Verdict::Failed(failed)) = over else { panic!("{over:?}") };
        let why = "2.0.0 serves on all hosts now, but its last migrations were not applied: web2: ";
        assert!(failed.summary.contains(why), "{}", failed.summary);
        assert_eq!(of(&play.done, &["wait"]).len(), tries);
    }
}

fn named<'f>(findings: &'f [Finding], rule: &str) -> Vec<&'f str> {
    let known = findings.iter().filter(|finding| finding.rule == rule);
    known.map(|finding| finding.message.as_str()).collect()
}

#[test]
fn an_end_that_a_host_could_not_write_down_is_said() {
    let over = Play::new(config(&json!({}))).plays(30, &mut |name| match name {
        "release-environment web2" => Says::Done(json!({ "released": true, "untold": "no space left" })),
        "release-environment web3" => Says::Fails(true),
        name => well(name),
    });
    let Some(Verdict::Passed(passed)) = over else { panic!("{over:?}") };
    let untold = "web2: production: how this deployment ended is not in the history: no space left";
    assert_eq!(named(&passed.findings, "deploy/untold"), [untold]);
    assert_eq!(named(&passed.findings, "deploy/unreleased").len(), 1, "{:?}", passed.findings);
}

#[test]
fn a_host_that_could_not_go_back_is_a_finding() {
    let over = Play::new(config(&json!({}))).plays(30, &mut |name| match name {
        "promote web3" | "reinstate web2" => Says::Fails(false),
        name => well(name),
    });
    let Some(Verdict::Failed(failed)) = over else { panic!("{over:?}") };
    assert_eq!(named(&failed.findings, STUCK), ["web2: it could not go back: reinstate web2 failed"]);
}

/// All serve it, and one of them was somebody else's before they were done.
#[test]
fn a_host_that_was_taken_over_meanwhile_is_no_success() {
    let holder = json!({ "run": "20261120234433-00ff00fe", "task": "deploy", "owner": "bob@x", "process": process(),
        "since": "2026-11-20T23:44:33Z", "version": "3.0.0" });
    let later = "web1: another run took it over and has released it";
    let now = "web1: it is claimed by run `20261120234433-00ff00fe` (deploy, 3.0.0, by bob@x, ";
    for (said, why) in
        [(json!({ "released": false }), later), (json!({ "released": false, "holder": holder }), now)]
    {
        let over = Play::new(config(&json!({}))).plays(30, &mut |name| match name {
            "release-environment web1" => Says::Done(said.clone()),
            "release-environment web2" => Says::Done(json!({ "released": true })),
            name => well(name),
        });
        let Some(Verdict::Failed(failed)) = over else { panic!("{over:?}") };
        let summary = format!("production: 2.0.0 was promoted on all hosts, but {why}");
        assert!(failed.summary.starts_with(&summary), "{}", failed.summary);
        let lost = named(&failed.findings, "deploy/lost");
        assert!(lost.len() == 1 && lost[0].starts_with(why), "{lost:?}");
    }
}
