//! Waits until requests are due. A thread of its own: timers of the runtime go by whole milliseconds, which would be most of what is
//! measured on a fast server.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::schedule::Schedule;

/// Due requests that wait for the sender at most; when they are that many, the pacer waits too, and is late afterwards.
const AHEAD: usize = 1024;
/// How long it sleeps at most, so that it sees that nobody listens any more.
const NAP: Duration = Duration::from_millis(100);

/// Starts it: what it sends is when each request was due, not before then.
pub(super) fn start(schedule: Schedule, start: Instant) -> io::Result<mpsc::Receiver<Instant>> {
    let (due, received) = mpsc::channel(AHEAD);
    thread::Builder::new().name("pacer".into()).spawn(move || pace(schedule, start, &due))?;
    Ok(received)
}

fn pace(schedule: Schedule, start: Instant, to: &mpsc::Sender<Instant>) {
    for offset in schedule {
        let due = start + offset;
        loop {
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(NAP));
            if to.is_closed() {
                return;
            }
        }
        if to.blocking_send(due).is_err() {
            return;
        }
    }
}
