//! The end of a proxy that nobody can reach any more.
//!
//! A proxy whose keeper dies serves on: the next keeper gets its sockets from it. A proxy whose folder was deleted by mistake serves its last table
//! on too. But where both are gone nobody can tell it of another version, start one of its own again, or end it; and once none of its versions
//! takes connections every answer that it could give is an error, while it holds the address that the next proxy needs. Then it ends by itself.

use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::desk::Desk;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(5);
/// How long a version may take to take a connection.
const TAKEN: Duration = Duration::from_secs(2);
/// For so long none of them did.
const GONE: Duration = Duration::from_mins(1);
/// What is under way then gets so long.
const DRAIN: Duration = Duration::from_secs(1);

/// Ends a proxy that is left alone for good. One that never had a keeper is somebody's, who ends it.
pub(super) async fn watch(desk: Weak<Desk>) {
    let mut since = None;
    loop {
        sleep(LOOK).await;
        let Some(desk) = desk.upgrade() else { return };
        let is_left = desk.is_left() && !any_answers(&desk).await;
        if is_over(&mut since, is_left, Instant::now()) {
            end(desk);
            return;
        }
    }
}

/// Whether it has been left for long enough.
fn is_over(since: &mut Option<Instant>, is_left: bool, now: Instant) -> bool {
    if !is_left {
        *since = None;
        return false;
    }
    now.duration_since(*since.get_or_insert(now)) >= GONE
}

fn end(desk: Arc<Desk>) {
    (desk.remark)("it ends: its folder and its keeper are gone, and none of its versions answers");
    // It may wait for a successor that is starting.
    tokio::task::spawn_blocking(move || desk.stop(DRAIN).is_ok());
}

async fn any_answers(desk: &Desk) -> bool {
    let (_, table, _) = desk.proxy.live.status();
    let addresses: Vec<SocketAddr> =
        table.routes.iter().flat_map(|route| &route.backends).map(|backend| backend.address).collect();
    for address in addresses {
        if timeout(TAKEN, TcpStream::connect(address)).await.is_ok_and(|taken| taken.is_ok()) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_left_for_a_minute_ends() {
        let (mut since, begun) = (None, Instant::now());
        let mut at =
            |second: u64, is_left: bool| is_over(&mut since, is_left, begun + Duration::from_secs(second));
        assert!(!at(0, true) && !at(59, true));
        assert!(!at(60, false), "a version answers again");
        assert!(!at(61, true) && !at(120, true));
        assert!(at(121, true));
    }
}
