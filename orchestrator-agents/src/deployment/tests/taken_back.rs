//! What was taken back because its deployment was cut off: it does not count as proven, and the history says what became of it.

use super::claims::claim;
use super::*;
use crate::deployment::Ending;
use crate::deployment::ops::{ClaimEnvironment, Promote, StartService, history, kept};

#[test]
fn what_was_taken_back_while_on_watch_is_not_proven() {
    let desk = Desk::new();
    let production = Environment::new("production").unwrap();
    desk.deploy(1, config("0.1.0", "")).unwrap();
    desk.call(ClaimEnvironment::default(), claim("0.2.0"), &key(2, 0, 0)).unwrap();
    let started = desk.call(StartService::default(), start("0.2.0", ""), &key(2, 0, 1)).unwrap();
    let promote =
        json!({ "environment": "production", "release": started["release"], "keep_previous": true });
    desk.call(Promote, promote, &key(2, 1, 0)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.2.0");
    desk.orphan();
    desk.call(ClaimEnvironment::default(), claim("0.3.0"), &key(3, 0, 0)).unwrap();
    assert_eq!(desk.current().unwrap().0, "0.1.0");
    let all = kept(&desk.state(), &production).unwrap();
    let told: Vec<_> = all.iter().map(|kept| (kept.version.as_str(), kept.proven, kept.verdict)).collect();
    assert_eq!(told, [("0.2.0", false, Some(Ending::RolledBack)), ("0.1.0", true, Some(Ending::Promoted))]);
    let lines = history(&desk.state(), &production).unwrap();
    let end = lines.iter().find(|line| line.version.as_str() == "0.2.0" && line.verdict.is_some()).unwrap();
    assert_eq!(end.run, Some(key(2, 0, 0).run), "told with the run that was cut off");
    assert!(end.why.contains("cut off") && end.why.contains("0.1.0"), "{}", end.why);
}
