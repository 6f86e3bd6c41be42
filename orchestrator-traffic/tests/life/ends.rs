//! How a proxy ends.

use std::fs;
use std::time::Duration;

use orchestrator_traffic::protocol::{Request, Response};
use rustix::process::Signal;

use crate::client::get;
use crate::origin::Origin;
use crate::process::{Front, Keeper, Rig};
use crate::until;

#[test]
fn a_signal_drains_and_ends_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let Front { rig, address, origin: _origin, mut process } = Front::new(Rig::new());
        let mut slow = rig.under_way(address, "/slow/700");
        process.signal(signal);
        until("no more are taken", || std::net::TcpStream::connect(address).is_err());
        assert_eq!(slow.answer().unwrap().body, "one");
        assert!(process.wait().success());
        assert!(!rig.said().contains("cut"), "{}", rig.said());
        assert!(!rig.control().exists());
    }
}

#[test]
fn a_second_signal_or_the_end_of_its_time_cuts_and_says_whom() {
    for hurry in ["signal", "time"] {
        let mut rig = Rig::new();
        rig.drain = if hurry == "time" { Duration::from_millis(200) } else { Duration::from_mins(10) };
        let Front { rig, address, origin: _origin, mut process } = Front::new(rig);
        let mut slow = rig.under_way(address, "/slow/100000?secret=x");
        process.signal(Signal::TERM);
        if hurry == "signal" {
            until("no more are taken", || std::net::TcpStream::connect(address).is_err());
            process.signal(Signal::INT);
        }
        assert!(process.wait().success());
        let answer = slow.answer();
        assert!(
            answer.as_ref().is_ok_and(|answer| answer.status == 503) || answer.is_err(),
            "{hurry}: {answer:?}"
        );
        let said = rig.said();
        assert!(said.contains("1 requests were cut at the end: GET /slow/100000 after"), "{said}");
    }
}

#[test]
fn what_ends_is_not_changed_any_more_and_may_be_hurried() {
    let Front { rig, address, origin, mut process } = Front::new(Rig::new());
    let _slow = rig.under_way(address, "/slow/100000");
    assert_eq!(rig.ask(&Request::Stop { drain_ms: 600_000 }), Response::Done { pid: None });
    for request in [
        Request::Upgrade { program: None },
        Request::Apply { expect: None, table: crate::process::table("v2", origin.address), drain_ms: 0 },
    ] {
        let Response::Refused { why } = rig.ask(&request) else { panic!("it was done") };
        assert!(why.contains("ending"), "{why}");
    }
    assert_eq!(rig.status().versions[0].in_flight, 1);
    assert_eq!(rig.ask(&Request::Stop { drain_ms: 0 }), Response::Done { pid: None });
    assert!(process.wait().success());
}

#[test]
fn requests_are_in_the_access_log_and_it_is_opened_anew() {
    let Front { rig, address, origin: _origin, mut process } = Front::new(Rig::new());
    let log = rig.folder().join("access.log");
    let lines = |path: &std::path::Path| fs::read_to_string(path).unwrap_or_default();
    get(address, "/first?token=secret").unwrap();
    until("it is written", || lines(&log).contains("/first"));
    assert!(!lines(&log).contains("secret"));
    for (signal, path) in [(Signal::HUP, "/second"), (Signal::USR1, "/third")] {
        let moved = rig.folder().join("moved");
        fs::rename(&log, &moved).unwrap();
        process.signal(signal);
        until("it is opened anew", || log.exists());
        get(address, path).unwrap();
        until("it is written there", || lines(&log).contains(path));
        assert!(!lines(&moved).contains(path));
    }
    process.signal(Signal::TERM);
    process.wait();
    let line: serde_json::Value = serde_json::from_str(lines(&log).lines().last().unwrap()).unwrap();
    assert_eq!(
        (&line["status"], &line["version"], &line["sent"]),
        (&200.into(), &"v1".into(), &3.into()),
        "{line}"
    );
}

/// Without a keeper and without a folder it serves its last table, until none of its versions has answered for a minute.
#[test]
#[ignore = "long: more than a minute of silence; tests/run --long has it"]
fn long_left_alone_it_serves_until_no_version_answers() {
    let rig = Rig::new();
    let origin = Origin::new("one");
    let mut keeper = Keeper::new();
    let address = keeper.address();
    let mut process = keeper.start(&rig);
    rig.apply("v1", origin.address);
    fs::remove_dir_all(rig.folder()).unwrap();
    drop(keeper);
    std::thread::sleep(Duration::from_secs(75));
    assert_eq!(get(address, "/").unwrap().body, "one", "a version answers: it serves on");
    drop(origin);
    assert!(process.wait().success());
    assert!(std::net::TcpStream::connect(address).is_err());
}
