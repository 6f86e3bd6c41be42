//! A proxy that replaces itself.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use orchestrator_traffic::protocol::{Request, Response};

use crate::client::{Connection, get};
use crate::load::{Kind, Load};
use crate::origin::Origin;
use crate::process::{Rig, free, is_alive, table};
use crate::until;

#[test]
fn five_upgrades_under_load_fail_no_request() {
    let (rig, address) = (Rig::new(), free());
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    let process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", one.address);
    let load =
        Load::start(address, &[Kind::New, Kind::New, Kind::Kept, Kind::Kept, Kind::Slow, Kind::Upload]);
    let mut pids = vec![process.0.id()];
    let longer = std::env::var_os("ORCHESTRATE_LONG").is_some();
    for round in 0..if longer { 50 } else { 5 } {
        load.more(60);
        pids.push(rig.upgrade());
        load.more(30);
        let (version, origin) = if round % 2 == 0 { ("v2", &two) } else { ("v1", &one) };
        rig.apply(version, origin.address);
    }
    load.more(60);
    let (done, failures) = load.end();
    assert!(failures.is_empty(), "{} of {done}: {failures:?}", failures.len());
    let last = pids.pop().unwrap();
    assert_eq!(rig.status().pid, last);
    until("the old ones end", || !pids.iter().any(|pid| is_alive(*pid)));
    assert!(!rig.said().contains("cut"), "{}", rig.said());
}

#[test]
fn a_switch_is_never_lost_between_two_processes() {
    let (rig, address) = (Rig::new(), free());
    let origin = Origin::new("one");
    let _process = rig.start(address);
    rig.wait_until_ready();
    let upgraded = AtomicBool::new(false);
    let last = std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..3 {
                rig.upgrade();
            }
            upgraded.store(true, SeqCst);
        });
        let mut last = 0;
        while !upgraded.load(SeqCst) || last < 20 {
            let next = rig.apply(&format!("v{}", last + 1), origin.address);
            assert_eq!(next, last + 1, "each is built on the one before");
            last = next;
        }
        last
    });
    let status = rig.status();
    assert_eq!((status.generation, &status.table), (last, &table(&format!("v{last}"), origin.address)));
}

#[test]
fn a_successor_that_fails_leaves_everything_as_it_was() {
    let (rig, address) = (Rig::new(), free());
    let origin = Origin::new("one");
    let process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", origin.address);
    for (program, why) in [
        ("/bin/false", "it ended before it served"),
        ("/nowhere/proxy", "`/nowhere/proxy` cannot be started: No such file"),
    ] {
        let Response::Refused { why: said } = rig.ask(&Request::Upgrade { program: Some(program.into()) })
        else {
            panic!("it was done")
        };
        assert!(said.contains(why), "{said}");
    }
    assert_eq!((rig.status().pid, get(address, "/").unwrap().body.as_str()), (process.0.id(), "one"));
    assert_eq!(rig.apply("v2", origin.address), 2);
    let next = rig.upgrade();
    assert_eq!(rig.status().pid, next);
}

#[test]
fn an_old_question_is_passed_on_to_the_successor() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let rig = Rig::new();
    let _process = rig.start(free());
    rig.wait_until_ready();
    let mut open = std::os::unix::net::UnixStream::connect(rig.control()).unwrap();
    let mut lines = BufReader::new(open.try_clone().unwrap()).lines();
    open.write_all(b"{\"do\":\"counts\"}\n").unwrap();
    let before = lines.next().unwrap().unwrap();
    let next = rig.upgrade();
    open.write_all(b"{\"do\":\"status\"}\n").unwrap();
    let answer = lines.next().unwrap().unwrap();
    assert!(before.contains("\"boot\"") && answer.contains(&format!("\"pid\":{next}")), "{answer}");
}

#[test]
fn metrics_move_to_the_successor() {
    let mut rig = Rig::new();
    let (metrics, address) = (free(), free());
    rig.metrics = Some(metrics);
    let origin = Origin::new("one");
    let _process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", origin.address);
    get(address, "/").unwrap();
    let read = || {
        let mut connection = Connection::open(metrics).unwrap();
        connection.send(b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut text = String::new();
        connection.stream.read_to_string(&mut text).unwrap();
        text
    };
    let text = read();
    let counted = "orchestrate_proxy_requests_total{route=\"all\",version=\"v1\",class=\"2xx\"} 1\n";
    assert!(text.contains(counted) && text.contains("orchestrate_proxy_generation 1\n"), "{text}");
    let next = rig.upgrade();
    until("it answers there", || read().contains(&format!("pid=\"{next}\"")));
}

#[test]
fn a_slow_answer_is_finished_by_the_old_process() {
    let (rig, address) = (Rig::new(), free());
    let origin = Origin::new("one");
    let mut process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", origin.address);
    let mut slow = Connection::open(address).unwrap();
    slow.send(b"GET /slow/1000 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    until("it is under way", || rig.status().versions[0].in_flight == 1);
    rig.upgrade();
    assert_eq!(rig.status().versions[0].in_flight, 0, "the successor has nothing to do with it");
    let answer = slow.answer().unwrap();
    assert_eq!((answer.status, answer.body.as_str(), answer.kept), (200, "one", false));
    assert!(process.wait().success());
}

#[test]
fn streams_and_tunnels_live_on_until_their_time_is_over() {
    let mut rig = Rig::new();
    rig.linger = Duration::from_secs(4);
    let address = free();
    let origin = Origin::new("one");
    let mut process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", origin.address);
    let mut events = Connection::open(address).unwrap();
    events.send(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(events.head().unwrap().0, 200);
    let mut tunnel = Connection::open(address).unwrap();
    tunnel.send(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n").unwrap();
    assert_eq!(tunnel.head().unwrap().0, 101);
    rig.upgrade();
    for _ in 0..20 {
        tunnel.send(b"hi\n").unwrap();
        assert_eq!(tunnel.line().unwrap(), "hi\n");
        while !events.line().unwrap().contains("data: one") {}
    }
    assert!(process.wait().success());
    until("they are cut", || events.line().is_err());
    until("they are cut", || tunnel.line().is_err());
    assert!(rig.said().contains("2 requests were cut at the end: GET /"), "{}", rig.said());
}
