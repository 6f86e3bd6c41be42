//! Other protocols on a connection: bytes go both ways, over a swap, until a side ends or the drain does.

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use super::rig::{Client, LONG, Rig, Version, ok, until, value};
use crate::proxy::record::End;

const WISH: &[u8] =
    b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: echo\r\nsec-websocket-key: k\r\n\r\n";

/// Agrees to speak `echo`: each byte comes back.
fn echo() -> Version {
    Version::new(|mut client, _| {
        let Some((head, _)) = client.request()? else { return Ok(()) };
        if value(&head, "upgrade") != Some("echo") {
            return client.send(&ok("no tunnel"));
        }
        assert_eq!(value(&head, "connection"), Some("upgrade"), "{head}");
        client.send(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\nx-accept: k\r\n\r\n")?;
        loop {
            let byte = client.bytes(1)?;
            client.send(&byte)?;
        }
    })
}

fn tunnel(rig: &Rig, after: &[u8]) -> Client {
    let mut client = rig.client();
    client.send(&[WISH, after].concat()).unwrap();
    let head = client.head().unwrap().unwrap();
    assert!(head.starts_with("HTTP/1.1 101 ") && value(&head, "upgrade") == Some("echo"), "{head}");
    assert_eq!(value(&head, "x-accept"), Some("k"));
    client
}

fn says(client: &mut Client, bytes: &[u8]) {
    client.send(bytes).unwrap();
    assert_eq!(client.bytes(bytes.len()).unwrap(), bytes);
}

#[test]
fn a_tunnel_outlives_the_swap_and_is_cut_with_the_drain() {
    let (old, new) = (echo(), Version::named("new"));
    let rig = Rig::before(&old);
    let mut client = tunnel(&rig, b"");
    says(&mut client, b"GET / HTTP/1.1\r\n: is no request here\n\n");
    assert_eq!(rig.counts("1").requests, 1);
    rig.apply(&[("2", &new, 1)], Duration::from_millis(200));
    says(&mut client, b"still there");
    assert!(client.is_closed());
    until(|| rig.status("1").drain.unwrap().took_ms.is_some());
    let drain = rig.status("1").drain.unwrap();
    assert!(drain.cuts == 1 && drain.cut[0].starts_with("GET /ws after "), "{drain:?}");
    let told = rig.told(1);
    assert_eq!((told[0].1, told[0].3), (101, End::Cut));
    assert!(told[0].4 > 0);
}

#[test]
fn a_tunnel_ends_with_either_side() {
    let version = echo();
    let rig = Rig::before(&version);
    let mut client = tunnel(&rig, b"");
    says(&mut client, b"hello");
    drop(client);
    until(|| rig.status("1").in_flight == 0);
    assert_eq!(rig.counts("1").errors, 0);
}

#[test]
fn what_is_sent_before_the_answer_goes_into_the_tunnel_or_is_a_request() {
    let version = echo();
    let rig = Rig::before(&version);
    let mut client = tunnel(&rig, b"\x01\x02early");
    assert_eq!(client.bytes(7).unwrap(), b"\x01\x02early");

    // A version that does not agree: what follows is the next request, checked like any other.
    let version = Version::named("no tunnel");
    rig.apply(&[("2", &version, 1)], LONG);
    let mut client = rig.client();
    client
        .send(&[WISH, b"GET /next HTTP/1.1\r\nhost: x\r\n\r\nGET /bad HTTP/1.1\r\nhost : x\r\n\r\n"].concat())
        .unwrap();
    let statuses: Vec<u16> = (0..3).map(|_| client.answer().0).collect();
    assert_eq!(statuses, [200, 200, 400]);
    assert!(client.is_closed());
}

#[test]
fn a_version_that_changes_the_protocol_unasked_is_not_believed() {
    let version = Version::new(|mut client, _| {
        client.request()?;
        client.send(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n")
    });
    let rig = Rig::before(&version);
    assert_eq!(rig.client().get("/").0, 502);
}

#[test]
fn http2_is_not_reached_by_that_way() {
    let version = Version::echo();
    let rig = Rig::before(&version);
    for (asked, passed) in [("h2c", None), ("x, H2C", Some("x")), ("h2c,", None)] {
        let mut client = rig.client();
        let head =
            "GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABk";
        client.send(format!("{head}\r\nupgrade: {asked}\r\n\r\n").as_bytes()).unwrap();
        let (status, _, got) = client.answer();
        let found = (status, value(&got, "upgrade"), value(&got, "http2-settings"));
        assert_eq!(found, (200, passed, None), "{got}");
    }
}

#[test]
fn drains_end_on_every_thread_while_the_proxy_ends() {
    let (old, new) = (echo(), Version::named("new"));
    // One tunnel is left, on whichever thread; the other threads have nothing to do any more.
    for left in 0..4 {
        let rig = Rig::before(&old);
        let mut tunnels: Vec<_> = (0..4).map(|_| tunnel(&rig, b"")).collect();
        let mut one = tunnels.swap_remove(left);
        drop(tunnels);
        rig.stop.drain();
        until(|| rig.proxy.connections.load(SeqCst) == 1);
        says(&mut one, b"still there");
        rig.apply(&[("2", &new, 1)], Duration::from_millis(100));
        assert!(one.is_closed());
        until(|| rig.status("1").drain.is_some_and(|drain| drain.took_ms.is_some() && drain.cuts == 1));
    }
}
