//! Heads that only tell how it goes, before an answer (RFC 9110, section 15.2): which of them a client gets.

use std::net::Ipv4Addr;
use std::sync::Mutex;
use std::sync::mpsc::channel;

use super::rig::{LONG, Rig, Version, ok, value};

const HINTS: &[u8] =
    b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nconnection: x-own\r\nx-own: 1\r\n\r\n";

#[test]
fn hints_come_before_the_answer_is_there() {
    let (go, wait) = channel::<()>();
    let wait = Mutex::new(wait);
    let version = Version::new(move |mut client, _| {
        while client.request()?.is_some() {
            client.send(HINTS)?;
            wait.lock().unwrap().recv_timeout(LONG).unwrap();
            client.send(&ok("answer"))?;
        }
        Ok(())
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    for _ in 0..3 {
        client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let hints = client.head().unwrap().unwrap();
        assert_eq!(hints, "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n");
        go.send(()).unwrap();
        let (status, head, body) = client.answer();
        assert_eq!((status, body.as_str()), (200, "answer"), "{head}");
    }
    assert_eq!(version.connections(), 1, "the connection is kept");
    let counts = rig.counts("1");
    assert_eq!((counts.requests, counts.errors), (3, 0), "hints are no answers");
}

#[test]
fn several_come_in_their_order_however_they_are_cut() {
    let all = [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
        HINTS,
        b"HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\n",
        &ok("end"),
    ]
    .concat();
    let version = Version::new(move |mut client, _| {
        while let Some((head, _)) = client.request()? {
            let size: usize = head.split(' ').nth(1).unwrap()[1..].parse().unwrap();
            for part in all.chunks(size) {
                client.send(part)?;
            }
        }
        Ok(())
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    for size in [1, 7, 60, 1000] {
        client.send(format!("GET /{size} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
        for expected in [
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 102 Processing\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\n\r\n",
        ] {
            assert_eq!(client.head().unwrap().unwrap(), expected, "{size}");
        }
        assert_eq!(client.answer().2, "end");
    }
}

#[test]
fn a_version_that_breaks_off_after_hints_is_a_bad_gateway() {
    let version = Version::new(|mut client, _| {
        client.request()?;
        client.send(HINTS)
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert!(client.head().unwrap().unwrap().starts_with("HTTP/1.1 103 "));
    assert_eq!(client.answer().0, 502);
    assert_eq!((rig.counts("1").requests, rig.counts("1").gateway), (1, 1));
    // On a connection that was used before it may be sent again: its hints may have gone on before.
    let other = Version::new(|mut client, number| {
        let Some((_, _)) = client.request()? else { return Ok(()) };
        client.send(&ok(&format!("{number}")))?;
        if number == 0 {
            client.request()?;
            client.send(HINTS)?;
        }
        Ok(())
    });
    rig.apply(&[("2", &other, 1)], LONG);
    assert_eq!(client.get("/"), (200, "0".into()));
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = client.answer();
    if answer.0 == 103 {
        answer = client.answer();
    }
    assert_eq!((answer.0, answer.2.as_str()), (200, "1"), "{}", answer.1);
}

#[test]
fn hints_without_end_end() {
    let version = Version::new(|mut client, _| {
        client.request()?;
        loop {
            client.send(HINTS)?;
        }
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut count = 0;
    let last = loop {
        let head = client.head().unwrap().unwrap();
        if !head.starts_with("HTTP/1.1 103 ") {
            break head;
        }
        count += 1;
    };
    assert!(last.starts_with("HTTP/1.1 502 "), "{last}");
    assert!(count <= (64 << 10) / HINTS.len() + 1000, "{count}");
    assert_eq!(rig.counts("1").gateway, 1);
}

/// Of requests with a body and in HTTP/1.0, those of the version go no further: HTTP/1.0 knows none, and hyper cannot send others than its own.
#[test]
fn requests_that_go_the_general_way_get_the_answer_alone() {
    let version = Version::new(|mut client, _| {
        while client.request()?.is_some() {
            client.send(HINTS)?;
            client.send(&ok("answer"))?;
        }
        Ok(())
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi").unwrap();
    let (status, head, body) = client.answer();
    assert_eq!((status, body.as_str()), (200, "answer"), "{head}");
    client.send(b"GET / HTTP/1.0\r\nhost: x\r\n\r\n").unwrap();
    let (status, head, body) = client.answer();
    assert_eq!((status, body.as_str()), (200, "answer"), "{head}");
    assert_eq!(rig.counts("1").errors, 0);
}

/// The proxy itself tells a client to go on, and only when a version takes the body; the version is not asked for that.
#[test]
fn whoever_expects_to_be_told_to_go_on_is_told_by_the_proxy() {
    let version = Version::new(|mut client, _| {
        while let Some((head, body)) = client.request()? {
            assert_eq!(value(&head, "expect"), None, "{head}");
            client.send(&ok(&String::from_utf8_lossy(&body)))?;
        }
        Ok(())
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    let head = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n";
    for _ in 0..2 {
        client.send(head).unwrap();
        assert_eq!(client.head().unwrap().unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
        client.send(b"hi").unwrap();
        assert_eq!(client.answer().2, "hi");
    }
    // Nobody takes it there: the answer comes at once, and the body need not be sent.
    let nobody = (Ipv4Addr::LOCALHOST, crate::ports::pick().unwrap()).into();
    let mut table = super::rig::table(&[("2", &version, 1)]);
    table.routes[0].backends[0].address = nobody;
    rig.apply_table(table, LONG);
    client.send(head).unwrap();
    assert_eq!(client.answer().0, 502);
}
