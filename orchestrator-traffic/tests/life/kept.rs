//! A proxy and its keeper: kills, restarts, and keepers that die themselves.

use std::time::Duration;

use orchestrator_traffic::protocol::{Request, Response};
use orchestrator_traffic::sockets::{Said, adopt};
use rustix::process::Signal;

use crate::client::get;
use crate::load::{Kind, Load};
use crate::origin::Origin;
use crate::process::{Keeper, Rig, is_alive, table};
use crate::{LONG, until};

#[test]
fn killed_in_the_middle_of_switches_no_new_connection_is_refused() {
    let rig = Rig::new();
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    let mut keeper = Keeper::new();
    let address = keeper.address();
    let mut process = keeper.start(&rig);
    rig.apply("v1", one.address);
    for round in 0..4 {
        let load = Load::start(address, &[Kind::New, Kind::New, Kind::Kept]);
        load.more(20);
        // The table changes while the process is killed.
        let switch = std::thread::spawn({
            let (control, to) = (rig.control(), if round % 2 == 0 { two.address } else { one.address });
            move || {
                let apply = Request::Apply { expect: None, table: table("v2", to), drain_ms: 30_000 };
                orchestrator_traffic::control::ask(&control, &apply, LONG)
            }
        });
        if round > 1 {
            std::thread::sleep(Duration::from_millis(3 * round));
        }
        process.signal(Signal::KILL);
        process.wait();
        assert_eq!(keeper.hear(), None, "its keeper is told");
        let acknowledged = switch.join().unwrap();
        process = keeper.start(&rig);
        load.more(50);
        let (done, failures) = load.end();
        // What was under way in the killed process ends with it, at most one for each client; all others wait for the next one.
        assert!(failures.len() <= 3, "{} of {done}: {failures:?}", failures.len());
        assert!(!failures.iter().any(|failure| failure.contains("refused")), "{failures:?}");
        if let Ok(Response::Applied { generation, .. }) = acknowledged {
            assert!(rig.status().generation >= generation, "what was acknowledged is served");
        }
    }
}

#[test]
fn the_next_keeper_gets_the_sockets_and_one_that_lives_is_not_replaced() {
    let rig = Rig::new();
    let origin = Origin::new("one");
    let mut keeper = Keeper::new();
    let address = keeper.address();
    let mut process = keeper.start(&rig);
    rig.apply("v1", origin.address);
    let refused = adopt(&rig.control(), LONG).unwrap_err().to_string();
    assert_eq!(refused, "the proxy has a keeper that is alive");
    drop(keeper);
    assert_eq!(get(address, "/").unwrap().body, "one", "it serves without a keeper");

    let (sockets, mut channel) = adopt(&rig.control(), LONG).unwrap();
    assert_eq!(channel.hear(Some(LONG)).unwrap(), Some(Said::Ready { pid: process.0.id() }));
    assert_eq!(sockets.serve[0].local_addr().unwrap(), address);
    assert!(adopt(&rig.control(), LONG).is_err());
    process.signal(Signal::KILL);
    process.wait();
    assert_eq!(channel.hear(Some(LONG)).unwrap(), None);
    let mut next = Keeper { sockets, channel: None };
    let waiting = std::thread::spawn(move || get(address, "/").unwrap().body);
    let _process = next.start(&rig);
    assert_eq!(waiting.join().unwrap(), "one");
}

#[test]
fn a_keeper_hears_of_successors_and_of_the_end_of_the_last() {
    let mut rig = Rig::new();
    rig.linger = Duration::from_secs(600);
    let origin = Origin::new("one");
    let mut keeper = Keeper::new();
    let address = keeper.address();
    let mut first = keeper.start(&rig);
    rig.apply("v1", origin.address);
    let slow = std::thread::spawn(move || get(address, "/slow/3000").unwrap().body);
    until("it is under way", || rig.status().versions[0].in_flight == 1);
    let second = rig.upgrade();
    assert_eq!(keeper.hear(), Some(Said::Ready { pid: second }));
    // The first still has somebody to answer, and is nobody's business any more.
    assert!(first.0.try_wait().unwrap().is_none());
    crate::process::signal_to(second, Signal::KILL);
    assert_eq!(keeper.hear(), None);
    let third = keeper.start(&rig);
    assert_eq!(rig.status().pid, third.0.id());
    assert_eq!(slow.join().unwrap(), "one");
    assert!(first.wait().success());
    until("nothing is left of the second", || !is_alive(second));
}

#[test]
fn a_proxy_that_fails_tells_its_keeper_why() {
    let rig = Rig::new();
    let mut keeper = Keeper::new();
    let _process = keeper.start(&rig);
    let (mut channel, stdin) = orchestrator_traffic::sockets::Channel::pair().unwrap();
    let mut second = rig.inherit(stdin);
    channel.hand(&keeper.sockets).unwrap();
    let Some(Said::Failed { why }) = channel.hear(Some(LONG)).unwrap() else { panic!("it serves") };
    assert!(why.starts_with("another proxy serves from"), "{why}");
    assert_eq!(second.wait().code(), Some(3));
    assert_eq!(channel.hear(Some(LONG)).unwrap(), None);
}
