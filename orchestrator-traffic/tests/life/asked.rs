//! What is asked over the control socket.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use orchestrator_traffic::control::ask;
use orchestrator_traffic::protocol::{Request, Response};
use rustix::process::Signal;

use crate::LONG;
use crate::client::get;
use crate::origin::Origin;
use crate::process::{Front, Rig, free, table};

#[test]
fn a_table_is_served_and_outlives_stops_and_kills() {
    let (rig, address) = (Rig::new(), free());
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    let mut process = rig.start(address);
    rig.wait_until_ready();
    assert_eq!(get(address, "/").unwrap().status, 503, "nothing is served yet");
    assert_eq!(rig.apply("v1", one.address), 1);
    assert_eq!(rig.apply("v1", one.address), 1, "the same changes nothing");
    assert_eq!(get(address, "/").unwrap().body, "one");
    let stale = Request::Apply { expect: Some(7), table: table("v2", two.address), drain_ms: 0 };
    assert!(matches!(rig.ask(&stale), Response::Refused { .. }));
    let status = rig.status();
    assert_eq!((status.pid, status.listens, status.generation), (process.0.id(), vec![address], 1));
    let counts = rig.counts();
    assert_eq!((counts.versions[0].requests, counts.versions[0].errors), (1, 0));

    assert_eq!(rig.ask(&Request::Stop { drain_ms: 5000 }), Response::Done { pid: None });
    assert!(process.wait().success());
    assert!(!rig.control().exists());
    let mut process = rig.start(address);
    rig.wait_until_ready();
    assert_eq!((get(address, "/").unwrap().body.as_str(), rig.status().generation), ("one", 1));
    assert_ne!(rig.counts().boot, counts.boot);
    assert_eq!(rig.apply("v2", two.address), 2);

    process.signal(Signal::KILL);
    process.wait();
    assert!(rig.control().exists(), "what a killed one leaves is in nobody's way");
    let _process = rig.start(address);
    rig.wait_until_ready();
    assert_eq!((get(address, "/").unwrap().body.as_str(), rig.status().generation), ("two", 2));
}

#[test]
fn the_second_in_a_folder_is_refused_and_harms_nothing() {
    let Front { rig, address, origin: _origin, process } = Front::new(Rig::new());
    let mut second = rig.start(free());
    assert_eq!(second.wait().code(), Some(3));
    let said = rig.said();
    assert!(
        said.contains(&format!(
            "another proxy serves from `{}` (process {})",
            rig.folder().display(),
            process.0.id()
        )),
        "{said}"
    );
    assert_eq!((get(address, "/").unwrap().body.as_str(), rig.status().pid), ("one", process.0.id()));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let rig = Rig::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut process = rig.start(taken.local_addr().unwrap());
    assert_eq!(process.wait().code(), Some(3));
    let said = rig.said();
    assert!(
        said.contains(&format!("`{}` cannot be listened at: Address", taken.local_addr().unwrap())),
        "{said}"
    );
}

#[test]
fn a_folder_may_have_a_longer_path_than_a_socket() {
    let rig = Rig::below(&format!("{}/{}", "a".repeat(100), "b".repeat(100)));
    let _process = rig.start(free());
    rig.wait_until_ready();
    assert!(rig.control().as_os_str().len() > 107);
    assert_eq!(rig.status().generation, 0);
    let mode = fs::metadata(rig.control()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_full_disk_refuses_the_new_table_and_serves_the_old_one() {
    let (rig, address) = (Rig::new(), free());
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    let mut process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", one.address);
    // Whatever is written there meets a disk that is full.
    let beside = rig.folder().join("table.json.new");
    std::os::unix::fs::symlink("/dev/full", &beside).unwrap();
    let apply = Request::Apply { expect: Some(1), table: table("v2", two.address), drain_ms: 0 };
    let Response::Refused { why } = rig.ask(&apply) else { panic!("it was applied") };
    assert!(why.contains("No space left"), "{why}");
    assert_eq!((get(address, "/").unwrap().body.as_str(), rig.status().generation), ("one", 1));
    process.signal(Signal::KILL);
    process.wait();
    let _process = rig.start(address);
    rig.wait_until_ready();
    assert_eq!(get(address, "/").unwrap().body, "one");
    assert!(matches!(rig.ask(&apply), Response::Applied { generation: 2, changed: true }));
    assert_eq!(get(address, "/").unwrap().body, "two");
}

#[test]
fn a_broken_table_is_set_aside_and_the_next_one_is_served() {
    let (rig, address) = (Rig::new(), free());
    let origin = Origin::new("one");
    fs::write(rig.folder().join("table.json"), "{\"v\":1,\"gen").unwrap();
    let _process = rig.start(address);
    rig.wait_until_ready();
    assert!(rig.said().contains("table.broken.json`; every request is answered with 503"), "{}", rig.said());
    assert_eq!(get(address, "/").unwrap().status, 503);
    rig.apply("v1", origin.address);
    assert_eq!(get(address, "/").unwrap().body, "one");
}

#[test]
fn hostile_questions_are_refused_and_keep_nobody_waiting() {
    let Front { rig, address, origin: _origin, process: _process } = Front::new(Rig::new());
    let say = |bytes: &[u8]| {
        let mut stream = UnixStream::connect(rig.control()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        // It may have refused before it has read all of it.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    };
    let nested = format!("{}{}\n", "[".repeat(100_000), "]".repeat(100_000));
    let huge = vec![b'x'; 5 << 20];
    let hostile: [&[u8]; 9] = [
        b"\n",
        b"{}\n",
        b"{\"do\":\"exit\"}\n",
        b"{\"do\":\"stop\",\"drain_ms\":0,\"also\":1}\n",
        b"{\"do\":\"apply\"}\n",
        b"\xff\xfe\x00\n",
        b"{\"do\":\"status\"",
        nested.as_bytes(),
        &huge,
    ];
    for bytes in hostile {
        let answer = say(bytes);
        let refused = answer.starts_with("{\"is\":\"refused\"") && answer.ends_with('\n');
        // Of the huge one nobody may be left to hear the answer.
        assert!(refused || (bytes.len() > 1 << 20 && answer.is_empty()), "{answer:?}");
    }
    let both = say(b"{\"do\":\"status\"}\n{\"do\":\"counts\"}\n");
    assert_eq!(both.lines().count(), 2, "{both}");

    // Many that say nothing, or half of something, or do not read.
    let idle: Vec<_> = (0..20).map(|_| UnixStream::connect(rig.control()).unwrap()).collect();
    for mut stream in &idle {
        stream.write_all(b"{\"do\":").unwrap();
    }
    assert!(matches!(ask(&rig.control(), &Request::Status, LONG).unwrap(), Response::Status(_)));
    assert_eq!(get(address, "/").unwrap().body, "one");
}
