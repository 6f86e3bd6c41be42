//! The proxy without its control socket, for benches and profiles: `bare_proxy THREADS LISTEN BACKEND[=WEIGHT]..`.
//!
//! It writes `ready` and serves until its standard input ends.

use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use orchestrator_traffic::protocol::{Backend, Response, Route, Table};
use orchestrator_traffic::proxy::{Limits, Listener, Proxy, Stop, Workers};

// As in the program that is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let threads = arguments.next().ok_or("THREADS is missing")?.parse()?;
    let socket = TcpListener::bind(arguments.next().ok_or("LISTEN is missing")?)?;
    let mut backends = Vec::new();
    for (at, backend) in arguments.enumerate() {
        let (address, weight) = backend.split_once('=').unwrap_or((&backend, "1"));
        let (h2c, address) = address.strip_prefix("h2c:").map_or((false, address), |address| (true, address));
        backends.push(Backend {
            version: at.to_string(),
            address: address.parse()?,
            weight: weight.parse()?,
            h2c,
        });
    }
    let route =
        Route { name: "web".into(), host: None, prefix: "/".into(), backends, canary: None, sticky: None };
    let (proxy, stop) = (Arc::new(Proxy::new(Limits::default(), None)), Stop::new());
    if let Response::Refused { why } =
        proxy.live.apply(None, Table { routes: vec![route] }, Duration::ZERO, |_, _| Ok(()))
    {
        return Err(why.into());
    }
    let workers = Workers::start(&[Listener { socket, tls: None }], &proxy, &stop, threads)?;
    writeln!(io::stdout(), "ready")?;
    io::stdin().read_to_end(&mut Vec::new())?;
    stop.cut();
    workers.join()?;
    Ok(())
}
