//! Error lines of real logs: read on, through renamed files, bounded, without secrets.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Desk, key};
use crate::deployment::Environment;
use crate::deployment::ops::{ReadSignatures, ReadSignaturesOutput};

const RELEASE: &str = "1.0.0-x";

/// A release with a log, as `start-service` leaves it.
fn log(desk: &Desk) -> PathBuf {
    let folder = desk.state().join("deploy/production/releases").join(RELEASE);
    fs::create_dir_all(&folder).unwrap();
    let release = json!({
        "environment": "production", "version": "1.0.0", "name": RELEASE, "binary": "app",
        "digest": orchestrator_core::path::Digest::of(b"").to_string(), "argv": [],
        "env": { "KEY": { "secret": "API" } }, "health": {}, "start_timeout": 1.0, "order": "x",
    });
    fs::write(folder.join("release.json"), release.to_string()).unwrap();
    folder.join("service.log")
}

fn add(path: &PathBuf, text: &str) {
    fs::OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn read(
    desk: &Desk,
    from: Option<&ReadSignaturesOutput>,
    watch: Value,
) -> Result<ReadSignaturesOutput, String> {
    let from = from.and_then(|before| before.next);
    let input = json!({ "environment": Environment::new("production").unwrap(), "release": RELEASE, "watch": watch, "from": from });
    desk.call(ReadSignatures, input, &key(1, 0, 0)).map(|output| serde_json::from_value(output).unwrap())
}

fn counts(output: &ReadSignaturesOutput) -> Vec<(&str, u64)> {
    output.signatures.seen.iter().map(|(signature, seen)| (signature.as_str(), seen.count)).collect()
}

#[test]
fn a_look_goes_on_where_the_last_one_ended() {
    let desk = Desk::new();
    let log = log(&desk);
    let first = read(&desk, None, json!({})).unwrap();
    assert_eq!((first.next, first.bytes), (None, 0), "there is no log yet");
    add(&log, "started\nerror: a 1\nerror: a 2\nerror: ha");
    let second = read(&desk, Some(&first), json!({})).unwrap();
    assert_eq!(counts(&second), [("error: a <number>", 2)]);
    add(&log, "lf a line, key s3cret\n");
    let third = read(&desk, Some(&second), json!({})).unwrap();
    assert_eq!(counts(&third), [("error: half a line, key ***", 1)]);
    assert_eq!(third.signatures.seen.values().next().unwrap().example, "error: half a line, key ***");
    let fourth = read(&desk, Some(&third), json!({})).unwrap();
    assert_eq!((counts(&fourth), fourth.bytes, fourth.next), (Vec::new(), 0, third.next));
}

#[test]
fn renamed_and_cut_logs_are_followed() {
    let desk = Desk::new();
    let log = log(&desk);
    let old = |age: u32| log.with_file_name(format!("service.log.{age}"));
    add(&log, "error: first\n");
    let seen = read(&desk, None, json!({})).unwrap();
    add(&log, "error: second\nerror: end of it");
    fs::rename(&log, old(2)).unwrap();
    add(&old(1), "error: third\n");
    add(&log, "error: fourth\n");
    let next = read(&desk, Some(&seen), json!({})).unwrap();
    let found: Vec<&str> = counts(&next).into_iter().map(|(signature, _)| signature).collect();
    assert_eq!(found, ["error: end of it", "error: fourth", "error: second", "error: third"]);
    assert_eq!(next.gaps, Vec::<String>::new());
    // What was read is gone, and what is there is all read.
    fs::remove_file(old(2)).unwrap();
    let gone = read(&desk, Some(&seen), json!({})).unwrap();
    assert_eq!(gone.gaps, ["the log that the last look read is gone: lines may be missing"]);
    assert_eq!(counts(&gone).len(), 2);
    fs::write(&log, "error: x\n").unwrap();
    let cut = read(&desk, Some(&next), json!({})).unwrap();
    assert_eq!(cut.gaps, ["the log was cut since the last look: lines may be missing"]);
    assert_eq!(counts(&cut), [("error: x", 1)]);
}

#[test]
fn a_huge_log_is_read_in_looks_and_a_huge_line_is_passed() {
    let desk = Desk::new();
    let log = log(&desk);
    let line = format!("error: {}\n", "x".repeat(20 << 20));
    add(&log, "error: before\n");
    let start = read(&desk, None, json!({})).unwrap();
    add(&log, &line);
    add(&log, "error: after\n");
    let mut last = start;
    let mut found = Vec::new();
    for _ in 0..3 {
        last = read(&desk, Some(&last), json!({})).unwrap();
        assert!(last.bytes <= 16 << 20, "{}", last.bytes);
        found.extend(
            counts(&last).into_iter().map(|(signature, _)| signature.chars().take(12).collect::<String>()),
        );
    }
    assert!(found.iter().any(|signature| signature == "error: after"), "{found:?}");
    // From the start, only the end is read, and it is said.
    let tail = read(&desk, None, json!({})).unwrap();
    assert!(tail.gaps[0].ends_with("bytes of the log were not read"), "{:?}", tail.gaps);
}

#[test]
fn another_file_may_be_watched_and_no_other_release() {
    let desk = Desk::new();
    let log = log(&desk);
    add(&log.with_file_name("app.log"), "E1 broke\n");
    let found = read(&desk, None, json!({ "file": "app.log", "patterns": ["^E"] })).unwrap();
    assert_eq!(counts(&found), [("E# broke", 1)]);
    for release in ["../../staging", "none", ""] {
        let input = json!({ "environment": "production", "release": release });
        let error = desk.call(ReadSignatures, input, &key(1, 0, 0)).unwrap_err();
        assert!(error.contains("has no release"), "{error}");
    }
}
