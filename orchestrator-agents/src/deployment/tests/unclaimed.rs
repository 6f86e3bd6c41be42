//! Who fails to claim an environment does not keep it.

use super::claims::claim;
use super::*;
use crate::deployment::ops::ClaimEnvironment;

#[test]
fn a_claim_that_fails_is_released() {
    let desk = Desk::new();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    // What is left over cannot even be read.
    let broken = desk.state().join("deploy/production/candidate.json");
    std::fs::write(&broken, "{").unwrap();
    let failed = desk.deploy(2, config("0.2.0", "")).unwrap_err();
    assert!(failed.summary.contains("candidate.json"), "{}", failed.summary);
    assert_eq!(desk.claim(), None);
    std::fs::remove_file(&broken).unwrap();

    // The claim of a dead one says what was tried: it stays.
    desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(3, 0, 0)).unwrap();
    desk.orphan();
    std::fs::write(&broken, "{").unwrap();
    desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(4, 0, 0)).unwrap_err();
    assert_eq!(desk.claim().unwrap()["run"], json!(key(3, 0, 0).run));
    std::fs::remove_file(&broken).unwrap();
    let claimed = desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(4, 0, 0)).unwrap();
    assert_eq!(claimed["took_over"]["version"], "0.2.0");
}
