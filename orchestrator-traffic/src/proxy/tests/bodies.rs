//! Bodies: both ways at once, as they come, as fast as the slower side, whole or known not to be.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::rig::{Rig, Version, until, value};
use crate::proxy::record::End;

#[test]
fn large_bodies_go_both_ways_unchanged() {
    let version = Version::answering(|_, body| {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        answer
    });
    let rig = Rig::before(&version);
    let body: Vec<u8> = (0..5_000_003u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut client = rig.client();
    client
        .send(format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len()).as_bytes())
        .unwrap();
    client.send(&body).unwrap();
    let head = client.head().unwrap().unwrap();
    assert!(client.body(&head).unwrap() == body);
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    for chunk in body.chunks(70_001) {
        client.send(format!("{:x}\r\n", chunk.len()).as_bytes()).unwrap();
        client.send(chunk).unwrap();
        client.send(b"\r\n").unwrap();
    }
    client.send(b"0\r\n\r\n").unwrap();
    let head = client.head().unwrap().unwrap();
    assert!(client.body(&head).unwrap() == body);
}

/// Which methods have one is nobody's business on the way.
#[test]
fn a_body_of_unknown_length_goes_on_whatever_the_method_is() {
    let version = Version::echo();
    let rig = Rig::before(&version);
    let mut client = rig.client();
    for method in ["GET", "DELETE", "POST", "OPTIONS"] {
        let head = format!("{method} /_search HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
        client.send(head.as_bytes()).unwrap();
        client.send(b"2\r\nhi\r\n0\r\n\r\n").unwrap();
        let (status, _, text) = client.answer();
        assert!(status == 200 && text.ends_with("\r\n\r\nhi"), "{method}: {text}");
    }
}

/// What some clients send after a body is no request, and no reason to end the connection sooner.
#[test]
fn a_blank_line_after_a_body_keeps_the_connection() {
    let version = Version::echo();
    let rig = Rig::before(&version);
    let mut client = rig.client();
    for _ in 0..2 {
        client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi\r\n").unwrap();
        let (status, _, text) = client.answer();
        assert!(status == 200 && text.ends_with("hi"), "{text}");
        // Long enough to be put aside.
        std::thread::sleep(Duration::from_millis(1_500));
    }
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    assert_eq!(client.answer().0, 200);
}

#[test]
fn events_come_as_they_are_said() {
    let (say, said) = mpsc::channel::<&'static str>();
    let said = std::sync::Mutex::new(said);
    let version = Version::new(move |mut client, _| {
        client.request()?;
        client.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
        )?;
        for event in said.lock().unwrap().iter() {
            client.send(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        }
        client.send(b"0\r\n\r\n")
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.send(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let head = client.head().unwrap().unwrap();
    assert_eq!(value(&head, "content-type"), Some("text/event-stream"));
    // Each is there before the next is said.
    for event in ["data: 1\n\n", "data: 2\n\n", "data: 3\n\n"] {
        say.send(event).unwrap();
        assert!(client.upto(b"\n\n\r\n").unwrap().unwrap().ends_with(format!("{event}\r\n").as_bytes()));
    }
    drop(say);
    assert_eq!(client.upto(b"0\r\n\r\n").unwrap().unwrap(), b"0\r\n\r\n");
}

#[test]
fn an_upload_arrives_while_it_is_sent() {
    let version = Version::new(|mut client, _| {
        let head = client.head()?.unwrap();
        assert_eq!(value(&head, "transfer-encoding"), Some("chunked"));
        client.upto(b"first")?;
        client.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\ngot\r\n")?;
        client.upto(b"second")?;
        client.upto(b"0\r\n\r\n")?;
        client.send(b"4\r\nboth\r\n0\r\n\r\n")
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n").unwrap();
    client.upto(b"got").unwrap();
    client.send(b"6\r\nsecond\r\n0\r\n\r\n").unwrap();
    client.upto(b"both").unwrap();
}

#[test]
fn a_client_that_does_not_read_holds_the_version_back() {
    const ALL: u64 = 256 << 20;
    let sent = Arc::<AtomicU64>::default();
    let version = Version::new({
        let sent = Arc::clone(&sent);
        move |mut client, _| {
            client.request()?;
            client.send(format!("HTTP/1.1 200 OK\r\ncontent-length: {ALL}\r\n\r\n").as_bytes())?;
            let block = vec![7; 1 << 20];
            while sent.load(SeqCst) < ALL {
                client.stream.write_all(&block)?;
                sent.fetch_add(block.len() as u64, SeqCst);
            }
            Ok(())
        }
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    client.head().unwrap();
    // It comes to rest far from the end: what lies on the way are buffers of the system and a few of the proxy.
    let last = AtomicU64::new(u64::MAX);
    until(|| {
        std::thread::sleep(Duration::from_millis(300));
        let now = sent.load(SeqCst);
        last.swap(now, SeqCst) == now
    });
    assert!(sent.load(SeqCst) < ALL / 4, "{}", sent.load(SeqCst));
    // And goes on when it reads.
    let mut space = vec![0; 1 << 20];
    let mut got = 0;
    while got < 128 << 20 {
        got += client.stream.read(&mut space).unwrap();
    }
}

#[test]
fn trailers_arrive() {
    let version = Version::new(|mut client, _| {
        let head = client.head()?.unwrap();
        assert_eq!(value(&head, "te"), Some("trailers"), "{head}");
        client.upto(b"\r\n0\r\n")?;
        let trailers = String::from_utf8(client.upto(b"\r\n\r\n")?.unwrap()).unwrap();
        client.send(b"HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n")?;
        client.send(format!("{:x}\r\n{trailers}\r\n0\r\nx-sum: 42\r\n\r\n", trailers.len()).as_bytes())
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client
        .send(
            b"POST / HTTP/1.1\r\nhost: x\r\nte: trailers\r\ntrailer: x-up\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nx-up: 7\r\n\r\n",
        )
        .unwrap();
    client.head().unwrap();
    let all = String::from_utf8(client.upto(b"x-sum: 42\r\n\r\n").unwrap().unwrap()).unwrap();
    assert!(all.contains("x-up: 7"), "{all}");
}

#[test]
fn an_answer_before_the_body_was_sent_is_passed_on() {
    let version = Version::new(|mut client, _| {
        client.head()?;
        client
            .send(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig")?;
        // It reads the rest, as a careful server does.
        let mut rest = Vec::new();
        client.stream.read_to_end(&mut rest).map(drop)
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nabc").unwrap();
    let (status, _, body) = client.answer();
    assert_eq!((status, body.as_str()), (413, "big"));
}

#[test]
fn an_answer_that_breaks_off_is_not_taken_for_whole() {
    let version = Version::new(|mut client, number| {
        client.request()?;
        match number {
            0 => client.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"),
            _ => client.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"),
        }
    });
    let rig = Rig::before(&version);
    for _ in 0..2 {
        let mut client = rig.client();
        client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        client.upto(b"half").unwrap();
        let mut rest = Vec::new();
        let _ = client.stream.read_to_end(&mut rest);
        assert!(!rest.ends_with(b"0\r\n\r\n"), "it looks whole");
    }
    let told = rig.told(2);
    assert!(told.iter().all(|told| told.1 == 200 && told.3 == End::Broken), "{told:?}");
    let counts = rig.counts("1");
    assert_eq!((counts.requests, counts.errors, counts.gateway), (2, 2, 0));
}

#[test]
fn a_client_that_goes_away_is_no_error_and_frees_the_version() {
    let gone = Arc::<AtomicU64>::default();
    let version = Version::new({
        let gone = Arc::clone(&gone);
        move |mut client, _| {
            client.request()?;
            // Nothing is answered; the end of the connection is awaited.
            let mut rest = Vec::new();
            let _ = client.stream.read_to_end(&mut rest);
            gone.fetch_add(1, SeqCst);
            Ok(())
        }
    });
    let rig = Rig::before(&version);
    let mut client = rig.client();
    client.send(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    until(|| rig.status("1").in_flight == 1);
    drop(client);
    until(|| gone.load(SeqCst) == 1 && rig.status("1").in_flight == 0);
    assert_eq!(rig.told(1)[0].3, End::Left);
    let counts = rig.counts("1");
    assert_eq!((counts.requests, counts.left, counts.errors), (1, 1, 0));
}
