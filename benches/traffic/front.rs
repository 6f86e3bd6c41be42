//! A server in front of versions: ours, or a peer.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::backend::Backend;
use crate::verdict::Verdict;
use crate::{caddy, nginx, ours};

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Nginx,
    Caddy,
}

impl Kind {
    pub(crate) const ALL: [Self; 3] = [Self::Ours, Self::Nginx, Self::Caddy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// One that runs; it ends with this value.
pub(crate) trait Front {
    /// Where it listens.
    fn address(&self) -> SocketAddr;
    /// Its first process.
    fn pid(&self) -> u32;
    /// Sends all new requests to that version; returns when it says that it does, or where it does not say so, when it was told.
    fn switch(&mut self, to: &Backend) -> Result<(), String>;
    /// Replaces the program under way; the same.
    fn upgrade(&mut self) -> Result<(), String>;
}

/// Starts one in front of that version; the error says why it is not run.
pub(crate) fn start(kind: Kind, version: &Backend) -> Result<Box<dyn Front>, String> {
    match kind {
        Kind::Ours => ours::start(version),
        Kind::Nginx => nginx::start(version),
        Kind::Caddy => caddy::start(version),
    }
}

/// Those that can be run, the others said. Ours not to run is a miss.
pub(crate) fn all(kinds: &[Kind], version: &Backend, verdict: &mut Verdict) -> Vec<(Kind, Box<dyn Front>)> {
    let mut all = Vec::new();
    for kind in kinds {
        match start(*kind, version) {
            Ok(front) => all.push((*kind, front)),
            Err(why) => not_run(*kind, &why, verdict),
        }
    }
    all
}

/// Says that one was not run, or not to its end. A peer that is not there judges nobody.
pub(crate) fn not_run(kind: Kind, why: &str, verdict: &mut Verdict) {
    println!("{kind}: not run ({why})");
    if kind == Kind::Ours {
        verdict.missed(format!("ours was not run: {why}"));
    }
}

/// A port that nobody has now.
pub(crate) fn free() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it is bound")
}

/// Whether somebody takes a connection. On loopback one that meets nobody may meet itself, where its own port happens to be that one.
fn is_taken(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok_and(|stream| stream.local_addr().is_ok_and(|own| own != address))
}

/// Waits until somebody listens there.
pub(crate) fn listens(address: SocketAddr) -> Result<(), String> {
    let until = Instant::now() + Duration::from_secs(10);
    while !is_taken(address) {
        if Instant::now() > until {
            return Err(format!("nobody listens at {address} after 10 s"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
