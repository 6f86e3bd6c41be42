//! Requests are sent when they are due; what comes late shows in the figures.

use std::future::pending;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use super::super::backend::Backend;
use super::super::{Arrivals, Kind, Mix, Plan, Shape, Summary, run, run_watched};
use super::{done, head, plan, raw};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server with one connection that stalls once, for 2 s: requests that were due meanwhile were late too, though none was sent.
/// A client that waits for answers would show one slow request of 400.
#[tokio::test]
async fn a_stall_shows_in_the_percentiles() {
    let address = raw(async |mut stream, _| {
        let mut turn = 0;
        while head(&mut stream).await {
            turn += 1;
            if turn == 100 {
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            if stream.write_all(OK).await.is_err() {
                return;
            }
        }
    })
    .await;
    let summary = done(Plan { connections: 1, ..plan(address, 100.0, 400) }).await;
    assert_eq!(summary.answered, 400);
    assert!(summary.latency.p99_us > 1_800_000, "{:?}", summary.latency);
    // 200 requests were due during the stall, one each 10 ms.
    assert!(summary.latency.p95_us > 1_500_000, "{:?}", summary.latency);
    assert!(summary.service.p95_us < 1_000_000, "{:?}", summary.service);
    assert!(summary.client.waited > 100, "{:?}", summary.client);
    assert!(
        summary.client.lag.p50_us < 100_000,
        "waiting for the server is no lag of the client: {:?}",
        summary.client
    );
}

/// With connections enough a slow server slows nobody's sending.
#[tokio::test]
async fn slow_answers_do_not_hold_up_the_next_request() {
    let address = raw(async |mut stream, _| {
        while head(&mut stream).await {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stream.write_all(OK).await.unwrap();
        }
    })
    .await;
    let start = Instant::now();
    let summary = done(plan(address, 200.0, 200)).await;
    assert_eq!((summary.answered, summary.client.waited), (200, 0));
    // One after the other they would take 200 s.
    assert!(start.elapsed() < Duration::from_mins(1));
    assert!(summary.rate > 50.0, "{}", summary.rate);
}

/// A server that hangs for good: what could not be sent is told, and the load ends.
#[tokio::test]
async fn what_could_not_be_sent_is_no_answer() {
    let address = raw(async |mut stream, _| {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let summary = done(Plan { connections: 3, timeout_ms: 300, ..plan(address, 500.0, 500) }).await;
    assert_eq!(summary.answered, 0);
    assert!(summary.client.unsent > 400 && !summary.client.kept_up, "{:?}", summary.client);
    let busy = |remark: &String| remark.contains("all 3 connections were busy");
    assert!(summary.client.remarks.iter().any(busy), "{:?}", summary.client.remarks);
    assert!(summary.latency.p50_us >= 300_000, "{:?}", summary.latency);
}

#[tokio::test]
async fn stopping_ends_it_with_the_figures_so_far() {
    let backend = Backend::start("1").await.unwrap();
    let url = format!("http://{}/slow?ms=60000", backend.address());
    let mixed = Plan { url, timeout_ms: 100_000, ..Plan::new("", 50.0) };
    let stop = tokio::time::sleep(Duration::from_millis(500));
    let ended =
        tokio::time::timeout(Duration::from_secs(30), run(mixed, stop)).await.expect("it ends").unwrap();
    assert!(ended.stopped && ended.sent > 0);
    assert_eq!((ended.answered, ended.failed, ended.client.abandoned), (0, 0, ended.sent));
    assert_eq!(ended.client.unsent, 0, "{:?}", ended.client);

    // Also while it waits for a free connection.
    let one = Plan {
        connections: 1,
        ..Plan {
            url: format!("http://{}/slow?ms=60000", backend.address()),
            timeout_ms: 100_000,
            ..Plan::new("", 50.0)
        }
    };
    let stop = tokio::time::sleep(Duration::from_millis(500));
    let ended =
        tokio::time::timeout(Duration::from_secs(30), run(one, stop)).await.expect("it ends").unwrap();
    assert_eq!((ended.sent, ended.client.abandoned), (1, 1));
    assert!(ended.client.unsent > 0);
}

/// Of what was given up nobody knows when it was sent: the rate is that of what ended.
#[tokio::test]
async fn a_load_that_is_stopped_says_no_higher_rate_than_it_had() {
    let address = raw(async |mut stream, number| {
        while head(&mut stream).await && number < 20 {
            if stream.write_all(OK).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(Duration::from_mins(1)).await;
    })
    .await;
    let mix = Mix { shapes: vec![Shape::of(Kind::NewConnections, 1)] };
    let plan = Plan { mix, ..Plan::new(format!("http://{address}/"), 50.0) };
    let summary = run(plan, tokio::time::sleep(Duration::from_millis(1_500))).await.unwrap();
    assert!(summary.answered > 5 && summary.client.abandoned > 10, "{summary:?}");
    assert!(summary.rate < 100.0, "{} at a rate of 50", summary.rate);
}

#[tokio::test]
async fn random_arrivals_keep_the_rate() {
    let backend = Backend::start("1").await.unwrap();
    let summary = done(Plan { arrivals: Arrivals::Poisson, ..plan(backend.address(), 400.0, 400) }).await;
    assert_eq!(summary.answered, 400);
    assert!(summary.took_ms > 700, "{}", summary.took_ms);
}

#[tokio::test]
async fn a_duration_ends_it() {
    let backend = Backend::start("1").await.unwrap();
    let long = Plan { requests: None, duration_ms: Some(500), ..plan(backend.address(), 100.0, 1) };
    let summary = done(long).await;
    assert_eq!((summary.due, summary.answered), (50, 50));
}

#[tokio::test]
async fn figures_are_told_as_it_goes_and_what_is_under_way_ends_in_order() {
    let address = raw(async |mut stream, _| {
        while head(&mut stream).await {
            tokio::time::sleep(Duration::from_millis(300)).await;
            if stream.write_all(OK).await.is_err() {
                return;
            }
        }
    })
    .await;
    let plan = Plan { duration_ms: Some(60_000), ..Plan::new(format!("http://{address}/"), 50.0) };
    let told = std::sync::Mutex::new(Vec::new());
    let enough = tokio::time::sleep(Duration::from_millis(1_200));
    let summary =
        run_watched(plan, pending(), enough, |summary| told.lock().unwrap().push(summary)).await.unwrap();
    assert!(summary.stopped && summary.over, "{summary:?}");
    assert_eq!((summary.failed, summary.client.abandoned, summary.answered), (0, 0, summary.sent));
    assert!(summary.sent > 10 && summary.took_ms < 30_000, "{summary:?}");
    let told = told.into_inner().unwrap();
    assert_eq!((told[0].over, told[0].sent), (false, 0), "as it begins");
    let later = told.iter().find(|summary| summary.sent > 0).expect("after a second");
    assert!(later.sent >= later.answered && later.failed == 0 && later.client.unsent == 0, "{later:?}");
    let unsent = |summary: &&Summary| summary.client.remarks.iter().any(|remark| remark.contains("not sent"));
    assert!(!told.iter().any(|summary| unsent(&summary)), "what is under way was sent: {told:?}");
}
