//! Trouble on order, events, and what is sent back.

mod common;

use common::{answer, call, connect, start};
use school::Config;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

#[test]
fn requests_fail_on_order_and_health_does_not() {
    let school = start(Config { fail_percent: 50, ..Config::default() });
    let failed = (0..20).filter(|_| call(school.address(), "GET", "/courses", "").0 == 500).count();
    assert_eq!(failed, 10);
    assert!((0..20).all(|_| call(school.address(), "GET", "/health", "").0 == 200));
}

#[test]
fn health_turns_bad_on_order() {
    let after = Some(Duration::from_millis(300));
    let school = start(Config { unhealthy_after: after, ..Config::default() });
    assert_eq!(call(school.address(), "GET", "/health", "").0, 200);
    thread::sleep(Duration::from_millis(350));
    assert_eq!(call(school.address(), "GET", "/health", "").0, 503);
    assert_eq!(call(school.address(), "GET", "/courses", "").0, 200);
}

#[test]
fn events_come_one_by_one_and_name_the_version() {
    let pause = Duration::from_millis(10);
    let school = start(Config { events: 3, event_pause: pause, ..Config::default() });
    let mut stream = connect(school.address());
    stream.write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("it ends after three");
    assert!(said.contains("\r\nContent-Type: text/event-stream\r\n"), "{said}");
    assert_eq!(said.matches("\nevent: tick\ndata: {\"number\":").count(), 3, "{said}");
    assert!(said.contains(&format!("\"version\":\"{}\"", school::VERSION)), "{said}");
    let mut stream = connect(school.address());
    stream.write_all(b"HEAD /events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    said.clear();
    stream.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 200 OK\r\n") && said.ends_with("\r\n\r\n"), "{said}");
}

#[test]
fn an_upload_comes_back_as_it_was() {
    let school = start(Config::default());
    let sent: Vec<u8> = (0..500_000_u32).map(|number| (number % 251) as u8).collect();
    let mut stream = connect(school.address());
    let head = format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", sent.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&sent).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains(&format!("\r\nX-Version: {}\r\n", school::VERSION)), "{head}");
    let mut back = vec![0; sent.len()];
    stream.read_exact(&mut back).unwrap();
    assert!(back == sent);
    let large = "x".repeat(1024 * 1024 + 1);
    let mut stream = connect(school.address());
    let head = format!("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", large.len());
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(answer(&mut stream).0, 413);
}

#[test]
fn a_program_that_hangs_on_stop_must_be_killed() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_school"));
    program.envs([("PORT", "0"), ("SCHOOL_HANG_ON_STOP", "1")]).stdout(Stdio::piped());
    let mut school = program.spawn().expect("the program starts");
    let mut line = String::new();
    BufReader::new(school.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let id = school.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    thread::sleep(Duration::from_millis(200));
    assert!(school.try_wait().unwrap().is_none(), "it goes on");
    school.kill().unwrap();
    school.wait().unwrap();
}
