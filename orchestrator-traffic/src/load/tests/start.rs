//! The start of a load: it can be stopped, and nobody waits for a server that takes no connections.

use std::future::{pending, ready};
use std::net::SocketAddr;

use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
use tokio::net::TcpStream;

use super::super::backend::Backend;
use super::super::{LoadError, Plan, run};
use super::{LONG, plan};

/// A listener that takes no connections, with as many as it has room for; whoever comes next gets no answer to its first packet.
async fn full() -> (std::net::TcpListener, Vec<TcpStream>, SocketAddr) {
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&listener, 0).unwrap();
    let listener = std::net::TcpListener::from(listener);
    let address = listener.local_addr().unwrap();
    let mut taken = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(std::time::Duration::from_millis(500), TcpStream::connect(address)).await
    {
        taken.push(stream.unwrap());
        assert!(taken.len() < 10_000, "it takes everybody");
    }
    (listener, taken, address)
}

#[tokio::test]
async fn a_load_that_is_stopped_before_it_begins_ends_at_once_and_says_so() {
    let (_listener, _taken, address) = full().await;
    let wanted =
        Plan { preconnect: true, connections: 10, timeout_ms: 3_600_000, ..plan(address, 100.0, 10) };
    let stop = tokio::time::sleep(std::time::Duration::from_millis(200));
    let summary = tokio::time::timeout(LONG, run(wanted, stop)).await.expect("it ends").unwrap();
    assert!(summary.stopped && summary.over, "{summary:#?}");
    assert_eq!((summary.due, summary.sent, summary.answered, summary.failed), (0, 0, 0, 0));
    assert!(summary.failure_bound >= 1.0, "nothing is known");
    // The same where it was stopped before its first word.
    let backend = Backend::start("1").await.unwrap();
    let summary = run(plan(backend.address(), 100.0, 10), ready(())).await.unwrap();
    assert_eq!((summary.stopped, summary.due, backend.requests()), (true, 0, 0));
}

#[tokio::test]
async fn each_connection_that_is_opened_beforehand_has_its_time() {
    let (_listener, _taken, address) = full().await;
    let wanted = Plan { preconnect: true, connections: 10, timeout_ms: 300, ..plan(address, 100.0, 10) };
    let error = tokio::time::timeout(LONG, run(wanted, pending())).await.expect("it ends").unwrap_err();
    assert!(matches!(&error, LoadError::Preconnect { done: 1, connections: 10, .. }), "{error}");
    assert!(error.to_string().contains("not within 300 ms"), "{error}");
}
