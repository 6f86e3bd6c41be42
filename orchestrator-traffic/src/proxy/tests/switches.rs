//! Swaps, drains, what is tried again, and ends.

use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use super::rig::{LONG, Rig, Version, ok, table, until};
use crate::proxy::Limits;
use crate::proxy::record::End;

/// A version that answers `/slow` only when it is told to, and anything else at once, with its name.
fn slow(name: &'static str) -> (Version, mpsc::Sender<()>) {
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(gone);
    let version = Version::answering(move |head, _| {
        if head.contains(" /slow") {
            let _ = gone.lock().unwrap().recv();
        }
        ok(name)
    });
    (version, go)
}

#[test]
fn a_kept_connection_goes_over_and_what_is_under_way_stays() {
    let (old, go) = slow("old");
    let new = Version::named("new");
    let rig = Rig::before(&old);
    let (mut kept, mut under_way) = (rig.client(), rig.client());
    assert_eq!(kept.get("/").1, "old");
    under_way.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    until(|| rig.status("1").in_flight == 1);
    rig.apply(&[("2", &new, 1)], LONG);
    assert_eq!(kept.get("/").1, "new");
    let status = rig.status("1");
    assert_eq!((status.in_flight, status.drain.unwrap().took_ms), (1, None));
    go.send(()).unwrap();
    assert_eq!(under_way.answer().2, "old");
    until(|| rig.status("1").drain.unwrap().took_ms.is_some());
    assert_eq!(under_way.get("/").1, "new");
    assert_eq!(rig.status("1").drain.unwrap().cuts, 0);
    assert!(rig.counts("2").requests == 2 && rig.counts("1").errors == 0);
}

#[test]
fn who_is_still_under_way_when_the_drain_is_over_is_cut_and_named() {
    let (old, go) = slow("old");
    let streaming = Version::new(|mut client, _| {
        client.request()?;
        client.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")?;
        client.stream.read_to_end(&mut Vec::new()).map(drop)
    });
    let new = Version::named("new");
    let rig = Rig::new();
    let mut both = table(&[("1", &old, 1)]);
    let mut events = table(&[("1", &streaming, 1)]).routes.remove(0);
    (events.name, events.prefix) = ("events".into(), "/events".into());
    both.routes.push(events);
    rig.apply_table(both, LONG);
    let (mut waits, mut listens) = (rig.client(), rig.client());
    waits.send(b"POST /slow?secret=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n").unwrap();
    listens.send(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    listens.upto(b"abc\r\n").unwrap();
    until(|| rig.status("1").in_flight == 1);
    rig.apply(&[("2", &new, 1)], Duration::from_millis(100));
    assert_eq!(waits.answer().0, 503);
    assert!(waits.is_closed());
    let mut rest = Vec::new();
    let _ = listens.stream.read_to_end(&mut rest);
    assert!(!rest.ends_with(b"0\r\n\r\n"), "it looks whole");
    let told = rig.told(2);
    assert!(told.iter().all(|told| told.3 == End::Cut), "{told:?}");
    let cut: Vec<String> =
        rig.proxy.live.status().2.into_iter().filter_map(|one| one.drain).flat_map(|one| one.cut).collect();
    assert!(cut.len() == 2 && cut.iter().any(|one| one.starts_with("POST /slow after ")), "{cut:?}");
    assert!(cut.iter().any(|one| one.starts_with("GET /events after ")), "{cut:?}");
    let counts = rig.proxy.live.counts().versions;
    assert!(
        counts.iter().filter(|one| one.version == "1").all(|one| (one.requests, one.errors) == (1, 1)),
        "{counts:?}"
    );
    drop(go);
}

#[test]
fn swaps_under_load_drop_nothing() {
    let versions: Vec<Version> = ["a", "b", "c"].iter().map(|name| Version::named(name)).collect();
    let rig = Rig::before(&versions[0]);
    let ends = AtomicBool::new(false);
    let (answered, failed) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for kept in [true, true, false, false] {
            let (rig, ends, answered, failed) = (&rig, &ends, &answered, &failed);
            scope.spawn(move || {
                let mut client = rig.client();
                while !ends.load(SeqCst) {
                    if !kept {
                        client = rig.client();
                    }
                    let (status, name) = client.get("/");
                    let fine = status == 200 && ["a", "b", "c"].contains(&name.as_str());
                    if fine { answered } else { failed }.fetch_add(1, SeqCst);
                }
            });
        }
        let swaps = if std::env::var_os("ORCHESTRATE_LONG").is_some() { 3000 } else { 60 };
        for at in 0..swaps {
            // Names come back, at another address.
            rig.apply(&[(&(at % 100).to_string(), &versions[at % 3], 1)], LONG);
            let before = answered.load(SeqCst);
            until(|| answered.load(SeqCst) > before + 20 || failed.load(SeqCst) > 0);
        }
        ends.store(true, SeqCst);
    });
    assert_eq!(failed.load(SeqCst), 0);
    let counts = rig.proxy.live.counts().versions;
    assert_eq!(counts.iter().map(|one| one.requests).sum::<u64>(), answered.load(SeqCst));
    assert_eq!(counts.iter().map(|one| one.errors).sum::<u64>(), 0);
}

#[test]
fn a_version_that_closed_a_kept_connection_is_asked_again() {
    // It closes each connection after two requests without saying so, right when the third comes.
    let requests = Arc::<AtomicU64>::default();
    let version = Version::new({
        let requests = Arc::clone(&requests);
        move |mut client, _| {
            for _ in 0..2 {
                client.request()?;
                requests.fetch_add(1, SeqCst);
                client.send(&ok("fine"))?;
            }
            client.request().map(drop)
        }
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    for _ in 0..20 {
        assert_eq!(client.get("/"), (200, "fine".into()));
    }
    assert_eq!((rig.counts("1").errors, requests.load(SeqCst)), (0, 20));
}

#[test]
fn what_may_have_been_acted_on_is_not_sent_twice() {
    let requests = Arc::<AtomicU64>::default();
    let version = Version::new({
        let requests = Arc::clone(&requests);
        move |mut client, _| {
            client.request()?;
            client.send(&ok("fine"))?;
            // The next is taken and acted on, and then the process dies.
            client.request()?;
            requests.fetch_add(1, SeqCst);
            Ok(())
        }
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    // The same kind of request twice, so that the second finds the connection of the first.
    for status in [200, 502] {
        client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi").unwrap();
        assert_eq!(client.answer().0, status);
    }
    assert_eq!(requests.load(SeqCst), 1);
    assert_eq!((rig.counts("1").errors, rig.counts("1").gateway), (1, 1));
}

#[test]
fn a_version_that_is_started_again_is_waited_for() {
    let version = Version::named("fine");
    let address = version.address;
    let rig = Rig::before_with(&version, Limits { refused: LONG, ..Limits::default() });
    drop(version);
    let mut client = rig.client();
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi").unwrap();
    thread::sleep(Duration::from_millis(150));
    let _again = Version::on(address, |mut client, _| {
        let (_, body) = client.request()?.unwrap();
        client.send(&ok(&String::from_utf8_lossy(&body)))
    });
    let (status, _, body) = client.answer();
    assert_eq!((status, body.as_str()), (200, "hi"));
}

#[test]
fn when_one_version_is_gone_the_other_answers_and_it_shows() {
    let (gone, live) = (Version::named("gone"), Version::named("there"));
    let rig = Rig::with(Limits { refused: Duration::from_millis(20), ..Limits::default() });
    rig.apply(&[("gone", &gone, 1), ("there", &live, 1)], LONG);
    let address = gone.address;
    drop(gone);
    let mut client = rig.client();
    for _ in 0..30 {
        assert_eq!(client.get("/"), (200, "there".into()));
    }
    let (gone, there) = (rig.counts("gone"), rig.counts("there"));
    assert!(gone.requests > 0 && gone.requests == gone.gateway, "{gone:?}");
    assert_eq!((there.requests, there.errors), (30, 0));
    // Where only that one is meant, the client is told.
    let mut alone = table(&[("alone", &live, 1)]);
    alone.routes[0].backends[0].address = address;
    rig.apply_table(alone, LONG);
    assert_eq!(client.get("/").0, 502);
    assert_eq!(rig.counts("alone").gateway, 1);
}

#[test]
fn a_request_that_waits_for_a_dead_version_goes_over_with_the_switch() {
    let (old, new) = (Version::named("old"), Version::named("new"));
    let rig = Rig::before_with(&old, Limits { refused: LONG, ..Limits::default() });
    drop(old);
    let mut client = rig.client();
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi").unwrap();
    until(|| rig.status("1").in_flight == 1);
    rig.apply(&[("2", &new, 1)], LONG);
    let (status, _, body) = client.answer();
    assert_eq!((status, body.as_str()), (200, "new"));
    assert_eq!(rig.counts("1").errors, 0);
}

#[test]
fn a_proxy_that_ends_lets_requests_end_first() {
    let (version, go) = slow("fine");
    let rig = Rig::before(&version);
    let (mut idle, mut under_way) = (rig.client(), rig.client());
    idle.get("/");
    under_way.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    until(|| rig.status("1").in_flight == 1);
    rig.stop.drain();
    // An idle connection is not closed under a request that may be on its way: it is told with its next answer.
    idle.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let (status, head, _) = idle.answer();
    assert!(status == 200 && head.contains("connection: close"), "{head}");
    assert!(idle.is_closed());
    go.send(()).unwrap();
    let (status, head, _) = under_way.answer();
    assert!(status == 200 && head.contains("connection: close"), "{head}");
    assert!(under_way.is_closed());
}

#[test]
fn a_proxy_that_is_cut_says_whom() {
    let (version, _go) = slow("fine");
    let rig = Rig::before(&version);
    let mut under_way = rig.client();
    under_way.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    until(|| rig.status("1").in_flight == 1);
    rig.stop.drain();
    rig.stop.cut();
    assert!(under_way.is_closed());
    assert_eq!(rig.told(1)[0].3, End::Cut);
    assert_eq!((rig.counts("1").requests, rig.counts("1").errors), (1, 1));
}

#[test]
fn idle_connections_end_when_the_proxy_does() {
    let version = Version::named("fine");
    let rig =
        Rig::before_with(&version, Limits { idle_at_end: Duration::from_millis(50), ..Limits::default() });
    let mut idle = rig.client();
    idle.get("/");
    rig.stop.drain();
    assert!(idle.is_closed());
    until(|| rig.proxy.connections.load(SeqCst) == 0);
}

#[test]
fn idle_connections_take_no_memory_and_are_served_again() {
    let version = Version::named("fine");
    let rig = Rig::before_with(&version, Limits { idle_at_end: Duration::from_secs(3), ..Limits::default() });
    let mut clients: Vec<_> = (0..5).map(|_| rig.client()).collect();
    for _ in 0..2 {
        for client in &mut clients {
            assert_eq!(client.get("/").1, "fine");
        }
        until(|| rig.proxy.idle.load(SeqCst) == 5);
    }
    // Requests in a row, a bad one among them, and one that comes in pieces: as on any connection.
    clients[0].send(b"GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\nhost : x\r\n\r\n").unwrap();
    assert_eq!((clients[0].answer().0, clients[0].answer().0), (200, 400));
    assert!(clients[0].is_closed());
    clients[1].send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-le").unwrap();
    thread::sleep(Duration::from_millis(20));
    clients[1].send(b"ngth: 2\r\n\r\nhi").unwrap();
    assert_eq!(clients[1].answer().0, 200);
    until(|| rig.proxy.idle.load(SeqCst) == 4);
    rig.stop.drain();
    clients[2].send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(clients[2].answer().1.contains("connection: close"));
    assert!(clients[2].is_closed() && clients[3].is_closed());
    until(|| rig.proxy.connections.load(SeqCst) == 0);
    assert_eq!(rig.proxy.idle.load(SeqCst), 0);
}
