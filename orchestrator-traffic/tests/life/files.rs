//! A proxy that may have few files open.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use orchestrator_traffic::protocol::{Request, Response};
use rustix::process::Signal;

use crate::client::{Connection, get};
use crate::origin::Origin;
use crate::process::{Process, Rig, free, table};
use crate::until;

/// Connections that say nothing.
fn idle(address: SocketAddr, count: usize) -> Vec<Connection> {
    (0..count).map(|_| Connection::open(address).unwrap()).collect()
}

/// How long its threads have worked, in hundredths of a second.
fn worked(process: &Process) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.0.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn a_limit_that_may_be_raised_is() {
    let (mut rig, address, origin) = (Rig::new(), free(), Origin::new("one"));
    rig.files = Some((128, 1024));
    let _process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", origin.address);
    let mut busy = idle(address, 150);
    for connection in &mut busy {
        connection.send(b"GET /slow/1000 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    }
    for connection in &mut busy {
        assert_eq!(connection.answer().unwrap().status, 200);
    }
}

#[test]
fn with_too_many_clients_a_version_is_not_blamed_and_switches_are_made() {
    let (mut rig, address) = (Rig::new(), free());
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    rig.files = Some((300, 300));
    let process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", one.address);
    let mut busy: Vec<Connection> = idle(address, 400);
    for connection in &mut busy {
        // Some of them are closed already, with an answer that says that there are too many.
        let _ = connection.send(b"GET /slow/300 HTTP/1.1\r\nhost: x\r\n\r\n");
    }
    let before = worked(&process);
    std::thread::sleep(Duration::from_secs(1));
    let spent = worked(&process) - before;
    assert!(spent < 50, "it does nothing else but to fail: {spent} hundredths of a second");
    // The control socket is answered, and the table is kept.
    let apply = Request::Apply { expect: Some(1), table: table("v2", two.address), drain_ms: 1000 };
    assert!(matches!(rig.ask(&apply), Response::Applied { generation: 2, .. }));
    let answers: Vec<u16> =
        busy.iter_mut().filter_map(|one| one.answer().ok()).map(|answer| answer.status).collect();
    assert!(answers.contains(&200), "{answers:?}");
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    let blamed: u64 = rig.counts().versions.iter().map(|version| version.errors).sum();
    assert_eq!(blamed, 0, "no version is to blame");
    drop(busy);
    until("there is room again", || get(address, "/").is_ok_and(|answer| answer.body == "two"));
}

#[test]
fn a_limit_that_is_too_low_is_said_at_the_start() {
    let mut served = 0;
    for files in [10, 14, 18, 22, 26, 30, 40, 60, 90, 300] {
        let (mut rig, address, origin) = (Rig::new(), free(), Origin::new("one"));
        rig.files = Some((files, files));
        let mut process = rig.start(address);
        let mut ended = None;
        until("it serves or ends", || {
            ended = process.0.try_wait().unwrap();
            ended.is_some() || rig.is_ready()
        });
        if ended.is_some() {
            continue;
        }
        // Whoever says that it serves does.
        rig.apply("v1", origin.address);
        assert_eq!(get(address, "/").unwrap().body, "one", "with {files} files");
        served += 1;
        process.signal(Signal::TERM);
        assert!(process.wait().success());
    }
    assert!(served > 0, "it never served");
}
