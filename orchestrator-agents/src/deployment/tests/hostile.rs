//! Answers that want to do harm: each ends in time, within bounds, as a problem that is told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use orchestrator_core::stop::StopLevel;

use super::*;
use crate::deployment::ops::{CheckHealth, SmokeTests};

/// Answers every connection with `answer`; gives its address.
fn serve(answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = std::sync::Arc::new(answer);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request);
                let _ = answer(&mut stream);
            });
        }
    });
    url
}

#[expect(clippy::unnecessary_wraps, reason = "it is an answer")]
fn slowly(ms: u64) -> std::io::Result<()> {
    std::thread::sleep(Duration::from_millis(ms));
    Ok(())
}

fn health(url: &str, seconds: u32) -> Result<Value, String> {
    let request = 0.4 * f64::from(seconds);
    let input = json!({ "url": url, "health": { "timeout": seconds, "request_timeout": request, "json": { "/status": "healthy" } } });
    Desk::new().call(CheckHealth, input, &key(1, 0, 0))
}

fn unhealthy(url: &str, said: &str) {
    // A machine that has much else to do gets more time to find out.
    let mut seen = Vec::new();
    for seconds in [1, 5, 20] {
        let error = health(url, seconds).unwrap_err();
        assert!(error.contains(&format!("was not healthy within {seconds} s")), "{error}");
        assert!(error.len() < 1000, "{} characters", error.len());
        if error.contains(said) {
            return;
        }
        seen.push(error);
    }
    panic!("`{said}` is never said: {seen:?}");
}

#[test]
fn an_endless_body_is_cut() {
    let url = serve(|stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
        loop {
            stream.write_all(&[b'x'; 8192])?;
        }
    });
    let test = json!({ "name": "endless", "path": "/", "timeout": 5, "expect": { "contains": "needle" } });
    let output = Desk::new().call(SmokeTests, json!({ "url": url, "tests": [test] }), &key(1, 0, 0)).unwrap();
    assert_eq!(
        output["results"][0]["problems"],
        json!(["the body does not hold `needle` in its first bytes"])
    );
    unhealthy(&url, "the body is longer than 1048576 bytes");
}

#[test]
fn a_dripping_body_and_dripping_headers_run_out_of_time() {
    let drip = |start: &'static str| {
        serve(move |stream| {
            stream.write_all(start.as_bytes())?;
            loop {
                stream.write_all(b"x")?;
                std::thread::sleep(Duration::from_millis(30));
            }
        })
    };
    unhealthy(&drip("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"), "timeout");
    unhealthy(&drip("HTTP/1.1 200 OK\r\nx: "), "timeout");
    unhealthy(&serve(|_| slowly(3000)), "timeout");
}

#[test]
fn garbage_and_huge_headers_are_refused() {
    unhealthy(&serve(|stream| stream.write_all(&[0, 159, 146, 150].repeat(5000))), "");
    unhealthy(&serve(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nx")), "");
    unhealthy(&serve(|_| Ok(())), "");
    unhealthy(
        &serve(|stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            (0..100_000).try_for_each(|n| write!(stream, "x-{n}: {}\r\n", "y".repeat(100)))
        }),
        "",
    );
    let json = format!("HTTP/1.1 200 OK\r\n\r\n{{\"status\": \"{}\"}}", "é".repeat(200_000));
    unhealthy(&serve(move |stream| stream.write_all(json.as_bytes())), "…");
    let deep = format!("HTTP/1.1 200 OK\r\n\r\n{}", "[".repeat(500_000));
    unhealthy(&serve(move |stream| stream.write_all(deep.as_bytes())), "the body is no JSON");
}

#[test]
fn redirects_are_answers_and_not_followed() {
    let answer = b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let url = serve(move |stream| stream.write_all(answer));
    unhealthy(&url, "status 302 instead of 200");
    let test = json!({ "name": "moved", "path": "/", "expect": { "status": 302 } });
    let output = Desk::new().call(SmokeTests, json!({ "url": url, "tests": [test] }), &key(1, 0, 0)).unwrap();
    assert_eq!(output["passed"], 1, "{output}");
}

#[test]
fn headers_that_would_smuggle_a_request_are_not_sent() {
    let url = serve(|stream| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    let test = json!({ "name": "x", "path": "/", "headers": { "x": "a\r\nhost: b" } });
    let output = Desk::new().call(SmokeTests, json!({ "url": url, "tests": [test] }), &key(1, 0, 0)).unwrap();
    assert_eq!((&output["failed"], &output["results"][0]["status"]), (&json!(1), &Value::Null), "{output}");
}

#[test]
fn a_stop_does_not_wait_for_an_answer() {
    let desk = Desk::new();
    let (stop, asked) = (desk.stop.clone(), std::sync::atomic::AtomicBool::new(false));
    let url = serve(move |_| {
        if !asked.swap(true, std::sync::atomic::Ordering::SeqCst) {
            stop.raise(StopLevel::Graceful);
        }
        slowly(500)
    });
    let input = json!({ "url": url, "health": { "timeout": 600, "request_timeout": 2 } });
    assert_eq!(desk.call(CheckHealth, input, &key(1, 0, 0)).unwrap_err(), "stopped on request");
}
