//! Smoke tests that change something are sent once, whatever happens to the connection or to the program at its end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use super::super::super::proofs::Server;
use super::way::End;
use super::*;

/// Holds answers back until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let is_open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_timeout_while(is_open, Duration::from_mins(1), |is_open| !*is_open).unwrap());
    }
}

/// A server that adds students, and takes its time with the first.
fn server(gate: &Gate) -> Server {
    let gate = gate.clone();
    Server::new(move |asked, times| match asked.split(' ').next() {
        Some("POST") => {
            if times == 1 {
                gate.pass();
            }
            format!(r#"201 {{"id":{times}}}"#)
        }
        Some("DELETE") => "204 ".into(),
        _ => r#"200 {"name":"Ada"}"#.into(),
    })
}

fn tests(retries: u32) -> Value {
    json!([
        { "name": "before", "path": "/before" },
        { "name": "added", "method": "POST", "path": "/students", "body": { "name": "Ada" }, "save": { "student": "/id" },
            "expect": { "status": 201 }, "timeout": 60, "retries": retries },
        { "name": "shown", "path": "/students/{student}", "expect": { "json": { "/name": "Ada" } } },
        { "name": "gone", "method": "DELETE", "path": "/students/{student}", "expect": { "status": 204 } },
    ])
}

fn posts(server: &Server) -> usize {
    server.asked().iter().filter(|asked| asked.starts_with("POST")).count()
}

/// The connection goes while an answer is waited for: the end that was cut off hears it, and whoever asks again is told of it.
#[test]
fn an_answer_that_comes_after_a_cut_counts() {
    let near = Near::new();
    std::fs::create_dir_all(near.at("home/srv/shop")).unwrap();
    let gate = Gate::default();
    let server = server(&gate);
    let input = json!({ "url": server.url, "tests": tests(0) });
    let order = json!({ "key": key(2, 0, 0), "operation": "smoke-test", "input": input });
    let (mut cut_off, mut again) = (End::new(&near), End::new(&near));
    cut_off.say(&json!({ "call": { "order": order, "reads": false } }));
    eventually("the request", || posts(&server) == 1);
    cut_off.cut();
    again.say(&json!({ "already": { "order": order } }));
    std::thread::sleep(Duration::from_millis(200));
    gate.open();
    assert!(again.hear().get("not_done").is_some(), "the tests after it were not sent");
    again.say(&json!({ "call": { "order": order, "reads": false } }));
    let told = again.hear();
    assert_eq!((&told["output"]["passed"], &told["output"]["failed"]), (&json!(4), &json!(0)), "{told}");
    assert_eq!(
        server.asked(),
        ["GET /before", "POST /students {\"name\":\"Ada\"}", "GET /students/1", "DELETE /students/1"]
    );
    // The answer was cut off, too.
    again.say(&json!({ "already": { "order": order } }));
    let done = again.hear();
    assert_eq!((&done["was_done"]["passed"], server.asked().len()), (&json!(4), 4), "{done}");
    // Another order is another one.
    let order = json!({ "key": key(3, 0, 0), "operation": "smoke-test", "input": order["input"] });
    again.say(&json!({ "call": { "order": order, "reads": false } }));
    assert_eq!((&again.hear()["output"]["passed"], server.asked().len()), (&json!(4), 8));
}

/// Sends the tests through a program that is killed once while it waits for the answer to the first request that changes something.
fn killed(retries: u32) -> (Value, Vec<String>) {
    let near = Near::new();
    let desk = near.desk();
    let input = json!({ "host": near.host(), "environment": "production" });
    desk.call(ops::PrepareHost { program: Some(near.at("program")) }, input, &key(1, 0, 0)).unwrap();
    let gate = Gate::default();
    let server = server(&gate);
    let order = near.on("smoke-test", json!({ "url": server.url, "tests": tests(retries) }));
    let was_killed = AtomicBool::new(false);
    let told = std::thread::scope(|scope| {
        scope.spawn(|| {
            eventually("the request", || posts(&server) == 1);
            let programs = near.programs();
            was_killed.store(!programs.is_empty(), Ordering::SeqCst);
            for pid in programs {
                signal(pid, Signal::KILL);
            }
            eventually("its end", || near.programs().is_empty());
            gate.open();
        });
        desk.call(near.act(), order, &key(2, 0, 0)).unwrap()
    });
    assert!(was_killed.load(Ordering::SeqCst));
    (told, server.asked())
}

#[test]
fn what_nobody_knows_the_answer_to_is_not_sent_again() {
    let (told, asked) = killed(0);
    assert_eq!(asked, ["GET /before", "POST /students {\"name\":\"Ada\"}"]);
    assert_eq!((&told["passed"], &told["failed"]), (&json!(1), &json!(3)), "{told}");
    let problem = told["results"][1]["problems"][0].as_str().unwrap();
    assert!(problem.contains("its answer is not known"), "{problem}");
    assert_eq!(told["results"][1]["sent"], 1);
}

/// Who says that a wrong answer may be asked for again bears one request too many.
#[test]
fn what_may_be_asked_again_is() {
    let (told, asked) = killed(1);
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("POST")).count(), 2, "{asked:?}");
    assert_eq!((&told["passed"], &told["failed"]), (&json!(4), &json!(0)), "{told}");
    assert_eq!(
        (&told["results"][1]["sent"], told["results"][1]["earlier"].as_array().unwrap().len()),
        (&json!(2), 1)
    );
}
