//! Error lines of real logs: read on, through renamed files, bounded, without secrets.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Desk, alive, eventually, key, start};
use crate::deployment::ops::{CheckHealth, Promote, ReadSignatures, ReadSignaturesOutput, StartService};
use crate::deployment::{Environment, Fresh};

const RELEASE: &str = "1.0.0-x";
const BEFORE: &str = "0.9.0-x";

fn log(desk: &Desk) -> PathBuf {
    log_of(desk, RELEASE)
}

/// A release with a log, as `start-service` leaves it.
fn log_of(desk: &Desk, name: &str) -> PathBuf {
    let folder = desk.state().join("deploy/production/releases").join(name);
    fs::create_dir_all(&folder).unwrap();
    let release = json!({
        "environment": "production", "version": "1.0.0", "name": name, "binary": "app",
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
fn secrets_are_hidden_however_a_line_writes_them() {
    let mut desk = Desk::new();
    desk.secrets.insert("API".into(), "a&b-secret".into());
    let log = log(&desk);
    let lines = [
        r#"{"level":"error","msg":"\u0061&b-\u0073ecret","more":["\u0061&b-secret"]}"#,
        r#"{"level":"error","msg":"a\u0026b-secret"}"#,
        "error: a&b\x1b[31m-sec\x1b[0mret",
    ];
    add(&log, &format!("{}\n", lines.join("\n")));
    let found = read(&desk, None, json!({})).unwrap();
    assert_eq!(counts(&found), [("***", 2), ("error: ***", 1)]);
    let told = serde_json::to_string(&found).unwrap();
    assert!(!told.contains("secret") && !told.contains("ecret"), "{told}");
}

/// A process that was not given a secret of a release cannot hide it: it shows nothing of its log.
#[test]
fn a_log_with_a_secret_that_is_not_known_is_not_shown() {
    let mut desk = Desk::new();
    let mut input = start("0.1.0", "");
    input["env"]["TOKEN"] = json!({ "secret": "API" });
    let started = desk.call(StartService::default(), input, &key(1, 0, 0)).unwrap();
    let release = started["release"].as_str().unwrap();
    let at = json!({ "environment": "production", "release": release });
    let log = desk.state().join("deploy/production/releases").join(release).join("service.log");
    add(&log, "error: s3cret is wrong\nerror: s3cret is wrong\nfatal: s3cret\n");
    super::supervised::kill(started["process"]["pid"].as_u64().unwrap() as u32);
    eventually("its end", || !alive(started["process"]["pid"].as_u64().unwrap()));
    desk.secrets.clear();
    let why = "secret `API` is not known here";
    let read = desk.call(ReadSignatures, at.clone(), &key(1, 1, 0)).unwrap();
    let seen = read["signatures"]["seen"].as_object().unwrap();
    let counts: u64 = seen.values().map(|seen| seen["count"].as_u64().unwrap()).sum();
    assert_eq!((seen.len(), counts), (2, 3), "{read}");
    assert!(seen.values().all(|seen| seen["example"] == format!("(not shown: {why})")), "{read}");
    let promoted = desk.call(Promote, at, &key(1, 2, 0)).unwrap_err();
    assert!(promoted.contains(&format!("its log is not shown: {why}")), "{promoted}");
    let service = json!({ "environment": "production", "release": release, "process": started["process"] });
    let health = json!({ "url": started["url"], "service": service });
    let checked = desk.call(CheckHealth, health, &key(1, 3, 0)).unwrap_err();
    assert!(checked.contains(&format!("its log is not shown: {why}")), "{checked}");
    for told in [read.to_string(), promoted, checked] {
        assert!(!told.contains("s3cret"), "{told}");
    }
}

/// Whoever goes on knows a secret again, or no more: what both versions log is no news for that.
#[test]
fn kinds_are_compared_whether_or_not_secrets_are_known() {
    let mut desk = Desk::new();
    let (new, old) = (log(&desk), log_of(&desk, BEFORE));
    add(&old, "error: known to s3cret\n");
    add(&new, "error: known to s3cret\nerror: new to s3cret\n");
    let (known, _) = beside(&desk);
    let secrets = std::mem::take(&mut desk.secrets);
    let (counted, _) = beside(&desk);
    let kept = fs::read_to_string(desk.state().join(format!("deploy/production/watch/{RELEASE}.log.json")));
    desk.secrets = secrets;
    assert_eq!((known.kinds, counted.kinds), (1, 1), "{counted:?}");
    assert!(!kept.unwrap().contains("s3cret"));
    assert_eq!(beside(&desk).0.shown, known.shown);
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

/// A log that is rotated as the supervisor does it, whose file stays: what was not read is found, and nothing twice.
#[test]
fn a_log_whose_beginning_was_taken_out_is_read_on() {
    let desk = Desk::new();
    let log = log(&desk);
    let block = std::os::unix::fs::MetadataExt::blksize(&{
        add(&log, "");
        fs::metadata(&log).unwrap()
    }) as usize;
    let pad = |at: usize| format!("{}\n", "x".repeat(at - 1));
    add(&log, &pad(block - 100));
    add(&log, "error: read before\n");
    let seen = read(&desk, None, json!({})).unwrap();
    add(&log, "error: moved away\n");
    let whole = fs::read(&log).unwrap();
    add(&log, &pad(500));
    // All that was there before the last line is moved; it is less than a block, so only the text of it goes.
    fs::write(log.with_file_name("service.log.1"), &whole).unwrap();
    let rest = fs::read(&log).unwrap()[whole.len()..].to_vec();
    fs::write(&log, rest).unwrap();
    add(&log, "error: after\n");
    let next = read(&desk, Some(&seen), json!({})).unwrap();
    let found: Vec<&str> = counts(&next).into_iter().map(|(signature, _)| signature).collect();
    assert_eq!((found, next.gaps.len()), (vec!["error: after", "error: moved away"], 0), "{:?}", next.gaps);
    // A first look reads the earlier parts as well.
    let all = read(&desk, None, json!({})).unwrap();
    assert_eq!(counts(&all).len(), 3, "{all:?}");
}

/// A FIFO that nobody writes to holds up whoever opens it as a file.
#[test]
fn what_is_no_file_is_told_and_holds_up_nobody() {
    let desk = Desk::new();
    let log = log(&desk);
    let fifo = log.with_file_name("app.log");
    let (mode, device) = (rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR, 0);
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, mode, device).unwrap();
    let (ended, waits) = mpsc::channel();
    let rescue = std::thread::spawn({
        let fifo = fifo.clone();
        move || {
            let hangs = waits.recv_timeout(Duration::from_mins(1)).is_err();
            hangs.then(|| fs::OpenOptions::new().write(true).open(&fifo).unwrap());
            hangs
        }
    });
    let error = read(&desk, None, json!({ "file": "app.log" })).unwrap_err();
    ended.send(()).unwrap();
    assert!(!rescue.join().unwrap(), "it was held up");
    assert!(error.contains("app.log` could not be opened"), "{error}");
    // So with its earlier parts.
    fs::rename(&fifo, fifo.with_file_name("app.log.1")).unwrap();
    fs::write(&fifo, "error: x\n").unwrap();
    let error = read(&desk, None, json!({ "file": "app.log" })).unwrap_err();
    assert!(error.contains("app.log.1` could not be opened"), "{error}");
}

/// What is new beside the version before, and what was not compared.
fn beside(desk: &Desk) -> (Fresh, Vec<String>) {
    let input = json!({ "environment": "production", "release": RELEASE, "beside": BEFORE });
    let output = desk.call(ReadSignatures, input, &key(1, 0, 0)).unwrap();
    let output: ReadSignaturesOutput = serde_json::from_value(output).unwrap();
    (output.fresh.unwrap(), output.gaps)
}

/// So many error lines, each of another kind.
fn kinds(of: std::ops::Range<u32>) -> String {
    let word =
        |n: u32| n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect::<String>();
    of.map(|n| format!("error: {}\n", word(n))).collect()
}

/// As if a minute had passed since each new kind of errors was seen.
pub(super) fn a_minute_later(state: &std::path::Path) {
    for file in fs::read_dir(state.join("deploy/production/watch")).unwrap().flatten() {
        let path = file.path();
        if path.to_string_lossy().ends_with(".log.json") {
            let mut kept: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            for since in kept["fresh"]["since"].as_object_mut().unwrap().values_mut() {
                *since = json!(since.as_u64().unwrap().saturating_sub(60_000));
            }
            fs::write(&path, kept.to_string()).unwrap();
        }
    }
}

/// Kinds are counted over all looks; what the version before logs as well is new no more, whichever of both was first.
#[test]
fn what_is_new_is_known_from_look_to_look() {
    let desk = Desk::new();
    let (new, old) = (log(&desk), log_of(&desk, BEFORE));
    add(&old, "error: known\n");
    add(&new, "error: known\n");
    assert_eq!(beside(&desk).0, Fresh::default());
    for look in 1..=5 {
        add(&new, &kinds(look * 10..look * 10 + 10));
        let (fresh, gaps) = beside(&desk);
        let all = u64::from(look) * 10;
        assert_eq!((fresh.kinds, fresh.young, fresh.shown.seen.len()), (all, all, all.min(20) as usize));
        assert_eq!(gaps, [""; 0]);
    }
    // A look that was cut off before it was on record is made again.
    add(&new, &kinds(10..11));
    let (fresh, _) = beside(&desk);
    assert_eq!(beside(&desk).0, fresh);
    assert_eq!(fresh.shown.ranked()[0].1.count, 2);
    add(&old, &kinds(10..12));
    a_minute_later(&desk.state());
    add(&new, &kinds(99..100));
    let (fresh, _) = beside(&desk);
    assert_eq!((fresh.kinds, fresh.young, fresh.sure()), (49, 1, 48));
    // What is kept is made again where it is gone: of both logs.
    fs::remove_file(desk.state().join(format!("deploy/production/watch/{RELEASE}.log.json"))).unwrap();
    assert_eq!(beside(&desk).0, Fresh { young: 49, ..fresh });
}

#[test]
fn kinds_that_are_too_many_to_be_compared_are_said() {
    let desk = Desk::new();
    let (new, old) = (log(&desk), log_of(&desk, BEFORE));
    add(&new, &kinds(0..1100));
    let (fresh, gaps) = beside(&desk);
    assert_eq!((fresh.kinds, fresh.shown.seen.len()), (1000, 20));
    assert_eq!(gaps, ["over 1000 kinds of errors are in a log: more of its lines are not compared"]);
    add(&old, &kinds(2000..3100));
    let (fresh, gaps) = beside(&desk);
    assert_eq!(fresh, Fresh::default(), "it may have had them all");
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].ends_with("the version before has them, so nothing can be called new"), "{gaps:?}");
}
