//! What a switch cut is dropped, whoever's head came first.

use super::*;
use crate::deployment::LoadSummary;

fn summary(two: &Value, failures: &Value) -> LoadSummary {
    let written = json!({
        "started": "2026-01-01T00:00:00Z", "took_ms": 1000, "over": true, "rate": 100.0, "due": 100, "sent": 100,
        "answered": 90, "failed": 10, "failures": failures, "failure_bound": 0.16,
        "latency": { "count": 100, "mean_us": 1.0, "p50_us": 1500, "p95_us": 2000, "p99_us": 3000, "p999_us": 4000, "max_us": 5000 },
        "versions": [
            { "version": "1", "answered": 80, "failed": 0, "wrong": 0, "first_ms": 1.0, "last_ms": 900.0, "last_sent_ms": 1.0 },
            two],
        "overlaps": [], "client": { "unsent": 0, "abandoned": 0, "limits": {}, "remarks": [] }, "examples": [],
    });
    LoadSummary::read(written.to_string().as_bytes()).unwrap()
}

#[test]
fn answers_that_were_cut_are_dropped_whoever_began_them() {
    let two = json!({ "version": "2", "answered": 10, "failed": 9, "wrong": 2, "first_ms": 500.0, "last_ms": 950.0, "last_sent_ms": 1.0 });
    let read = summary(&two, &json!({ "status": 1, "content": 1, "cut": 5, "timeout": 2, "reset": 1 }));
    assert_eq!((read.failed, read.dropped, read.of("2")), (10, 8, 2));
    assert_eq!(read.line(), "10 of 100 requests failed (2 answered by 2 itself)");
}

/// A client of before, which does not tell them apart.
#[test]
fn a_client_of_old_is_read_all_the_same() {
    let two = json!({ "version": "2", "answered": 10, "failed": 8, "first_ms": 500.0, "last_ms": 950.0, "last_sent_ms": 1.0 });
    let read = summary(&two, &json!({ "status": 8, "reset": 2 }));
    assert_eq!((read.failed, read.dropped, read.of("2")), (10, 2, 8));
}
