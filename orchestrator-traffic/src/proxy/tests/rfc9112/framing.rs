//! Sections 6 and 7: how long a body is, and chunks. What two readers might take for two lengths is refused.

use super::super::rig::{Rig, Version, ok, value};
use super::{Refused, Taken, check};

#[test]
fn lengths() {
    check(&[
        ("6.2", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", Taken("abc")),
        ("6.2", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", Taken("")),
        ("6.2", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 003\r\n\r\nabc", Taken("abc")),
        (
            "6.3",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            Refused(400),
        ),
        (
            "6.3",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
            Refused(400),
        ),
        ("6.3", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", Refused(400)),
        ("6.3", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", Refused(400)),
        ("6.3", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc", Refused(400)),
        ("6.3", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x3\r\n\r\nabc", Refused(400)),
        ("6.3", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3.0\r\n\r\nabc", Refused(400)),
        ("6.3", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\nabc", Refused(400)),
        (
            "6.3",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\nabc",
            Refused(400),
        ),
    ]);
}

#[test]
fn codings() {
    check(&[
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Refused(501)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0Bchunked\r\n\r\n0\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Refused(400)),
        ("6.1", b"POST / HTTP/1.1\r\nHost: x\r\ntransfer-encoding: CHUNKED\r\n\r\n3\r\nabc\r\n0\r\n\r\n", Taken("abc")),
    ]);
}

/// The head of a request with chunks, before what a case sends.
macro_rules! chunks {
    ($bytes:literal) => {
        concat!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", $bytes).as_bytes()
    };
}

#[test]
fn chunks() {
    check(&[
        ("7.1", chunks!("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), Taken("abcde")),
        ("7.1", chunks!("00003\r\nabc\r\n000\r\n\r\n"), Taken("abc")),
        ("7.1", chunks!("a\r\n0123456789\r\n0\r\n\r\n"), Taken("0123456789")),
        ("7.1.1", chunks!("3;a=b;c=\"d\"\r\nabc\r\n0;e\r\n\r\n"), Taken("abc")),
        ("7.1.2", chunks!("3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"), Taken("abc")),
        ("7.1", chunks!("3\nabc\n0\n\n"), Refused(400)),
        ("7.1", chunks!("3\r\nabcd\r\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("3\r\nabc0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("3\r\nabc\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("x\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("-3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("0x3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!(" 3\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("3 \r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("10000000000000000\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("3;a\nb\r\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("7.1", chunks!("3\rX\nabc\r\n0\r\n\r\n"), Refused(400)),
        ("7.1.2", chunks!("3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n"), Refused(400)),
        ("7.1.2", chunks!("3\r\nabc\r\n0\r\nHost: y\r\n\r\n"), Refused(400)),
        ("7.1.2", chunks!("3\r\nabc\r\n0\r\nX : 1\r\n\r\n"), Refused(400)),
        ("7.1.2", chunks!("3\r\nabc\r\n0\r\nX: 1\n\r\n"), Refused(400)),
    ]);
}

#[test]
fn answers_are_as_long_as_the_version_says() {
    let version = Version::answering(|head, _| {
        let path = head.split(' ').nth(1).unwrap();
        match path {
            "/chunks" => {
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
                    .to_vec()
            }
            "/none" => b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(),
            "/same" => b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\netag: \"a\"\r\n\r\n".to_vec(),
            "/head" => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n".to_vec(),
            "/both" => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_vec(),
            "/two" => b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd".to_vec(),
            _ => ok("fine"),
        }
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    assert_eq!(client.get("/chunks"), (200, "abcde".into()));
    assert_eq!(client.get("/none"), (204, String::new()));
    client.send(b"GET /same HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let (status, head, _) = client.answer();
    assert_eq!((status, value(&head, "etag")), (304, Some("\"a\"")));
    client.send(b"HEAD /head HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let head = client.head().unwrap().unwrap();
    assert_eq!(value(&head, "content-length"), Some("9"), "{head}");
    // After all these, the connection is where it should be.
    assert_eq!(client.get("/"), (200, "fine".into()));
    // Section 6.3: a version that says two things is not to be guessed at.
    assert_eq!(client.get("/both").0, 502);
    assert_eq!(client.get("/two").0, 502);
    assert_eq!(client.get("/"), (200, "fine".into()));
}

#[test]
fn an_answer_without_a_length_ends_with_its_connection() {
    let version = Version::new(|mut client, _| {
        client.request()?;
        client.send(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    // Section 6.3: a client of HTTP/1.1 gets it in chunks, and keeps its connection.
    for _ in 0..2 {
        assert_eq!(client.get("/"), (200, "until the end".into()));
    }
    // One of HTTP/1.0 knows no chunks (section 6.1).
    client.send(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let head = client.head().unwrap().unwrap();
    assert_eq!(value(&head, "transfer-encoding"), None, "{head}");
    assert_eq!(client.bytes(13).unwrap(), b"until the end");
    assert!(client.is_closed());
}
