//! Claims on a host are renewed while somebody is connected, whatever is asked and however long that takes.

use super::way::End;
use super::*;

fn claim(near: &Near) -> Value {
    let path = near.state().join("deploy/production/claim.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn is_fresh(near: &Near) -> bool {
    let heard: jiff::Timestamp = claim(near)["heard"].as_str().unwrap().parse().unwrap();
    jiff::Timestamp::now().duration_since(heard).as_secs() < 60
}

/// One that is claimed over a connection.
fn claimed(near: &Near) -> End {
    std::fs::create_dir_all(near.at("home/srv/shop")).unwrap();
    let mut end = End::new(near);
    let input = json!({ "environment": "production", "version": "0.1.0" });
    let order = json!({ "key": key(2, 0, 0), "operation": "claim-environment", "input": input });
    end.say(&json!({ "call": { "order": order, "reads": false } }));
    assert!(end.hear().get("output").is_some());
    age_claim(&near.state());
    end
}

#[test]
fn what_names_no_environment_renews_the_claim_of_its_task() {
    for reads in [true, false] {
        let near = Near::new();
        let mut end = claimed(&near);
        let tests = json!({ "url": "http://127.0.0.1:1", "tests": [] });
        let order = |run| json!({ "key": key(run, 1, 0), "operation": "smoke-test", "input": tests });
        end.say(&json!({ "call": { "order": order(3), "reads": reads } }));
        assert!(end.hear().get("output").is_some());
        assert!(!is_fresh(&near), "what another run does renews nothing");
        end.say(&json!({ "call": { "order": order(2), "reads": reads } }));
        assert!(end.hear().get("output").is_some());
        assert!(is_fresh(&near));
    }
}

/// While something takes long, or nothing is asked at all.
#[test]
fn a_sign_of_life_renews_what_is_claimed_over_the_connection() {
    let near = Near::new();
    let mut end = claimed(&near);
    end.say(&json!({ "alive": {} }));
    eventually("a claim that is renewed", || is_fresh(&near));
    assert_eq!(claim(&near)["process"]["pid"], json!(std::process::id()));
}

/// As on a disk that is full: what needs no room is done all the same.
#[test]
fn a_claim_that_cannot_be_renewed_keeps_nobody_from_anything() {
    let near = Near::new();
    let mut end = claimed(&near);
    std::fs::create_dir(near.state().join("deploy/production/claim.tmp")).unwrap();
    for (operation, reads) in [("confirm-claim", true), ("release-environment", false)] {
        let order =
            json!({ "key": key(2, 1, 0), "operation": operation, "input": { "environment": "production" } });
        end.say(&json!({ "call": { "order": order, "reads": reads } }));
        let said = end.hear();
        assert!(said.get("output").is_some(), "{operation}: {said}");
    }
    assert!(!near.state().join("deploy/production/claim.json").exists());
}
