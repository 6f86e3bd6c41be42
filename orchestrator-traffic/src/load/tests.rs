//! What a load must do, against real servers on loopback.

mod faults;
mod kinds;
mod limits;
mod model;
mod open_loop;
mod own;
mod secure;
mod start;
mod switching;

use std::future::{Future, pending};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::{Plan, Summary, run};

/// Nothing takes that long unless it hangs.
const LONG: Duration = Duration::from_mins(2);

/// So many requests at that rate, to the end.
fn plan(address: SocketAddr, rate: f64, requests: u64) -> Plan {
    Plan { requests: Some(requests), timeout_ms: 60_000, ..Plan::new(format!("http://{address}/"), rate) }
}

/// Runs it to its end, which must come; and what every summary must hold holds.
async fn done(plan: Plan) -> Summary {
    let summary =
        tokio::time::timeout(LONG, run(plan, pending())).await.expect("it ends").expect("it begins");
    let Summary { due, sent, answered, failed, client, .. } = &summary;
    assert_eq!(*due, sent + client.unsent + client.limits.values().sum::<u64>());
    assert_eq!(*sent, answered + failed + client.abandoned);
    assert_eq!(*failed, summary.failures.values().sum::<u64>());
    assert_eq!(*answered, summary.shapes.values().map(|shape| shape.answered).sum::<u64>());
    summary
}

/// A server that does what it is told with each connection.
async fn raw<F: Future<Output = ()> + Send + 'static>(
    each: impl Fn(TcpStream, u64) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut number = 0;
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(stream, number));
            number += 1;
        }
    });
    address
}

/// Reads one head; false where the client went away instead.
async fn head(stream: &mut TcpStream) -> bool {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => read.push(byte),
            Err(_) => return false,
        }
    }
    true
}
