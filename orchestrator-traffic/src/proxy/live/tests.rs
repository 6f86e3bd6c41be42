use http::HeaderMap;

use super::*;
use crate::protocol::{Backend, Route};

fn table(shares: &[(&str, u16, u32)]) -> Table {
    let backends = shares
        .iter()
        .map(|(version, port, weight)| Backend {
            version: (*version).into(),
            address: ([127, 0, 0, 1], *port).into(),
            weight: *weight,
            h2c: false,
        })
        .collect();
    Table {
        routes: vec![Route {
            name: "web".into(),
            host: None,
            prefix: "/".into(),
            backends,
            canary: None,
            sticky: None,
        }],
    }
}

fn apply(live: &Live, expect: Option<u64>, table: Table, drain_ms: u64) -> Response {
    live.apply(expect, table, Duration::from_millis(drain_ms), |_, _| Ok(()))
}

fn applied(generation: u64, changed: bool) -> Response {
    Response::Applied { generation, changed }
}

fn take(live: &Live) -> Flight {
    match live.take(Instant::now(), "", "/", &HeaderMap::new(), None) {
        Found::Flight(flight, _) => flight,
        other => panic!("{other:?}"),
    }
}

fn status(live: &Live, version: &str) -> VersionStatus {
    live.status().2.into_iter().find(|status| status.version == version).unwrap()
}

#[test]
fn a_table_replaces_the_generation_that_it_expects() {
    let live = Live::new();
    assert!(matches!(live.take(Instant::now(), "", "/", &HeaderMap::new(), None), Found::Empty));
    assert_eq!(apply(&live, Some(0), table(&[("1", 1, 1)]), 0), applied(1, true));
    let refused = apply(&live, Some(0), table(&[("2", 2, 1)]), 0);
    assert!(
        matches!(&refused, Response::Refused { why } if why.contains("generation 1 is served")),
        "{refused:?}"
    );
    // Said again because the answer was lost: nothing changes, though another generation is there by now.
    assert_eq!(apply(&live, Some(0), table(&[("1", 1, 1)]), 0), applied(1, false));
    assert_eq!(apply(&live, None, table(&[("2", 2, 1)]), 0), applied(2, true));
    let refused = apply(&live, None, table(&[]), 0);
    assert!(matches!(&refused, Response::Refused { why } if why.contains("0 backends")), "{refused:?}");
    assert_eq!(live.status().0, 2);
}

#[test]
fn what_cannot_be_kept_is_not_served() {
    let live = Live::new();
    apply(&live, None, table(&[("1", 1, 1)]), 0);
    let refused =
        live.apply(None, table(&[("2", 2, 1)]), Duration::ZERO, |_, _| Err("the disk is full".into()));
    assert!(matches!(&refused, Response::Refused { why } if why.contains("the disk is full")), "{refused:?}");
    assert_eq!(&*take(&live).version.name, "1");
}

#[tokio::test]
async fn a_drain_ends_with_its_last_request_or_cuts_it() {
    let live = Arc::new(Live::new());
    apply(&live, None, table(&[("1", 1, 1)]), 0);
    let (first, second) = (take(&live), take(&live));
    apply(&live, None, table(&[("2", 2, 1)]), 50);
    assert_eq!(status(&live, "1").drain, Some(crate::protocol::Drain::default()));
    drop(first);
    let drains = tokio::spawn({
        let live = Arc::clone(&live);
        async move { live.drain().await }
    });
    tokio::time::timeout(Duration::from_secs(20), second.version.until_cut()).await.unwrap();
    second.was_cut("GET", "/slow");
    assert_eq!(status(&live, "1").drain.unwrap().took_ms, None);
    drop(second);
    let drain = status(&live, "1").drain.unwrap();
    assert!(drain.took_ms.unwrap() >= 50);
    assert!(drain.cuts == 1 && drain.cut[0].starts_with("GET /slow after "), "{drain:?}");
    drains.abort();
}

#[test]
fn a_version_that_comes_back_keeps_its_requests_unless_it_was_cut() {
    let live = Live::new();
    apply(&live, None, table(&[("1", 1, 1)]), 0);
    let flight = take(&live);
    apply(&live, None, table(&[("2", 2, 1)]), 60_000);
    apply(&live, None, table(&[("1", 1, 1)]), 60_000);
    let back = status(&live, "1");
    assert_eq!((back.in_flight, back.drain), (1, None));
    assert!(status(&live, "2").drain.unwrap().took_ms.is_some());

    apply(&live, None, table(&[("2", 2, 1)]), 0);
    live.cut_due(Instant::now());
    assert!(flight.version.is_cut());
    apply(&live, None, table(&[("1", 1, 1)]), 0);
    let fresh = take(&live);
    assert!(!fresh.version.is_cut());
    // The counts are those of the version, whichever process of it answered.
    flight.answered(200, Duration::from_millis(1));
    fresh.answered(200, Duration::from_millis(1));
    assert_eq!(live.counts().versions[0].requests, 2);
}

#[test]
fn the_first_answer_is_timed_from_the_change_that_brought_traffic() {
    let live = Live::new();
    apply(&live, None, table(&[("1", 1, 1), ("2", 2, 0)]), 0);
    let early = take(&live);
    early.answered(200, Duration::from_millis(1));
    assert!(status(&live, "1").first_answer_us.is_some());
    assert_eq!(status(&live, "2").first_answer_us, None);
    apply(&live, None, table(&[("1", 1, 0), ("2", 2, 1)]), 0);
    take(&live).answered(200, Duration::from_millis(1));
    assert!(status(&live, "2").first_answer_us.is_some());
    // Back again: a request from before says nothing of how fast that was.
    apply(&live, None, table(&[("1", 1, 1), ("2", 2, 0)]), 0);
    early.answered(200, Duration::from_millis(1));
    assert_eq!(status(&live, "1").first_answer_us, None);
}

#[test]
fn counts_outlive_tables_within_bounds() {
    let live = Live::new();
    for n in 0..400u16 {
        apply(&live, None, table(&[(&n.to_string(), n + 1, 1)]), 0);
        take(&live).answered(200, Duration::from_millis(1));
    }
    let counts = live.counts();
    assert_eq!(counts.versions.len(), REMEMBERED);
    assert!(counts.versions.iter().any(|version| version.version == "399"));
    assert!(counts.versions.iter().all(|version| version.version != "0"));
}

#[test]
fn who_is_served_is_never_forgotten_and_who_was_begins_anew() {
    let live = Live::new();
    let requests = |version: &str| {
        live.counts().versions.into_iter().find(|one| one.version == version).map(|one| one.requests)
    };
    for n in 0..400u16 {
        apply(&live, None, table(&[("stays", 9999, 1), (&n.to_string(), n + 1, 0)]), 0);
        take(&live).answered(200, Duration::from_millis(1));
    }
    assert_eq!((requests("stays"), requests("0"), requests("399")), (Some(400), None, Some(0)));
    apply(&live, None, table(&[("0", 1, 1)]), 0);
    assert_eq!((requests("stays"), requests("0")), (Some(400), Some(0)), "as the protocol says");
}
