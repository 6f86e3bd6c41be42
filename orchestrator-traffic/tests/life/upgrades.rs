//! A proxy that replaces itself.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use orchestrator_traffic::protocol::{Request, Response};

use crate::client::{Connection, get};
use crate::load::{Kind, Load};
use crate::origin::Origin;
use crate::process::{Front, Keeper, Rig, free, is_alive, table};
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
    let Front { rig, address, origin, process } = Front::new(Rig::new());
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
fn the_lock_names_who_serves_also_after_a_successor_failed() {
    let Front { rig, address, origin: _origin, process } = Front::new(Rig::new());
    let log = rig.folder().join("access.log");
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    let Response::Refused { why } = rig.ask(&Request::Upgrade { program: None }) else {
        panic!("it was done")
    };
    assert!(why.contains("cannot be opened"), "{why}");
    assert_eq!(get(address, "/").unwrap().body, "one");
    assert!(!rig.start(free()).wait().success());
    let named = |pid: u32| rig.said().contains(&format!("edge` (process {pid}); stop it"));
    assert!(named(process.0.id()), "{}", rig.said());
    std::fs::remove_dir(&log).unwrap();
    let next = rig.upgrade();
    assert!(!rig.start(free()).wait().success());
    assert!(named(next), "{}", rig.said());
}

/// A program that starts the real one is no successor: who serves is named, and should that fail, nothing of it is left.
#[test]
fn a_script_around_the_program_is_not_taken_for_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let Front { rig, address, origin: _origin, process } = Front::new(Rig::new());
    let real = std::env::current_exe().unwrap();
    let script = |name: &str, text: &str| {
        let path = rig.folder().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Request::Upgrade { program: Some(path.to_str().unwrap().into()) }
    };
    let left = rig.folder().join("left");
    let bad = format!(
        "sleep 1000 & echo $! > {left}\nexport PROXY_UNDER_TEST=$(echo \"$PROXY_UNDER_TEST\" | sed 's/\"tls\":false/\"tls\":true/')\n\
         {real} \"$@\"\nsleep 1000",
        left = left.display(),
        real = real.display()
    );
    let Response::Refused { why } = rig.ask(&script("bad.sh", &bad)) else { panic!("it was done") };
    assert!(why.contains("cert.pem` cannot be read"), "{why}");
    let sleeper: u32 = std::fs::read_to_string(left).unwrap().trim().parse().unwrap();
    until("all of it is gone", || !is_alive(sleeper));
    assert_eq!((rig.status().pid, get(address, "/").unwrap().body.as_str()), (process.0.id(), "one"));

    let good = script("good.sh", &format!("{} \"$@\"\nexit $?", real.display()));
    let Response::Done { pid: Some(pid) } = rig.ask(&good) else { panic!("it was not done: {}", rig.said()) };
    assert_eq!(rig.status().pid, pid);
    assert_eq!(get(address, "/").unwrap().body, "one");
}

/// Nobody can tell which of the two processes a signal reaches: it means whoever serves.
#[test]
fn a_signal_that_comes_while_a_successor_starts_ends_that_too() {
    use std::os::unix::fs::PermissionsExt as _;
    let Front { rig, address, origin: _origin, mut process } = Front::new(Rig::new());
    let (path, begun) = (rig.folder().join("slow.sh"), rig.folder().join("begun"));
    let real = std::env::current_exe().unwrap();
    let text = format!("#!/bin/sh\n: > {}\nsleep 1\nexec {} \"$@\"\n", begun.display(), real.display());
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let next = std::thread::scope(|scope| {
        let program = Some(path.to_str().unwrap().into());
        let upgrade = scope.spawn(|| rig.ask(&Request::Upgrade { program }));
        until("it starts", || begun.exists());
        process.signal(rustix::process::Signal::TERM);
        match upgrade.join().unwrap() {
            Response::Done { pid: Some(pid) } => pid,
            other => panic!("{other:?}"),
        }
    });
    until("both end", || !is_alive(next) && process.0.try_wait().unwrap().is_some());
    assert!(get(address, "/").is_err());
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
    let Front { rig, address, origin: _origin, mut process } = Front::new(Rig::new());
    let mut slow = rig.under_way(address, "/slow/1000");
    rig.upgrade();
    let status = rig.status();
    assert_eq!((status.versions[0].in_flight, status.connections), (1, 1), "it is known there");
    assert_eq!(status.before, [process.0.id()]);
    let answer = slow.answer().unwrap();
    assert_eq!((answer.status, answer.body.as_str(), answer.kept), (200, "one", false));
    assert!(process.wait().success());
    until("nobody is before it", || rig.status().before.is_empty());
}

#[test]
fn connections_of_older_processes_follow_every_switch() {
    let (rig, address) = (Rig::new(), free());
    let (one, two, three) = (Origin::new("one"), Origin::new("two"), Origin::new("three"));
    let process = rig.start(address);
    rig.wait_until_ready();
    rig.apply("v1", one.address);
    let mut open: Vec<Connection> = (0..3).map(|_| Connection::open(address).unwrap()).collect();
    for connection in &mut open {
        assert_eq!(connection.get("/").unwrap().body, "one");
    }
    let second = rig.upgrade();
    // The first may have taken one more in the meantime; that one is to be closed after its answer.
    let mut late = Connection::open(address).unwrap();
    until("the second takes it", || {
        let answer = late.get("/").unwrap();
        assert_eq!(answer.body, "one");
        if !answer.kept {
            late = Connection::open(address).unwrap();
        }
        answer.kept
    });
    rig.apply("v2", two.address);
    let answer = open.pop().unwrap().get("/").unwrap();
    assert_eq!(
        (answer.body.as_str(), answer.kept),
        ("two", false),
        "in the first, by the table of the second"
    );

    let slow = std::thread::spawn(move || late.get("/slow/1500").unwrap());
    until("it is under way", || rig.status().versions[0].in_flight == 1);
    rig.upgrade();
    rig.apply("v3", three.address);
    assert_eq!(
        open.pop().unwrap().get("/").unwrap().body,
        "three",
        "in the first, by the table of the third"
    );
    let status = rig.status();
    let v2 = status.versions.iter().find(|one| one.version == "v2").unwrap();
    assert_eq!(
        (v2.in_flight, v2.drain.as_ref().unwrap().took_ms),
        (1, None),
        "v2 is not drained while the second waits for it"
    );
    assert_eq!(status.before, [second, process.0.id()]);
    assert_eq!(slow.join().unwrap().body, "two");
    until("v2 is drained", || {
        let status = rig.status();
        let v2 = status.versions.iter().find(|one| one.version == "v2");
        v2.is_none_or(|v2| v2.drain.as_ref().unwrap().took_ms.is_some())
    });
}

#[test]
fn older_connections_follow_also_when_the_successor_was_killed() {
    let rig = Rig::new();
    let (one, two) = (Origin::new("one"), Origin::new("two"));
    let mut keeper = Keeper::new();
    let address = keeper.address();
    let _first = keeper.start(&rig);
    rig.apply("v1", one.address);
    let mut open: Vec<Connection> = (0..40).map(|_| Connection::open(address).unwrap()).collect();
    for connection in &mut open {
        assert_eq!(connection.get("/").unwrap().body, "one");
    }
    let second = rig.upgrade();
    assert!(keeper.hear().is_some());
    crate::process::signal_to(second, rustix::process::Signal::KILL);
    assert_eq!(keeper.hear(), None);
    let _third = keeper.start(&rig);
    rig.apply("v2", two.address);
    // Nobody tells it; it looks several times a second. Each of its connections gets one more answer.
    until("it follows", || {
        std::thread::sleep(Duration::from_millis(50));
        open.pop().expect("one of them is answered by the new version").get("/").unwrap().body == "two"
    });
}

#[test]
fn streams_and_tunnels_live_on_until_their_time_is_over() {
    let mut rig = Rig::new();
    rig.linger = Duration::from_secs(4);
    let Front { rig, address, origin: _origin, mut process } = Front::new(rig);
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
