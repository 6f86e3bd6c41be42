//! Section 9: connections that are kept, requests in a row, and ends.

use super::super::rig::{Rig, Version, ok, value};

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let version = Version::answering(|head, body| {
        let path = head.split(' ').nth(1).unwrap().to_owned();
        if path == "/slow" {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        ok(&(path + &String::from_utf8_lossy(body)))
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client
        .send(
            b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nPOST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc\
              POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ndef\r\n0\r\n\r\nGET /d HTTP/1.1\r\nHost: x\r\n\r\n",
        )
        .unwrap();
    for expected in ["/slow", "/babc", "/cdef", "/d"] {
        assert_eq!(client.answer().2, expected);
    }
}

#[test]
fn a_bad_request_in_a_row_is_refused_after_the_answers_to_those_before_it() {
    let version = Version::named("fine");
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client
        .send(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\nGET /c HTTP/1.1\r\nHost : x\r\n\r\nGET /d HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    let statuses: Vec<u16> = (0..3).map(|_| client.answer().0).collect();
    assert_eq!(statuses, [200, 200, 400]);
    assert!(client.is_closed());
    assert_eq!(rig.counts("1").requests, 2);
}

#[test]
fn whoever_says_close_is_closed() {
    let version = Version::named("fine");
    let rig = Rig::before(&version);
    for (bytes, kept) in [
        (&b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"[..], false),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: x, Close\r\n\r\n", false),
        (b"GET / HTTP/1.0\r\n\r\n", false),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true),
    ] {
        let mut client = rig.client();
        client.send(bytes).unwrap();
        let (status, head, _) = client.answer();
        assert_eq!(status, 200);
        if kept {
            assert_eq!(client.get("/").0, 200, "{head}");
        } else {
            assert!(client.is_closed(), "{head}");
        }
    }
}

#[test]
fn what_a_version_says_of_its_connection_is_not_for_the_client() {
    let version = Version::new(|mut client, _| {
        client.request()?;
        client.send(b"HTTP/1.1 200 OK\r\nconnection: close, x-hop\r\nx-hop: 1\r\nkeep-alive: timeout=5\r\nx-stays: 1\r\ncontent-length: 2\r\n\r\nhi")
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    for _ in 0..3 {
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let (status, head, body) = client.answer();
        assert_eq!((status, body.as_str()), (200, "hi"));
        assert!(value(&head, "connection").is_none() && value(&head, "x-hop").is_none(), "{head}");
        assert!(value(&head, "keep-alive").is_none() && value(&head, "x-stays").is_some(), "{head}");
    }
    assert_eq!(rig.counts("1").errors, 0);
    assert_eq!(version.connections(), 3);
}

#[test]
fn a_client_that_is_refused_reads_its_answer_though_it_still_sends() {
    let version = Version::named("fine");
    let rig = Rig::before(&version);
    let mut client = rig.client();
    // Section 9.6: were the connection closed at once, what is still on its way would reset it, and the answer would be lost.
    client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n").unwrap();
    for _ in 0..20 {
        client.send(&[b'x'; 4096]).unwrap();
    }
    assert_eq!(client.answer().0, 400);
    assert!(client.is_closed());
}
