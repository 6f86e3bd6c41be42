//! Smoke tests against a server of a few lines: what is sent, what is saved, what is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use orchestrator_core::evidence::Severity;
use serde_json::{Value, json};

use super::{Already, Desk, key};
use crate::deployment::ops::{CheckHealth, Observe, SmokeOutput, SmokeResult, SmokeTests};

/// A server that answers by what it was asked; lives as long as the test's process.
pub(super) struct Server {
    pub(super) url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(super) fn new(answer: impl Fn(&str, usize) -> String + Send + 'static) -> Self {
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
                    if let Some(value) = line.strip_prefix("authorization: ") {
                        asked.push_str(" as ");
                        asked.push_str(value.trim());
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

    pub(super) fn asked(&self) -> Vec<String> {
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
fn a_saved_text_of_digits_stays_a_text() {
    let server = Server::new(|_, _| r#"200 {"code":"007","whole":7,"part":0.5}"#.to_owned());
    let saves = json!({ "code": "/code", "whole": "/whole", "part": "/part" });
    let body =
        json!({ "code": "{code}", "whole": "{whole}", "part": "{part}", "all": "{code} {whole} {part}" });
    let found = server
        .test(
            &Desk::new(),
            json!([
                { "name": "get", "path": "/get", "save": saves },
                { "name": "send", "method": "POST", "path": "/{code}/{whole}", "body": body, "expect": { "status": 200 } },
            ]),
        )
        .unwrap();
    assert_eq!(found.failed, 0, "{found:?}");
    let sent = r#"POST /007/7 {"all":"007 7 0.5","code":"007","part":0.5,"whole":7}"#;
    assert_eq!(server.asked(), ["GET /get", sent]);
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

#[test]
fn a_last_probe_that_had_no_time_left_does_not_hide_what_was_answered() {
    let server = Server::new(|_, times| {
        if times > 2 {
            thread::sleep(Duration::from_secs(30));
        }
        r#"503 {"status":"no database"}"#.to_owned()
    });
    let health = json!({ "timeout": 1, "request_timeout": 5 });
    let input = json!({ "url": server.url, "health": health });
    let error = Desk::new().call(CheckHealth, input, &key(1, 0, 0)).unwrap_err();
    assert!(error.contains("(3 probes)") && error.contains("503"), "{error}");
    // One that never answers is said not to.
    let silent = Server::new(|_, _| {
        thread::sleep(Duration::from_secs(30));
        String::new()
    });
    let input = json!({ "url": silent.url, "health": health });
    let error = Desk::new().call(CheckHealth, input, &key(1, 0, 0)).unwrap_err();
    assert!(error.contains("(1 probes)") && error.contains("timeout"), "{error}");
}

/// As pages do that tell of an error with the headers of the request: whole, as JSON, and cut where it is told.
#[test]
fn a_secret_that_an_answer_repeats_stands_nowhere() {
    let server = Server::new(|asked, _| {
        let said = asked.split_once(" as ").map_or("", |(_, said)| said);
        let room = if asked.starts_with("GET /cut") { 195 } else { 0 };
        format!("200 {}", json!({ "page": format!("{}{said}", "x".repeat(room)) }))
    });
    let mut desk = Desk::new();
    desk.secrets.insert("KEY".into(), "Bearer s3cret\"key".into());
    let test = |name: &str, retries: u32| {
        json!({ "name": name, "path": format!("/{name}"), "headers": { "authorization": { "secret": "KEY" } },
            "retries": retries, "expect": { "json": { "/page": "right" }, "schema": { "required": ["body"] } } })
    };
    let found = server.test(&desk, json!([test("whole", 1), test("cut", 0)])).unwrap();
    assert!(server.asked().iter().all(|asked| asked.ends_with(" as Bearer s3cret\"key")), "it was sent");
    let whole = [
        "/page is \"***\" instead of \"right\"",
        "the document breaks the schema: \"body\" is a required property",
    ];
    assert_eq!(
        (&found.results[0].problems, &found.results[0].earlier),
        (&whole.map(String::from).to_vec(), &whole.map(String::from).to_vec())
    );
    assert_eq!(
        found.results[1].problems[0],
        format!("/page is \"{}***… instead of \"right\"", "x".repeat(195))
    );
    // A probe is told too, and kept in the recording.
    let look = json!({
        "new": { "environment": "production", "release": "new" }, "url": server.url, "look": 0,
        "probes": [test("whole", 0)],
    });
    let seen = desk.call(Observe, look, &key(1, 1, 0)).unwrap().to_string();
    let kept = std::fs::read_to_string(desk.state().join("deploy/production/watch/new.jsonl")).unwrap();
    assert!(seen.contains("***") && kept.contains("***"), "{seen}");
    assert!(!seen.contains("s3cret") && !kept.contains("s3cret"), "{seen}");
}

/// Until nobody may ask any more, in a file of its own; what the answers gave for other tests is not left in it.
#[test]
fn what_came_of_tests_that_change_something_is_remembered_for_their_order() {
    let server = Server::new(|asked, _| match asked.split(' ').next() {
        Some("POST") => r#"201 {"token":"t0ken"}"#.into(),
        _ => "200 {}".into(),
    });
    let desk = Desk::new();
    let reads = json!({ "url": server.url, "tests": [{ "name": "a", "path": "/a" }] });
    desk.call(SmokeTests, reads.clone(), &key(1, 0, 0)).unwrap();
    assert_eq!(desk.already(SmokeTests, reads, &key(1, 0, 0)), Already::NotDone);
    assert!(!desk.state().join("smoke").exists());
    let changes = json!({ "url": server.url, "tests": [
        { "name": "in", "method": "POST", "path": "/in", "save": { "token": "/token" }, "expect": { "status": 201 } },
        { "name": "b", "path": "/b/{token}" },
    ] });
    assert_eq!(desk.already(SmokeTests, changes.clone(), &key(1, 0, 1)), Already::NotDone);
    let output = desk.call(SmokeTests, changes.clone(), &key(1, 0, 1)).unwrap();
    assert_eq!(server.asked(), ["GET /a", "POST /in", "GET /b/t0ken"]);
    let Already::Done(done) = desk.already(SmokeTests, changes.clone(), &key(1, 0, 1)) else { panic!() };
    assert_eq!(serde_json::to_value(done).unwrap(), output);
    assert_eq!(desk.call(SmokeTests, changes.clone(), &key(1, 0, 1)).unwrap(), output);
    assert_eq!(server.asked().len(), 3, "nothing is sent again");
    let files: Vec<_> = std::fs::read_dir(desk.state().join("smoke")).unwrap().flatten().collect();
    assert_eq!(files.len(), 1);
    let (mode, text) = (
        files[0].metadata().unwrap().permissions().mode(),
        std::fs::read_to_string(files[0].path()).unwrap(),
    );
    assert_eq!(mode & 0o777, 0o600);
    assert!(!text.contains("t0ken"), "{text}");
    desk.call(SmokeTests, changes, &key(1, 1, 0)).unwrap();
    assert_eq!(server.asked().len(), 5, "another order is another one");
}

/// The process dies at any byte of what it writes down: a request that changes something goes out once.
#[test]
fn a_memory_that_is_cut_off_anywhere_sends_nothing_twice() {
    let tests = json!([
        { "name": "one", "method": "POST", "path": "/one", "save": { "id": "/id" } },
        { "name": "look", "path": "/look/{id}" },
        { "name": "two", "method": "DELETE", "path": "/two/{id}", "repeat": 2 },
    ]);
    let written = {
        let (desk, server) = (Desk::new(), Server::new(|_, _| r#"200 {"id":7}"#.into()));
        let state = desk.state();
        std::fs::create_dir_all(state.join("smoke")).unwrap();
        // The last step, which replaces the file, fails.
        let name = format!("{}-deploy-1.0.0", key(1, 0, 0).run);
        std::fs::create_dir_all(state.join(format!("smoke/{name}.fresh/x"))).unwrap();
        server.test(&desk, tests.clone()).unwrap_err();
        std::fs::read(state.join(format!("smoke/{name}.jsonl"))).unwrap()
    };
    let lines = written.split_inclusive(|byte| *byte == b'\n').count();
    assert_eq!(lines, 7, "{}", String::from_utf8_lossy(&written));
    let mut ends: Vec<usize> = (0..=written.len()).step_by(37).collect();
    ends.extend((0..written.len()).filter(|at| written[*at] == b'\n').flat_map(|at| [at, at + 1]));
    for end in ends {
        let (desk, server) = (Desk::new(), Server::new(|_, _| r#"200 {"id":7}"#.into()));
        let folder = desk.state().join("smoke");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{}-deploy-1.0.0.jsonl", key(1, 0, 0).run)), &written[..end])
            .unwrap();
        let text = String::from_utf8_lossy(&written[..end]);
        let known: Vec<&str> = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).collect();
        let sent = known.iter().filter(|line| line.contains("\"sends\"")).count();
        let output = server.test(&desk, tests.clone()).unwrap();
        let changed = server.asked().iter().filter(|asked| !asked.starts_with("GET")).count();
        assert!(sent + changed <= 3, "{end}: {sent} known, {:?} sent", server.asked());
        let unknown = known.last().is_some_and(|line| line.contains("\"sends\""));
        assert_eq!(output.failed > 0, unknown, "{end}: {output:?}");
    }
}
