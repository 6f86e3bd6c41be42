//! Lines and their signatures.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn signatures(lines: &[&str]) -> Signatures {
    let mut all = Signatures::default();
    for line in lines {
        all.take(line, &LogWatch::default());
    }
    all
}

fn one(line: &str) -> String {
    let all = signatures(&[line]);
    assert_eq!(all.seen.len(), 1, "{line}");
    all.seen.into_keys().next().unwrap()
}

#[test]
fn lines_that_differ_by_what_varies_have_one_signature() {
    for (first, second) in [
        (
            "2026-11-20T23:44:33.123Z ERROR request 17 took 250 ms",
            "2025-01-02 03:04:05 ERROR request 9 took 1.5 ms",
        ),
        (
            "error: user \"Ada\" of 10.0.0.7:4711 is unknown",
            "error: user \"Grace \\\"x\\\"\" of 10.0.0.8:1 is unknown",
        ),
        ("panic at 0x7ffe12ab in worker 3", "panic at 0x1 in worker 12"),
        (
            "failed for 123e4567-e89b-12d3-a456-426614174000",
            "failed for 00000000-0000-0000-0000-000000000000",
        ),
        ("error in session 9f86d081884c7d659a2feaa0", "error in session a3f5b1c200d1e2f3a4b5c6d7"),
        ("\x1b[31merror\x1b[0m: row 1", "error: row 2"),
        ("failed to open 'a.txt'", "failed to open 'b.txt'"),
    ] {
        assert_eq!(one(first), one(second), "{first}");
    }
    assert_ne!(one("error: user is unknown"), one("error: course is unknown"));
    assert_ne!(one("can't connect: error"), one("can't bind: error"));
    assert_eq!(one("ERROR utf8 decoding failed at byte 12"), "ERROR utf# decoding failed at byte <number>");
}

#[test]
fn what_is_no_error_is_passed_over() {
    for line in [
        "",
        "started",
        "0 errors, 12 warnings",
        "errors=0 requests=5",
        "checked: no errors",
        "failed: 0",
        r#"{"level":"info","msg":"error page served"}"#,
        r#"{"level":30,"msg":"failed once"}"#,
    ] {
        assert_eq!(signatures(&[line]), Signatures::default(), "{line}");
    }
}

#[test]
fn structured_lines_are_read_by_level_and_message() {
    let one = one(
        r#"{"time":"2026-11-20T23:44:33Z","level":"error","msg":"no seat in course 7","trace":"abc123"}"#,
    );
    assert_eq!(one, "no seat in course <number>");
    let more = signatures(&[
        r#"{"level":50,"msg":"x"}"#,
        r#"{"severity":"CRITICAL","message":"x"}"#,
        r#"{"msg":"it failed"}"#,
    ]);
    assert_eq!(more.seen["x"].count, 2);
    assert_eq!(more.seen["it failed"].count, 1);
}

#[test]
fn own_patterns_say_what_counts() {
    let watch: LogWatch =
        serde_json::from_value(json!({ "patterns": ["^E\\d+"], "ignore": ["E404"] })).unwrap();
    let mut all = Signatures::default();
    for line in ["E500 broke", "E404 not there", "error of another kind"] {
        all.take(line, &watch);
    }
    assert_eq!(all.seen.into_keys().collect::<Vec<_>>(), ["E# broke"]);
}

fn fresh(old: &Signatures, new: &Signatures) -> Fresh {
    let mut left = new.clone();
    left.leave_out(old);
    Fresh::of(&left, 0)
}

#[test]
fn what_is_new_is_told_and_fails_where_it_should() {
    let (old, new) = (
        signatures(&["error: a 1", "error: a 2"]),
        signatures(&["error: a 3", "error: b 1", "error: b 2", "error: c"]),
    );
    let new = fresh(&old, &new);
    let ranked: Vec<(&str, u64)> =
        new.shown.ranked().into_iter().map(|(signature, seen)| (signature.as_str(), seen.count)).collect();
    assert_eq!(ranked, [("error: b <number>", 2), ("error: c", 1)]);
    let watch = |config| serde_json::from_value::<LogWatch>(config).unwrap();
    let (findings, why) = watch(json!({})).judge(&new, 2);
    assert_eq!((findings.len(), findings[0].severity, why), (2, Severity::Warning, None));
    assert!(findings[0].message.ends_with("error: b 1"), "{}", findings[0].message);
    let fails = watch(json!({ "on_new": "fail", "max_new": 1 }));
    let (findings, why) = fails.judge(&new, 2);
    assert_eq!(findings[0].severity, Severity::Error);
    assert!(why.unwrap().starts_with("2 kinds of errors are new in the log, more than 1"));
    let (findings, why) = fails.judge(&new, 1);
    assert_eq!((findings.len(), findings[0].severity, why), (2, Severity::Warning, None), "one is young");
    assert_eq!(watch(json!({ "on_new": "fail", "max_new": 2 })).judge(&new, 2).1, None);
    assert_eq!(watch(json!({ "on_new": "fail" })).judge(&fresh(&old, &old), 0), (Vec::new(), None));
}

/// Kinds count, however often each was logged, and all of them, although few are shown.
#[test]
fn kinds_count_and_not_lines() {
    let mut all = Signatures::default();
    let word = |n: u8| char::from(b'a' + n).to_string();
    for n in 0..24 {
        (0..=n).for_each(|_| all.take(&format!("error: {}", word(n)), &LogWatch::default()));
    }
    let fresh = Fresh::of(&all, 4);
    assert_eq!((fresh.shown.seen.len(), fresh.kinds, fresh.sure()), (20, 24, 20));
    let watch: LogWatch = serde_json::from_value(json!({ "on_new": "fail", "max_new": 23 })).unwrap();
    let (findings, why) = watch.judge(&fresh, fresh.kinds);
    assert!(
        why.unwrap().starts_with("24 kinds of errors are new in the log, more than 23, such as: error: x")
    );
    assert_eq!(findings.len(), 21);
    assert_eq!(findings[20].message, "4 more kinds of new errors are in the log");
    assert_eq!(watch.judge(&fresh, fresh.sure()).1, None);
}

#[test]
fn memory_is_bounded() {
    let mut all = Signatures::default();
    for n in 0..3000_u32 {
        // Letters, so that each is another kind.
        let word: String = n.to_string().chars().map(|digit| char::from(b'a' + digit as u8 - b'0')).collect();
        all.take(&format!("error {word} {}", "x".repeat(9000)), &LogWatch::default());
    }
    assert_eq!((all.seen.len(), all.beyond), (MOST_SIGNATURES, 2000));
    assert!(
        all.seen
            .iter()
            .all(|(signature, seen)| signature.chars().count() <= 200 && seen.example.chars().count() <= 300)
    );
    let mut merged = all.clone();
    merged.merge(all);
    assert_eq!((merged.seen.len(), merged.beyond), (MOST_SIGNATURES, 4000));
    assert!(merged.seen.values().all(|seen| seen.count == 2));
}

proptest! {
    #[test]
    fn no_line_panics_and_a_signature_is_stable(line in "\\PC{0,60}") {
        let line = format!("error {line}");
        let mut all = Signatures::default();
        all.take(&line, &LogWatch::default());
        all.take(&line, &LogWatch::default());
        prop_assert!(all.seen.len() <= 1 && all.seen.values().all(|seen| seen.count == 2));
    }
}
