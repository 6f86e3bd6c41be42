//! Real requests over loopback.

mod common;

use common::{answer, call, connect, send, start};
use school::Config;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn health_and_version() {
    let school = start(Config::default());
    let (status, body) = call(school.address(), "GET", "/health?full", "");
    assert_eq!(status, 200);
    let body = body.strip_prefix(r#"{"status":"healthy","timestamp":"2"#).expect("its beginning");
    assert!(body.ends_with(&format!(r#"Z","version":"{}"}}"#, school::VERSION)), "{body}");
    let version = format!(r#"{{"name":"school","version":"{}"}}"#, school::VERSION);
    assert_eq!(call(school.address(), "GET", "/version", ""), (200, version));

    let school = start(Config { fail_health: true, ..Config::default() });
    let (status, body) = call(school.address(), "GET", "/health", "");
    assert_eq!(status, 503);
    assert!(body.starts_with(r#"{"status":"unhealthy","#), "{body}");
}

#[test]
fn students_come_and_go() {
    let school = start(Config::default());
    let call = |method, path, body| call(school.address(), method, path, body);
    let none = (200, r#"{"students":[]}"#.to_owned());
    let ada = r#"{"id":1,"name":"Ada \"A\" Lovelace","year":10}"#.to_owned();
    assert_eq!(call("GET", "/students", ""), none);
    let added = call("POST", "/students", r#"{"name":" Ada \"A\" Lovelace","year":10}"#);
    assert_eq!(added, (201, ada.clone()));
    assert_eq!(call("GET", "/students/1", ""), (200, ada.clone()));
    assert_eq!(call("GET", "/students", ""), (200, format!(r#"{{"students":[{ada}]}}"#)));
    assert_eq!(call("DELETE", "/students/1", ""), (204, String::new()));
    assert_eq!(call("DELETE", "/students/1", "").0, 404);
    assert_eq!(call("GET", "/students", ""), none);

    assert_eq!(call("POST", "/students", "{").0, 400);
    assert_eq!(call("POST", "/students", "").0, 400);
    for body in [r#"{"year":1}"#, r#"{"name":" ","year":1}"#, r#"{"name":"A","year":14}"#] {
        assert_eq!(call("POST", "/students", body).0, 422, "{body}");
    }
    assert_eq!(call("POST", "/students", r#"{"name":"A","year":1,"x":1}"#).0, 422);
}

#[test]
fn students_enrol() {
    let school = start(Config::default());
    let call = |method, path, body| call(school.address(), method, path, body);
    for id in 1..=3 {
        assert_eq!(call("POST", "/students", r#"{"name":"A","year":1}"#).0, 201, "{id}");
    }
    let enrolled = r#"{"course_id":3,"student_id":1,"enrolled":1}"#.to_owned();
    assert_eq!(call("POST", "/courses/3/enrol", r#"{"student_id":1}"#), (201, enrolled));
    assert_eq!(call("POST", "/courses/3/enrol", r#"{"student_id":1}"#).0, 409);
    assert_eq!(call("POST", "/courses/3/enrol", r#"{"student_id":2}"#).0, 201);
    assert_eq!(call("POST", "/courses/3/enrol", r#"{"student_id":3}"#).0, 409);
    assert_eq!(call("POST", "/courses/3/enrol", r#"{"student_id":-1}"#).0, 404);
    assert_eq!(call("POST", "/courses/9/enrol", r#"{"student_id":1}"#).0, 404);
    let course = r#"{"id":3,"title":"Music","capacity":2,"students":[1,2]}"#.to_owned();
    assert_eq!(call("GET", "/courses/3", ""), (200, course));
    assert!(call("GET", "/courses", "").1.starts_with(r#"{"courses":[{"id":1,"#));
}

#[test]
fn requests_are_counted() {
    let school = start(Config::default());
    assert_eq!(call(school.address(), "GET", "/", "").0, 200);
    assert_eq!(send(school.address(), b"nonsense\r\n\r\n").0, 400);
    let (status, text) = call(school.address(), "GET", "/metrics", "");
    assert_eq!(status, 200);
    assert!(text.contains("\nschool_requests_total 2\n"), "{text}");
    assert!(text.contains("\nschool_responses_total{status=\"400\"} 1\n"), "{text}");
}

#[test]
fn a_connection_serves_many_requests() {
    let school = start(Config::default());
    let mut stream = connect(school.address());
    let body = r#"{"name":"Ada","year":1}"#;
    let post = format!("POST /students HTTP/1.1\r\nHost: x\r\nContent-Length: {}", body.len());
    // Two at once, the second one's body only when it is asked for.
    let head = "HEAD /students/1 HTTP/1.1\r\nHost: x\r\n\r\n";
    write!(stream, "{post}\r\n\r\n{body}{post}\r\nExpect: 100-continue\r\n\r\n").unwrap();
    assert_eq!(answer(&mut stream).2, r#"{"id":1,"name":"Ada","year":1}"#);
    assert_eq!(answer(&mut stream).0, 100);
    write!(stream, "{body}\r\n{}Connection: close\r\n\r\n", &head[..head.len() - 2]).unwrap();
    assert_eq!(answer(&mut stream).2, r#"{"id":2,"name":"Ada","year":1}"#);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("the connection is closed");
    assert!(rest.contains("\r\nContent-Length: 30\r\nConnection: close\r\n"), "{rest}");
    assert!(rest.ends_with("\r\n\r\n"), "{rest}");
}

#[test]
fn oversized_and_malformed_requests_are_refused() {
    let school = start(Config::default());
    let address = school.address();
    let start = "POST /students HTTP/1.1\r\nHost: x\r\n";
    let large = format!("{start}X: {}\r\n\r\n", "y".repeat(100_000));
    assert_eq!(send(address, large.as_bytes()).0, 431);
    let large = format!("{start}Content-Length: 100000\r\n\r\n{}", "y".repeat(100_000));
    assert_eq!(send(address, large.as_bytes()).0, 413);
    for length in ["x", "-1", "1\r\nContent-Length: 1"] {
        let bytes = format!("{start}Content-Length: {length}\r\n\r\n");
        assert_eq!(send(address, bytes.as_bytes()).0, 400, "{length}");
    }
    let huge = format!("{start}Content-Length: 99999999999999999999999\r\n\r\n");
    assert_eq!(send(address, huge.as_bytes()).0, 413);
    assert_eq!(send(address, b"GET / HTTP/1.1\nHost: x\n\n").0, 400);
    assert_eq!(send(address, b"\x16\x03\x01\x00\xff\n").0, 400);
    assert_eq!(call(address, "GET", "/health", "").0, 200);
}

#[test]
fn slow_clients_do_not_wait_forever() {
    let school = start(Config { timeout: Duration::from_secs(1), ..Config::default() });
    let began = Instant::now();
    let open = |bytes: &str| {
        let mut stream = connect(school.address());
        stream.write_all(bytes.as_bytes()).expect("the bytes are taken");
        stream
    };
    let mut head = open("GET / HTTP/1.1\r\nHost");
    let mut body = open("POST /students HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{");
    let mut idle = open("");
    assert_eq!((answer(&mut head).0, answer(&mut body).0), (408, 408));
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).expect("an idle connection is closed without an answer");
    assert!(rest.is_empty());
    assert!((1..8).contains(&began.elapsed().as_secs()));
}

#[test]
fn connections_beyond_the_limit_are_turned_away() {
    let school = start(Config { max_connections: 1, ..Config::default() });
    let mut first = connect(school.address());
    first.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(answer(&mut first).0, 200);
    assert_eq!(call(school.address(), "GET", "/health", "").0, 503);
    drop(first);
    let deadline = Instant::now() + Duration::from_secs(5);
    while call(school.address(), "GET", "/health", "").0 != 200 {
        assert!(Instant::now() < deadline, "the first connection's place is free again");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_program_crashes_when_told_to() {
    let mut school = Command::new(env!("CARGO_BIN_EXE_school"))
        .envs([("PORT", "0"), ("SCHOOL_CRASH_AFTER", "2"), ("SCHOOL_SLOW_MS", "50")])
        .env_remove("SCHOOL_FAIL_HEALTH")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    BufReader::new(school.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit('/').next().unwrap().parse().expect("an address");
    let began = Instant::now();
    assert_eq!(call(address, "GET", "/health", "").0, 200);
    assert!(began.elapsed() >= Duration::from_millis(50));
    assert_eq!(call(address, "GET", "/nothing", "").0, 404);
    assert_eq!(school.wait().unwrap().code(), Some(70));
}
