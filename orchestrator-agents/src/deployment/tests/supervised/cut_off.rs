//! Whoever started a service is cut off before it said that it is up: it is kept all the same once it counts.

use super::dying::rewrite;
use super::*;

/// A candidate that listens, of which nobody said that it is up.
fn half_started(desk: &Desk) -> Value {
    let started = desk.call(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)).unwrap();
    desk.kill_keeper();
    rewrite(desk, |kept| kept.state = State::Starting);
    started
}

/// It crashes, and comes back.
fn is_kept(desk: &Desk, started: &Value) {
    assert_eq!(desk.kept().state, State::Up);
    let process = desk.kept().process.unwrap();
    kill(process.pid);
    eventually("another process", || desk.kept().process.is_some_and(|now| now != process));
    eventually("the service again", || answers(started["url"].as_str().unwrap()));
}

fn production(started: &Value) -> Value {
    json!({ "environment": "production", "release": started["release"] })
}

#[test]
fn what_is_promoted_is_kept() {
    let desk = Desk::supervised();
    let started = half_started(&desk);
    desk.keeper_again();
    assert_eq!(desk.kept().state, State::Starting);
    let Already::Done(found) = desk.already(desk.starter(), start("0.1.0", ""), &key(1, 0, 0)) else {
        panic!()
    };
    assert_eq!(json!(found.process), started["process"]);
    desk.call(Promote, production(&started), &key(1, 1, 0)).unwrap();
    is_kept(&desk, &started);
}

#[test]
fn what_is_brought_back_as_it_runs_is_kept() {
    let desk = Desk::supervised();
    let started = half_started(&desk);
    desk.keeper_again();
    let reinstate = ops::Reinstate { supervisor: desk.supervisor.clone() };
    desk.call(reinstate, production(&started), &key(2, 0, 0)).unwrap();
    assert_eq!(json!(desk.kept().process), started["process"], "as it runs");
    is_kept(&desk, &started);
}

/// Nobody can be told then; whoever needs a supervisor next tells it.
#[test]
fn what_is_promoted_while_there_is_no_supervisor_is_kept_by_the_next() {
    let desk = Desk::supervised();
    let started = half_started(&desk);
    desk.call(Promote, production(&started), &key(1, 1, 0)).unwrap();
    let next = desk.call(desk.starter(), start("0.2.0", ""), &key(2, 0, 0)).unwrap();
    let which = json!({ "release": { "release": next["release"] } });
    let input = json!({ "environment": "production", "grace": 5, "which": which });
    desk.call(ops::StopService, input, &key(2, 1, 0)).unwrap();
    is_kept(&desk, &started);
}
