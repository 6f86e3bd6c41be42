//! Listening sockets that outlive the process that serves them.
//!
//! Whoever keeps a proxy alive (its **keeper**, for instance a supervisor) binds the sockets itself, starts the proxy with one end
//! of a [`Channel`] as its standard input and hands it the sockets over that. They stay open in the keeper: when the proxy is killed,
//! clients wait in the backlog for the next one instead of being refused. A proxy that upgrades itself hands everything over to its
//! successor the same way, the channel to the keeper included.
//!
//! ```text
//! keeper                                   proxy --inherit (standard input is the channel)
//!   hand(sockets)  ───────────────────────►  take()
//!   hear() = Ready { pid }  ◄──────────────  say(Ready)            it serves
//!   hear() = Ready { pid }  ◄──────────────  say(Ready)            its successor serves; the old one drains and ends
//!   hear() = None           ◄──────────────  (end)                 nobody serves any more: start the next one
//! ```
//!
//! A keeper that has died is replaced by [`adopt`]: the next one asks the proxy over its control socket for the sockets, and that
//! connection is the channel from then on.
//!
//! Lines of JSON; descriptors travel beside the line that names them (`SCM_RIGHTS`).

mod channel;
mod wire;

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen as start, socket_with, sockopt};

pub use channel::{Channel, Said};

use crate::control::connect;
use crate::protocol::Request;

/// The most connections that wait to be accepted while nobody serves; the system's own limit may be lower.
const BACKLOG: i32 = 4096;

/// What a proxy serves from.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Where clients connect, in order.
    pub serve: Vec<TcpListener>,
    /// Where its metrics are read.
    pub metrics: Option<TcpListener>,
    /// Where it is asked. A keeper leaves it out: the proxy binds its own, and hands it to its successor.
    pub control: Option<UnixListener>,
    /// The lock on the folder, held by whoever has the file open. Only a proxy that hands over to its successor has one to give.
    pub lock: Option<File>,
    /// The channel to the keeper. Only a proxy that hands over to its successor has one to give.
    pub keeper: Option<UnixStream>,
}

impl Sockets {
    /// More handles of the same sockets: to keep one and to give one away.
    pub fn try_clone(&self) -> io::Result<Self> {
        let serve = self.serve.iter().map(TcpListener::try_clone).collect::<io::Result<_>>()?;
        Ok(Self {
            serve,
            metrics: self.metrics.as_ref().map(TcpListener::try_clone).transpose()?,
            control: self.control.as_ref().map(UnixListener::try_clone).transpose()?,
            lock: self.lock.as_ref().map(File::try_clone).transpose()?,
            keeper: self.keeper.as_ref().map(UnixStream::try_clone).transpose()?,
        })
    }
}

/// Listens there; port 0 is any that is free. What it had before is no obstacle once it is closed (`SO_REUSEADDR`), a socket that
/// still listens there is.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    start(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Takes over from a keeper that is gone: the sockets of the proxy whose control socket that is, and the channel to it. What the
/// proxy says first over the channel is `Ready` with its process.
pub fn adopt(control: &Path, patience: Duration) -> io::Result<(Sockets, Channel)> {
    let stream = connect(control, patience)?;
    let mut channel = Channel::of(stream);
    channel.line(&Request::Lend)?;
    let sockets = channel.take(patience)?;
    Ok((sockets, channel))
}

#[cfg(test)]
mod tests;
