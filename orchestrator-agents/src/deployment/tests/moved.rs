//! A switch whose traffic moved and that could not be put on record: it says so, and whoever comes next completes it.

use super::back_again::{back, switch};
use super::claims::claim;
use super::standin::Standin;
use super::watched::{proxied, said};
use super::*;
use crate::deployment::ops::{ClaimEnvironment, ReleaseEnvironment};

#[test]
fn a_switch_that_failed_after_the_traffic_moved_says_so_and_is_completed() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    for (run, version) in [(1, "0.1.0"), (2, "0.2.0")] {
        desk.when(said("promote"));
        desk.deploy(run, proxied(version, "")).unwrap();
    }
    // The record of what counts cannot be written.
    let blocked = desk.state().join("deploy/production/current.tmp");
    std::fs::create_dir(&blocked).unwrap();
    let failed = switch(&desk, 3, "0.1.0", usize::MAX).unwrap().unwrap_err();
    assert!(failed.contains("0.1.0 has the traffic"), "{failed}");
    assert!(!failed.contains("stays as it was"), "{failed}");
    assert!(failed.contains("current.json"), "{failed}");
    assert_eq!(
        (proxy.served(), desk.running()),
        (vec!["hello from 0.1.0".into()], vec!["0.2.0".into(), "0.1.0".into()])
    );
    assert_eq!(back(&desk).as_deref(), Some("0.1.0"), "the same rollback again goes the same way");
    std::fs::remove_dir(&blocked).unwrap();
    let claimed = desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(4, 0, 0)).unwrap();
    assert_eq!(claimed["serves"]["version"], "0.1.0", "{claimed}");
    assert_eq!((proxy.served(), desk.running()), (vec!["hello from 0.1.0".into()], vec!["0.1.0".into()]));
    assert_eq!(back_released(&desk), None, "0.2.0 was left on purpose");
}

fn back_released(desk: &Desk) -> Option<String> {
    desk.call(ReleaseEnvironment, json!({ "environment": "production" }), &key(4, 0, 1)).unwrap();
    back(desk)
}

#[test]
fn a_switch_that_failed_before_the_traffic_moved_left_it_where_it_was() {
    let desk = Desk::new();
    let proxy = Standin::at(&desk.state());
    for (run, version) in [(1, "0.1.0"), (2, "0.2.0")] {
        desk.when(said("promote"));
        desk.deploy(run, proxied(version, "")).unwrap();
    }
    proxy.dies();
    let failed = switch(&desk, 3, "0.1.0", usize::MAX).unwrap().unwrap_err();
    assert!(failed.contains("0.1.0 did not get the traffic, which stays as it was"), "{failed}");
}
