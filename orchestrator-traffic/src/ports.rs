//! Ports on loopback: picks free ones, and says whether something listens. Nothing here listens itself.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// Where ports are picked. The kernel hands out others, from 32768 by default, to whoever asks for any port and to every
/// outgoing connection; a picked one of those could be gone before the service binds it.
const PICKED: RangeInclusive<u16> = 20_000..=32_767;

/// How often a free one is looked for before the kernel is asked.
const TRIES: u16 = 64;

/// A free port that nobody is given by chance; none where there is none.
pub fn pick() -> Option<u16> {
    let size = PICKED.end() - PICKED.start() + 1;
    let random = RandomState::new().build_hasher().finish();
    let first = (random % u64::from(size)) as u16;
    let handed_out = handed_out();
    let mut candidates = (0..TRIES).map(|n| PICKED.start() + (first + n) % size);
    let free = candidates.find(|port| !handed_out.contains(port) && is_free(*port));
    free.or_else(handed)
}

/// The ports that the kernel hands out.
fn handed_out() -> RangeInclusive<u16> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ends = text.split_ascii_whitespace().filter_map(|end| end.parse().ok());
    match (ends.next(), ends.next()) {
        (Some(first), Some(last)) => first..=last,
        _ => 32_768..=60_999,
    }
}

/// One that the kernel hands out.
fn handed() -> Option<u16> {
    let address = rustix::net::getsockname(&hold(0)?).ok()?;
    Some(SocketAddr::try_from(address).ok()?.port())
}

/// The port, bound as long as that lives; none where somebody has it. It does not listen: a process that is started elsewhere in this
/// moment has a copy until its program is loaded, and would keep the port from the service that is to have it.
fn hold(port: u16) -> Option<OwnedFd> {
    let socket =
        rustix::net::socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).ok()?;
    sockopt::set_socket_reuseaddr(&socket, true).ok()?;
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port))).ok()?;
    Some(socket)
}

/// Whether nobody holds the port.
pub fn is_free(port: u16) -> bool {
    hold(port).is_some()
}

/// Whether somebody listens on the port.
pub fn listens(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let connected = TcpStream::connect_timeout(&address, Duration::from_millis(200));
    // A connection to a port on which nobody listens can be given that very port, and then meets itself.
    connected.is_ok_and(|stream| stream.local_addr().is_ok_and(|own| own != address))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn ports_are_picked_where_nobody_else_picks() {
        let port = pick().unwrap();
        assert!(PICKED.contains(&port) && !handed_out().contains(&port), "{port}");
        assert!(!listens(port));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let taken = listener.local_addr().unwrap().port();
        assert!(listens(taken) && !is_free(taken));
    }
    #[test]
    fn a_port_that_is_looked_at_can_be_listened_on_meanwhile() {
        let port = pick().unwrap();
        let looked = hold(port).unwrap();
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
        assert!(hold(port).is_none() && !is_free(port));
        drop(looked);
        drop(listener);
        // Another test may be starting a process in this moment, which has a copy until its program is loaded.
        while !is_free(port) {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(handed().is_some_and(|port| handed_out().contains(&port)));
    }
}
