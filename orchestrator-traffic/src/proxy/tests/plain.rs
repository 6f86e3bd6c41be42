//! Requests that are passed on byte by byte, beside those that are not: both look the same from either side.

use super::rig::{Rig, Version, ok, until, value};
use crate::proxy::record::End;

#[test]
fn versions_are_told_of_the_client_and_clients_nothing_of_the_connection() {
    let version = Version::answering(|head, _| {
        let text = format!("{}\n{head}", head.len());
        let length = text.len();
        format!(
            "HTTP/1.1 200 Fine\r\nContent-Length: {length}\r\nConnection: x-own\r\nX-Own: 1\r\nKeep-Alive: timeout=9\r\nX-Kept: 2\r\n\r\n{text}"
        )
        .into_bytes()
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    // The second has a body, which goes the general way.
    for (first, more, body) in [("GET", "", ""), ("POST", "content-length: 2\r\n", "hi")] {
        client
            .send(
                format!(
                    "{first} /a?b=%20 HTTP/1.1\r\nHost: shop.test:8080\r\n{more}Connection: keep-alive\r\nVia: 1.0 other\r\n\
                     X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\nX-Empty:\r\nX-More: \t c \r\n\r\n{body}"
                )
                .as_bytes(),
            )
            .unwrap();
        let (status, head, got) = client.answer();
        assert_eq!(status, 200);
        assert!(got.contains(&format!("\n{first} /a?b=%20 HTTP/1.1\r\n")), "{got}");
        for (name, expected) in [
            ("host", Some("shop.test:8080")),
            ("x-forwarded-for", Some("1.2.3.4, 127.0.0.1")),
            ("x-forwarded-proto", Some("http")),
            ("x-forwarded-host", Some("shop.test:8080")),
            ("x-empty", Some("")),
            ("x-more", Some("c")),
            ("connection", None),
        ] {
            assert_eq!(value(&got, name), expected, "{name}: {got}");
        }
        assert!(
            got.to_lowercase().contains("via: 1.0 other\r\n") && got.contains("via: 1.1 orchestrate\r\n"),
            "{got}"
        );
        assert_eq!(got.to_lowercase().matches("x-forwarded-proto").count(), 1, "{got}");
        for (name, there) in
            [("connection", false), ("x-own", false), ("keep-alive", false), ("x-kept", true), ("date", true)]
        {
            assert_eq!(value(&head, name).is_some(), there, "{name}: {head}");
        }
    }
    assert_eq!(rig.told(2).iter().map(|told| told.4 > 0).collect::<Vec<_>>(), [true, true]);
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let version = Version::answering(|head, body| {
        ok(&format!("{} {}", head.split(' ').nth(1).unwrap(), String::from_utf8_lossy(body)))
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client
        .send(
            b"GET /1 HTTP/1.1\r\nhost: x\r\n\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n\
              POST /3 HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhiGET /4 HTTP/1.1\r\nhost: x\r\n\r\n\
              HEAD /5 HTTP/1.1\r\nhost: x\r\n\r\nGET /6 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\nGET /7 HTTP/1.1\r\nhost: x\r\n\r\n",
        )
        .unwrap();
    for expected in ["/1 ", "/2 ", "/3 hi", "/4 "] {
        assert_eq!(client.answer().2, expected);
    }
    let head = client.head().unwrap().unwrap();
    assert_eq!(value(&head, "content-length"), Some("3"), "{head}");
    assert!(client.head().unwrap().unwrap().contains("connection: close"));
    assert_eq!(client.bytes(3).unwrap(), b"/6 ");
    assert!(client.is_closed());
    until(|| rig.status("1").in_flight == 0);
    assert_eq!((rig.counts("1").requests, rig.counts("1").errors), (6, 0));
}

#[test]
fn bodies_of_all_kinds_come_whole() {
    let version = Version::new(|mut client, _| {
        while let Some((head, _)) = client.request()? {
            match head.split(' ').nth(1).unwrap() {
                "/chunks" => client.send(
                    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nx-after: 1\r\n\r\n",
                )?,
                "/large" => client.send(&ok(&"y".repeat(3 << 20)))?,
                "/none" => client.send(b"HTTP/1.1 204 Nothing\r\nx-a: b\r\n\r\n")?,
                "/hints" => client.send(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nh")?,
                _ => {
                    client.send(b"HTTP/1.0 200 OK\r\n\r\nup to the end")?;
                    return Ok(());
                }
            }
        }
        Ok(())
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    for _ in 0..3 {
        assert_eq!(client.get("/chunks"), (200, "abcde".into()));
        assert_eq!(client.get("/none"), (204, String::new()));
        assert_eq!(client.get("/hints"), (103, String::new()));
        assert_eq!(client.answer().2, "h");
        let large = client.get("/large");
        assert!(large.0 == 200 && large.1.len() == 3 << 20 && large.1.bytes().all(|byte| byte == b'y'));
        assert_eq!(client.get("/rest"), (200, "up to the end".into()));
    }
    assert_eq!(rig.told(15).iter().map(|told| told.3).filter(|end| *end == End::Whole).count(), 15);
    // The one connection was kept until the version closed it.
    assert_eq!(version.connections(), 3);
}

#[test]
fn codings_that_the_proxy_does_not_know_are_a_bad_gateway() {
    let version = Version::answering(|_, _| {
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".to_vec()
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    assert_eq!(client.get("/").0, 502);
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi").unwrap();
    assert_eq!(client.answer().0, 502);
    assert_eq!((rig.counts("1").requests, rig.counts("1").gateway), (2, 2));
}

#[test]
fn more_than_was_asked_for_is_for_nobody() {
    // Two answers to one request: the second would be the answer to somebody else's.
    let version = Version::answering(|_, _| [ok("mine"), ok("not yours")].concat());
    let rig = Rig::before(&version);
    for _ in 0..10 {
        let mut client = rig.client();
        assert_eq!(client.get("/").1, "mine");
        assert_eq!(client.get("/").1, "mine");
    }
}

#[test]
fn a_body_that_makes_no_sense_from_its_start_is_a_bad_gateway() {
    // Head and body in one packet, also after a head that only tells how it goes.
    for hints in ["", "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"] {
        let text = format!("{hints}HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nhello");
        let version = Version::new(move |mut client, _| {
            client.request()?;
            client.send(text.as_bytes())
        });
        let rig = Rig::before(&version);
        let mut client = rig.client();
        for _ in 0..2 {
            client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            if !hints.is_empty() {
                assert_eq!(client.answer().0, 103);
            }
            assert_eq!(client.answer().0, 502);
        }
        let counts = rig.counts("1");
        assert_eq!((counts.requests, counts.errors, counts.gateway), (2, 2, 2));
        assert!(rig.told(2).iter().all(|told| (told.1, told.3) == (502, End::Broken)), "{:?}", rig.told(2));
    }
}
