//! Processes in a row: each has replaced the one before, and those before still have somebody to answer.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use orchestrator_traffic::protocol::{Request, Response, VersionStatus};
use rustix::process::Signal;

use crate::client::{Connection, get};
use crate::origin::Origin;
use crate::process::{Process, Rig, free, is_alive, signal_to, table};
use crate::until;

/// A tunnel through the proxy.
fn tunnel(address: std::net::SocketAddr, path: &str) -> Connection {
    let mut tunnel = Connection::open(address).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n");
    tunnel.send(head.as_bytes()).unwrap();
    assert_eq!(tunnel.head().unwrap().0, 101);
    tunnel
}

/// A proxy in front of `v1` whose processes may linger for long, and an open tunnel to it.
fn with_tunnel(origin: &Origin) -> (Rig, std::net::SocketAddr, Process, Connection) {
    let (mut rig, address) = (Rig::new(), free());
    rig.linger = Duration::from_mins(10);
    let process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", origin.address);
    let tunnel = tunnel(address, "/");
    (rig, address, process, tunnel)
}

fn of(rig: &Rig, version: &str) -> VersionStatus {
    rig.status().versions.into_iter().find(|one| one.version == version).unwrap()
}

#[test]
fn a_drain_ends_in_a_replaced_process_whatever_thread_has_the_request() {
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    for _ in 0..5 {
        let (rig, _, mut process, mut tunnel) = with_tunnel(&one);
        rig.upgrade();
        // The other thread has nobody, and ends.
        sleep(Duration::from_millis(100));
        rig.apply_within("v2", two.address, 100);
        until("it is cut", || of(&rig, "v1").drain.unwrap().took_ms.is_some());
        let drain = of(&rig, "v1").drain.unwrap();
        assert_eq!(drain.cuts, 1);
        assert!(drain.cut[0].starts_with("GET / after"), "{drain:?}");
        assert!(tunnel.line().is_err());
        assert!(process.wait().success());
    }
}

#[test]
fn the_oldest_is_known_though_the_one_between_has_nobody() {
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    let (rig, _, mut first, mut tunnel) = with_tunnel(&one);
    let second = rig.upgrade();
    rig.upgrade();
    // Time for the second to end, should it not wait for the first.
    sleep(Duration::from_secs(1));
    let status = rig.status();
    assert_eq!((status.before, status.versions[0].in_flight), (vec![second, first.0.id()], 1));
    rig.apply_within("v2", two.address, 100);
    until("it is cut", || of(&rig, "v1").drain.unwrap().took_ms.is_some());
    assert_eq!(of(&rig, "v1").drain.unwrap().cuts, 1, "it is known whom that cut");
    assert!(tunnel.line().is_err());
    assert!(first.wait().success());
    until("the second ends as well", || !is_alive(second));
    until("nobody is before it", || rig.status().before.is_empty());
}

#[test]
fn one_that_does_not_answer_for_a_while_is_not_forgotten() {
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    let (rig, _, mut first, _tunnel) = with_tunnel(&one);
    rig.upgrade();
    assert_eq!(rig.status().before, [first.0.id()]);
    first.signal(Signal::STOP);
    rig.apply_within("v2", two.address, 100);
    let v1 = of(&rig, "v1");
    assert_eq!(v1.drain.unwrap().took_ms, None, "nobody knows that it is drained");
    assert_eq!(rig.status().before, [first.0.id()]);
    first.signal(Signal::CONT);
    until("it is cut", || of(&rig, "v1").drain.unwrap().took_ms.is_some());
    assert_eq!(of(&rig, "v1").drain.unwrap().cuts, 1);
    assert!(first.wait().success());
}

#[test]
fn a_stop_reaches_those_before() {
    let one = Origin::new("one");
    let (rig, _, mut first, mut tunnel) = with_tunnel(&one);
    let second = rig.upgrade();
    let third = rig.upgrade();
    assert_eq!(rig.ask(&Request::Stop { drain_ms: 200 }), Response::Done { pid: None });
    until("all of them end", || {
        !is_alive(second) && !is_alive(third) && first.0.try_wait().unwrap().is_some()
    });
    assert!(tunnel.line().is_err());
    assert!(rig.said().contains("1 requests were cut at the end: GET /"), "{}", rig.said());
}

#[test]
fn the_first_signal_to_a_replaced_process_lets_requests_end() {
    let (one, mut rig, address) = (Origin::new("one"), Rig::new(), free());
    rig.linger = Duration::from_mins(10);
    let mut process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", one.address);
    let mut slow = rig.under_way(address, "/slow/1500");
    rig.upgrade();
    signal_to(process.0.id(), Signal::TERM);
    assert_eq!(slow.answer().unwrap().body, "one");
    assert!(process.wait().success());
    // The second cuts.
    let (mut rig, address) = (Rig::new(), free());
    rig.linger = Duration::from_mins(10);
    let mut process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", one.address);
    let mut tunnel = tunnel(address, "/");
    rig.upgrade();
    process.signal(Signal::TERM);
    sleep(Duration::from_millis(100));
    tunnel.send(b"hi\n").unwrap();
    assert_eq!(tunnel.line().unwrap(), "hi\n");
    process.signal(Signal::INT);
    assert!(process.wait().success());
    assert!(tunnel.line().is_err());
}

#[test]
fn who_was_cut_last_is_in_the_access_log() {
    let (one, mut rig, address) = (Origin::new("one"), Rig::new(), free());
    rig.linger = Duration::from_millis(300);
    let mut process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", one.address);
    let mut tunnel = tunnel(address, "/last");
    rig.upgrade();
    assert!(process.wait().success());
    let log = fs::read_to_string(rig.folder().join("access.log")).unwrap();
    assert!(log.contains("/last") && log.contains("the proxy cut it"), "{log}");
    assert!(tunnel.line().is_err());
}

#[test]
fn an_upgrade_does_not_rely_on_a_file_that_is_lost_or_damaged() {
    let (one, two, rig, address) = (Origin::new("one"), Origin::new("two"), Rig::new(), free());
    let _process = rig.start(address);
    rig.wait_until_ready();
    rig.upgrade();
    rig.apply("v1", one.address);
    rig.apply("v2", two.address);
    let file = rig.folder().join("table.json");
    for damage in ["", "{", "{\"v\":9,\"generation\":1,\"table\":{\"routes\":[]}}", "lost"] {
        if damage == "lost" {
            fs::remove_file(&file).unwrap();
        } else {
            fs::write(&file, damage).unwrap();
        }
        let next = rig.upgrade();
        let status = rig.status();
        assert_eq!((status.pid, status.generation, &status.table), (next, 2, &table("v2", two.address)));
        assert_eq!(get(address, "/").unwrap().body, "two");
    }
    // Where it cannot be mended, everything stays as it is.
    let before = rig.status().pid;
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let Response::Refused { why } = rig.ask(&Request::Upgrade { program: None }) else {
        panic!("it was done")
    };
    assert!(why.contains("table"), "{why}");
    assert_eq!((rig.status().pid, get(address, "/").unwrap().body.as_str()), (before, "two"));
    fs::remove_dir(&file).unwrap();
    rig.upgrade();
    assert_eq!(rig.apply("v1", one.address), 3);
}
