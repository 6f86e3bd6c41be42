//! Clients and versions that mean no good, or cannot help it: each has its time and its room, and others are served meanwhile.

use std::io::Read;
use std::sync::atomic::Ordering::SeqCst;
use std::thread;
use std::time::Duration;

use super::rig::{LONG, Rig, Version, until};
use crate::proxy::Limits;
use crate::proxy::record::End;

const SHORT: Duration = Duration::from_millis(150);

#[test]
fn a_head_that_takes_too_long_is_told_so() {
    let version = Version::named("fine");
    let rig = Rig::before_with(&version, Limits { head: SHORT, ..Limits::default() });
    // Byte by byte: that something comes is not enough.
    let mut slow = rig.client();
    for byte in b"GET / HTTP/1.1\r\nhost: x\r\nx-a: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
        if slow.send(&[*byte]).is_err() {
            break;
        }
        thread::sleep(Duration::from_millis(8));
    }
    assert_eq!(slow.answer().0, 408);
    assert!(slow.is_closed());
    // On a kept connection as well.
    let mut later = rig.client();
    assert_eq!(later.get("/").0, 200);
    later.send(b"GET /").unwrap();
    assert_eq!(later.answer().0, 408);
    // Who says nothing at all is closed without a word.
    assert!(rig.client().is_closed());
    until(|| rig.proxy.connections.load(SeqCst) == 0);
}

#[test]
fn idle_connections_are_closed() {
    let version = Version::named("fine");
    let rig = Rig::before_with(&version, Limits { idle: SHORT, ..Limits::default() });
    let mut client = rig.client();
    for _ in 0..3 {
        assert_eq!(client.get("/").0, 200);
        thread::sleep(Duration::from_millis(20));
    }
    assert!(client.is_closed());
}

#[test]
fn a_body_that_stops_is_given_up() {
    let version = Version::echo();
    let rig = Rig::before_with(&version, Limits { stall: SHORT, ..Limits::default() });
    for head in ["content-length: 10\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\na\r\nhalf"] {
        let mut client = rig.client();
        client.send(format!("POST / HTTP/1.1\r\nhost: x\r\n{head}").as_bytes()).unwrap();
        assert_eq!(client.answer().0, 408);
        assert!(client.is_closed());
    }
    // It is nobody's fault but the client's.
    assert_eq!(rig.counts("1").requests, 0);
}

#[test]
fn a_client_that_takes_nothing_is_given_up() {
    let version = Version::new(|mut client, _| {
        client.request()?;
        client.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![1; 1 << 20], b"\r\n"].concat();
        loop {
            client.send(&chunk)?;
        }
    });
    let rig = Rig::before_with(&version, Limits { stall: SHORT, ..Limits::default() });
    let mut client = rig.client();
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    client.head().unwrap();
    until(|| rig.status("1").in_flight == 0);
    assert_eq!(rig.told(1)[0].3, End::Left);
}

#[test]
fn bombs_of_headers_are_refused_before_all_of_them_came() {
    let version = Version::named("fine");
    let rig = Rig::before(&version);
    let head = b"GET / HTTP/1.1\r\nhost: x\r\n".as_slice();
    for (start, bomb) in [(head, b"a: b\r\n".as_slice()), (head, b"x-"), (b"", b"\r\n"), (b"", b"GET")] {
        let mut client = rig.client();
        client.send(start).unwrap();
        let mut sent = 0;
        let block = bomb.repeat(8192 / bomb.len());
        while sent < 8 << 20 && client.send(&block).is_ok() {
            sent += block.len();
        }
        assert!(sent < 8 << 20, "it took all of {sent} bytes");
    }
    assert_eq!(rig.client().get("/").0, 200);
    assert_eq!(rig.counts("1").requests, 1);
}

#[test]
fn slow_clients_hold_nobody_up() {
    let version = Version::named("fine");
    let rig = Rig::before(&version);
    let mut slow: Vec<_> = (0..200)
        .map(|_| {
            let mut client = rig.client();
            client.send(b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ").unwrap();
            client
        })
        .collect();
    let mut client = rig.client();
    for _ in 0..50 {
        assert_eq!(client.get("/").0, 200);
    }
    for client in &mut slow {
        client.send(b"b\r\n\r\n").unwrap();
        assert_eq!(client.answer().0, 200);
    }
}

#[test]
fn versions_that_speak_no_http_are_a_bad_gateway() {
    let long = [b"HTTP/1.1 200 OK\r\na: ".as_slice(), &vec![b'b'; 100 << 10], b"\r\n\r\n"].concat();
    for garbage in [
        b"hello\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00".to_vec(),
        b"HTTP/1.1 2x0 OK\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\na(b: c\r\ncontent-length: 0\r\n\r\n".to_vec(),
        b"HTTP/3.0 200 OK\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n".to_vec(),
        b"HTTP/1.1 200".to_vec(),
        Vec::new(),
        long,
    ] {
        let answer = garbage.clone();
        let version = Version::new(move |mut client, _| {
            client.request()?;
            client.send(&answer)
        });
        let rig = Rig::before(&version);
        let mut client = rig.client();
        assert_eq!(client.get("/").0, 502, "{}", garbage[..garbage.len().min(60)].escape_ascii());
        let counts = rig.counts("1");
        assert_eq!((counts.requests, counts.errors, counts.gateway), (1, 1, 1));
        // It is between the proxy and the version: the client goes on.
        assert_eq!(client.get("/").0, 502);
    }
}

#[test]
fn versions_that_hang_are_a_gateway_timeout() {
    let version = Version::new(|mut client, number| {
        client.request()?;
        if number == 1 {
            client.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab")?;
        }
        client.stream.read_to_end(&mut Vec::new()).map(drop)
    });
    let rig = Rig::before_with(&version, Limits { answer: SHORT, silence: SHORT, ..Limits::default() });
    let mut client = rig.client();
    assert_eq!(client.get("/").0, 504);
    assert_eq!((rig.counts("1").errors, rig.counts("1").gateway), (1, 1));
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    client.upto(b"ab").unwrap();
    assert!(client.is_closed());
    assert_eq!(rig.told(2)[1].3, End::Broken);
}

#[test]
fn a_version_that_takes_no_body_is_given_up() {
    let version = Version::new(|mut client, _| {
        client.head()?;
        thread::sleep(LONG);
        Ok(())
    });
    let rig = Rig::before_with(&version, Limits { stall: SHORT, answer: SHORT, ..Limits::default() });
    let mut client = rig.client();
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n").unwrap();
    let block = vec![0; 1 << 20];
    while client.send(&block).is_ok() && rig.counts("1").errors == 0 {}
    until(|| rig.counts("1").gateway == 1);
    assert_eq!(rig.told(1)[0].1, 504);
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let version = Version::echo();
    let rig = Rig::before_with(&version, Limits { body_bytes: Some(100), ..Limits::default() });
    let mut client = rig.client();
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 101\r\n\r\n").unwrap();
    assert_eq!(client.answer().0, 413);
    let mut client = rig.client();
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n64\r\n").unwrap();
    client.send(&[b'a'; 100]).unwrap();
    client.send(b"\r\n1\r\n").unwrap();
    assert_eq!(client.answer().0, 413);
}

#[test]
fn a_drain_cuts_a_client_that_takes_nothing() {
    let endless = Version::new(|mut client, _| {
        client.request()?;
        client.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let chunk = [format!("{:x}\r\n", 1 << 20).as_bytes(), &vec![1; 1 << 20], b"\r\n"].concat();
        loop {
            client.send(&chunk)?;
        }
    });
    let (fine, rig) = (Version::named("fine"), Rig::before(&endless));
    let mut client = rig.client();
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    client.head().unwrap();
    // Until all room between is filled.
    thread::sleep(Duration::from_millis(300));
    rig.apply(&[("2", &fine, 1)], Duration::from_millis(50));
    until(|| rig.status("1").drain.unwrap().took_ms.is_some());
    assert_eq!(rig.status("1").drain.unwrap().cuts, 1);
}

#[test]
fn requests_that_clients_gave_up_waiting_for_count() {
    let version = Version::new(|mut client, _| {
        client.head()?;
        client.stream.read_to_end(&mut Vec::new()).map(drop)
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    until(|| rig.status("1").in_flight == 1);
    thread::sleep(SHORT);
    drop(client);
    until(|| rig.counts("1").requests == 1);
    let counts = rig.counts("1");
    assert_eq!((counts.errors, counts.gateway), (0, 0));
    assert!(counts.latency.len() == 1 && counts.latency[0].0 >= 150_000, "{counts:?}");
}
