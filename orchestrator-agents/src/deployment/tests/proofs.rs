//! Smoke tests against a server of a few lines: what is sent, what is saved, what is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use orchestrator_core::evidence::Severity;
use serde_json::{Value, json};

use super::{Desk, key};
use crate::deployment::ops::{SmokeOutput, SmokeResult, SmokeTests};

/// A server that answers by what it was asked; lives as long as the test's process.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(answer: impl Fn(&str, usize) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let into = Arc::clone(&asked);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let (mut line, mut length) = (String::new(), 0);
                reader.read_line(&mut line).unwrap();
                let mut asked = line.trim().trim_end_matches(" HTTP/1.1").to_owned();
                loop {
                    line.clear();
                    reader.read_line(&mut line).unwrap();
                    if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if line.to_lowercase().starts_with("transfer-encoding:") {
                        asked.push_str(" chunked");
                    }
                    if line.trim().is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                if length > 0 {
                    asked.push(' ');
                    asked.push_str(&String::from_utf8_lossy(&body));
                }
                let times = {
                    let mut all = into.lock().unwrap();
                    all.push(asked.clone());
                    all.iter().filter(|before| **before == asked).count()
                };
                let answer = answer(&asked, times);
                let (status, body) = answer.split_once(' ').unwrap();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn test(&self, desk: &Desk, tests: Value) -> Result<SmokeOutput, String> {
        let output = desk.call(SmokeTests, json!({ "url": self.url, "tests": tests }), &key(1, 0, 0))?;
        Ok(serde_json::from_value(output).unwrap())
    }
}

#[test]
fn what_one_test_saved_is_there_for_the_next() {
    let server = Server::new(|asked, _| match asked.split(' ').next() {
        Some("POST") => r#"201 {"id": 7, "slug": "a/b ?c"}"#.to_owned(),
        _ => r#"200 {"id": 7}"#.to_owned(),
    });
    let found = server
        .test(
            &Desk::new(),
            json!([
                { "name": "add", "method": "POST", "path": "/students", "body": { "name": "Ada" }, "expect": { "status": 201 }, "save": { "student": "/id", "slug": "/slug" } },
                { "name": "show", "path": "/students/{student}", "expect": { "json": { "/id": 7 } } },
                { "name": "by name", "path": "/by/{slug}?x={student}" },
                { "name": "enrol", "method": "POST", "path": "/enrol", "body": { "who": "{student}", "said": "is {slug}", "n": [1, "{slug}"] }, "expect": { "status": 201 } },
                { "name": "unknown", "path": "/{nobody}/x" },
                { "name": "cleanup", "method": "DELETE", "path": "/students/{student}" },
            ]),
        )
        .unwrap();
    assert_eq!((found.passed, found.failed), (5, 1), "{found:?}");
    assert_eq!(
        found.results[4].problems,
        ["{nobody} in its path is not known: the test that saves it did not get it"]
    );
    assert_eq!((found.results[4].sent, found.results[4].status), (0, None));
    assert_eq!(
        server.asked(),
        [
            r#"POST /students {"name":"Ada"}"#,
            "GET /students/7",
            "GET /by/a%2Fb%20%3Fc?x=7",
            r#"POST /enrol {"n":[1,"a/b ?c"],"said":"is a/b ?c","who":7}"#,
            "DELETE /students/7",
        ]
    );
}

#[test]
fn a_test_is_sent_as_often_as_it_says_and_another_try_is_told() {
    let server = Server::new(|asked, times| match asked {
        "GET /flaky" if times == 1 => "500 {}".to_owned(),
        "GET /third" if times == 3 => "500 {}".to_owned(),
        "GET /never" => "500 {}".to_owned(),
        _ => "200 {}".to_owned(),
    });
    let found = server
        .test(
            &Desk::new(),
            json!([
                { "name": "flaky", "path": "/flaky", "retries": 2 },
                { "name": "third", "path": "/third", "repeat": 5 },
                { "name": "five", "path": "/five", "repeat": 5, "expect": { "max_ms": 9000 } },
                { "name": "never", "path": "/never", "retries": 1 },
            ]),
        )
        .unwrap();
    let sent: Vec<u32> = found.results.iter().map(|result| result.sent).collect();
    assert_eq!((found.passed, sent), (2, vec![2, 3, 5, 2]), "{found:?}");
    let told: Vec<(String, Severity)> = found
        .results
        .iter()
        .flat_map(SmokeResult::findings)
        .map(|found| (found.message, found.severity))
        .collect();
    assert_eq!(
        told,
        [
            (
                "GET /flaky: it was asked 2 times; before, status 500 instead of 200".to_owned(),
                Severity::Warning
            ),
            ("GET /third: status 500 instead of 200".to_owned(), Severity::Error),
            ("GET /never: status 500 instead of 200".to_owned(), Severity::Error),
            (
                "GET /never: it was asked 2 times; before, status 500 instead of 200".to_owned(),
                Severity::Warning
            ),
        ]
    );
}

#[test]
fn a_schema_may_lie_in_the_checkout_and_nowhere_else() {
    let server = Server::new(|_, _| r#"200 {"id": "x"}"#.to_owned());
    let desk = Desk::new();
    let schema = json!({ "type": "object", "properties": { "id": { "type": "integer" } } });
    std::fs::write(desk.folder.path().join("student.json"), schema.to_string()).unwrap();
    let with = |file: &str| json!([{ "name": "x", "path": "/", "expect": { "schema_file": file } }]);
    let found = server.test(&desk, with("student.json")).unwrap();
    assert!(found.results[0].problems[0].starts_with("/id breaks the schema: "), "{found:?}");
    std::os::unix::fs::symlink("/etc/hostname", desk.folder.path().join("link.json")).unwrap();
    std::fs::write(desk.folder.path().join("no.json"), "{").unwrap();
    std::fs::write(desk.folder.path().join("remote.json"), r#"{"$ref": "http://127.0.0.1:1/x"}"#).unwrap();
    for (file, error) in [
        ("absent.json", "smoke test `x`: `absent.json` could not be read"),
        ("link.json", "leads out of the checkout"),
        ("no.json", "is no JSON"),
        ("remote.json", "no JSON Schema that can be used"),
        (".", "is no file"),
    ] {
        let said = server.test(&desk, with(file)).unwrap_err();
        assert!(said.contains(error), "{file}: {said}");
    }
    assert_eq!(server.asked().len(), 1, "nothing is sent where a test cannot be judged");
}

#[test]
fn a_request_without_a_body_has_none() {
    let server = Server::new(|_, _| "200 {}".to_owned());
    let methods = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
    let tests: Vec<Value> = methods
        .iter()
        .map(|method| json!({ "name": method, "method": method, "path": "/", "timeout": 5 }))
        .collect();
    server.test(&Desk::new(), tests.into()).unwrap();
    assert_eq!(server.asked(), methods.map(|method| format!("{method} /")));
}
