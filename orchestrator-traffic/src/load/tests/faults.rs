//! Each way to fail is told by its name, and is neither hung on nor counted as an answer.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;

use super::super::backend::Backend;
use super::super::{FailureKind, Kind, Mix, Plan, Shape};
use super::{done, head, plan, raw};

async fn fails(plan: Plan, kind: FailureKind) {
    let sent = plan.requests.unwrap();
    let summary = done(plan).await;
    assert_eq!((summary.sent, summary.failed), (sent, sent), "{summary:#?}");
    assert_eq!(summary.failures.get(&kind), Some(&sent), "{:?} {:?}", summary.failures, summary.examples);
    assert_eq!(summary.examples.len(), 10);
    assert!(summary.failure_bound > 0.99);
}

#[tokio::test]
async fn nobody_listens() {
    let address = (Ipv4Addr::LOCALHOST, crate::ports::pick().unwrap()).into();
    fails(plan(address, 100.0, 10), FailureKind::Refused).await;
}

#[tokio::test]
async fn the_connection_is_reset() {
    let address = raw(async |mut stream, _| {
        head(&mut stream).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    fails(plan(address, 100.0, 10), FailureKind::Reset).await;
}

#[tokio::test]
async fn the_connection_is_closed() {
    let address = raw(async |mut stream, _| {
        head(&mut stream).await;
    })
    .await;
    fails(plan(address, 100.0, 10), FailureKind::Closed).await;
}

#[tokio::test]
async fn no_answer_comes() {
    let address = raw(async |mut stream, _| {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let start = Instant::now();
    fails(Plan { timeout_ms: 200, ..plan(address, 100.0, 10) }, FailureKind::Timeout).await;
    assert!(start.elapsed() < Duration::from_mins(1), "its bound is 0.2 s each");
}

#[tokio::test]
async fn the_answer_stops_in_the_middle() {
    for (answer, kind) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf", FailureKind::Cut),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", FailureKind::Cut),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhalf\r\n", FailureKind::Cut),
        ("SSH-2.0-OpenSSH_9.2\r\n", FailureKind::Garbage),
        ("HTTP/1.1 2000 OK\r\n\r\n", FailureKind::Garbage),
        ("HTTP/1.1 200 O", FailureKind::Closed),
        ("", FailureKind::Closed),
    ] {
        let address = raw(move |mut stream, _| async move {
            head(&mut stream).await;
            stream.write_all(answer.as_bytes()).await.unwrap();
        })
        .await;
        fails(plan(address, 200.0, 10), kind).await;
    }
}

#[tokio::test]
async fn a_body_that_hangs_is_a_timeout() {
    let address = raw(async |mut stream, _| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
        std::future::pending::<()>().await;
    })
    .await;
    fails(Plan { timeout_ms: 200, ..plan(address, 100.0, 10) }, FailureKind::Timeout).await;
}

#[tokio::test]
async fn the_wrong_status_and_the_wrong_content() {
    let backend = Backend::start("1").await.unwrap();
    let at = |path: &str| Plan {
        url: format!("http://{}{path}", backend.address()),
        ..plan(backend.address(), 200.0, 10)
    };
    fails(at("/fail?status=503"), FailureKind::Status).await;
    fails(Plan { expect_status: vec![204], ..at("/") }, FailureKind::Status).await;
    fails(at("/cut?n=100000"), FailureKind::Cut).await;
    fails(Plan { http2: true, ..at("/cut?n=100000") }, FailureKind::Cut).await;
    let shape =
        |kind, path: &str| Mix { shapes: vec![Shape { path: Some(path.into()), ..Shape::of(kind, 1) }] };
    fails(Plan { mix: shape(Kind::Uploads, "/wrong"), ..at("/") }, FailureKind::Content).await;
    fails(Plan { mix: shape(Kind::Events, "/health"), ..at("/") }, FailureKind::Content).await;
    fails(Plan { mix: shape(Kind::Events, "/events?count=3&every_ms=1"), ..at("/") }, FailureKind::Cut).await;
    fails(Plan { mix: shape(Kind::Websockets, "/health"), ..at("/") }, FailureKind::Status).await;
    let right = done(Plan { expect_status: vec![503], ..at("/fail?status=503") }).await;
    assert_eq!((right.answered, right.failed), (10, 0));
}

/// Whether a request was acted on is not known once it went out: it is not sent again.
#[tokio::test]
async fn what_went_out_is_never_sent_twice() {
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let seen = asked.clone();
    let address = raw(move |mut stream, _| {
        let seen = seen.clone();
        async move {
            // The first is answered, the second on the same connection is read and dropped.
            for turn in 0..2 {
                if !head(&mut stream).await {
                    return;
                }
                seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                if turn == 0 {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
                }
            }
        }
    })
    .await;
    let summary = done(Plan { connections: 1, ..plan(address, 50.0, 20) }).await;
    assert_eq!(asked.load(std::sync::atomic::Ordering::SeqCst), 20);
    assert_eq!((summary.answered, summary.failed, summary.failed_reused), (10, 10, 10), "{summary:#?}");
    assert_eq!(summary.failures.get(&FailureKind::Closed), Some(&10));
}

/// A kept connection that the server has closed is not used: that is no failure.
#[tokio::test]
async fn a_connection_that_was_closed_between_requests_is_left() {
    let address = raw(async |mut stream, _| {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    })
    .await;
    let summary = done(Plan { connections: 1, ..plan(address, 5.0, 5) }).await;
    assert_eq!((summary.answered, summary.failed), (5, 0), "{summary:#?}");
    assert_eq!(summary.client.connections, 5);
}
