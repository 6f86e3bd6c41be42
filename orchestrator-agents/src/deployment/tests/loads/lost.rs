//! A claim that was lost, or cannot be read, is told as that when a load begins.

use super::*;

#[test]
fn a_claim_that_was_lost_is_no_load_that_could_not_be_started() {
    let (desk, _proxy) = Desk::loading();
    desk.says(json!("promote"));
    desk.deploy(1, loaded("0.1.0", 5.0)).unwrap();
    let path = desk.state().join("deploy/production/claim.json");
    desk.when(move |_, _| {
        let mut claim: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        claim["task"] = json!("other");
        std::fs::write(&path, claim.to_string()).unwrap();
        Some(json!({ "decision": "done", "by": "ada" }))
    });
    let mut config = loaded("0.2.0", 5.0);
    config["approve"] = json!(true);
    let failed = desk.deploy(2, config).unwrap_err();
    assert!(failed.summary.contains("the claim of production was lost"), "{}", failed.summary);
    assert!(!failed.summary.contains("load could not be started"), "{}", failed.summary);
    assert!(!failed.summary.contains("could not be ended"), "{}", failed.summary);
    assert_eq!(desk.claim().unwrap()["task"], "other");
}

#[test]
fn a_claim_that_cannot_be_read_is_said_to_be_that() {
    let (desk, proxy) = Desk::loading();
    desk.says(json!("promote"));
    desk.deploy(1, loaded("0.1.0", 5.0)).unwrap();
    let path = desk.state().join("deploy/production/claim.json");
    let claim = path.clone();
    desk.when(move |_, _| {
        std::fs::remove_file(&claim).unwrap();
        std::fs::create_dir(&claim).unwrap();
        Some(json!({ "decision": "done", "by": "ada" }))
    });
    let mut config = loaded("0.2.0", 5.0);
    config["approve"] = json!(true);
    let failed = desk.deploy(2, config).unwrap_err();
    assert!(failed.summary.contains("its claim could not be confirmed"), "{}", failed.summary);
    assert!(!failed.summary.contains("load could not be started"), "{}", failed.summary);
    assert_eq!(proxy.served(), ["hello from 0.1.0"]);
    std::fs::remove_dir(path).unwrap();
}
