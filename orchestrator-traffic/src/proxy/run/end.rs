//! What a proxy does while it serves, and how it ends.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use super::super::control::CLIENTS;
use super::super::desk::{Desk, Order};
use super::super::tls::{Tls, TlsError};
use super::super::{Stage, Stop};
use super::start::{Signals, Started};
use super::{Ended, RunError};

/// How often it looks whether the certificate has changed.
const LOOK: Duration = Duration::from_secs(2);
/// How long the last answers over the control socket may take.
const ANSWER: Duration = Duration::from_secs(1);

/// Serves until it ends.
pub(super) async fn serve(started: Started, drain: Duration) -> Result<Ended, RunError> {
    let Started { desk, stop, workers, tls, listening, mut orders, beside, mut signals, linger, remark } =
        started;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let order = loop {
        tokio::select! {
            Some(order) = orders.recv() => break order,
            _ = signals.terminate.recv() => stop_by_signal(&desk, drain),
            _ = signals.interrupt.recv() => stop_by_signal(&desk, drain),
            _ = signals.hang_up.recv() => {
                if let Some(log) = &listening.log {
                    log.reopen();
                }
                if let Some(tls) = &tls {
                    reloaded(tls.reload(), &remark);
                }
            }
            _ = signals.user.recv() => {
                if let Some(log) = &listening.log {
                    log.reopen();
                }
            }
            _ = look.tick() => {
                if let Some(looked) = tls.as_ref().and_then(Tls::look) {
                    reloaded(looked, &remark);
                }
            }
        }
    };
    let (ended, drain) = match order {
        Order::End(drain) => {
            // Where nobody else has them, nobody connects any more.
            desk.sockets.lock().unwrap_or_else(PoisonError::into_inner).serve.clear();
            (Ended::Stopped, drain)
        }
        Order::Replaced(pid) => {
            for task in &beside {
                task.abort();
            }
            if let Some(log) = &listening.log {
                log.settle();
            }
            (Ended::Replaced(pid), linger)
        }
    };
    let (cut_before, _) = listening.cut();
    stop.drain();
    let joined = spawn_blocking(move || workers.join());
    let late = finish(joined, &stop, drain, &mut orders, &mut signals).await?;
    // Whoever was asking gets the answer. One that only keeps its connection is not waited for.
    let all = u32::try_from(CLIENTS).unwrap_or(u32::MAX);
    let _ = timeout(ANSWER, desk.clients.acquire_many(all)).await;
    let (cut, named) = listening.cut();
    let cut = cut - cut_before;
    if cut > 0 {
        let last = named.len().min(usize::try_from(cut).unwrap_or(usize::MAX));
        remark(&format!("{cut} requests were cut at the end: {}", named[named.len() - last..].join(", ")));
    } else if late {
        remark("connections that were left were cut at the end");
    }
    if ended == Ended::Stopped {
        desk.folder.unbind();
    }
    Ok(ended)
}

/// Ends as if it was asked to; a successor that is starting decides first whether there is anything to end.
fn stop_by_signal(desk: &Arc<Desk>, drain: Duration) {
    let desk = desk.clone();
    // Where it was replaced meanwhile, it ends anyway.
    spawn_blocking(move || desk.stop(drain).is_ok());
}

fn reloaded(done: Result<(), TlsError>, remark: &super::Remark) {
    match done {
        Ok(()) => remark("the certificate was read again"),
        Err(error) => remark(&format!(
            "the certificate that was there before is served on: {}",
            RunError::from(error).line()
        )),
    }
}

/// Waits until all threads have ended; cuts what is left when the time is over, or at a second signal. Whether that was needed.
async fn finish(
    mut joined: tokio::task::JoinHandle<io::Result<()>>,
    stop: &Stop,
    drain: Duration,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    signals: &mut Signals,
) -> Result<bool, RunError> {
    let mut deadline = Instant::now() + drain;
    loop {
        tokio::select! {
            joined = &mut joined => {
                joined.map_err(io::Error::other)??;
                return Ok(stop.stage() == Stage::Cut);
            }
            () = sleep_until(deadline.into()), if stop.stage() < Stage::Cut => stop.cut(),
            Some(order) = orders.recv() => {
                if let Order::End(drain) = order {
                    deadline = deadline.min(Instant::now() + drain);
                }
            }
            _ = signals.terminate.recv() => stop.cut(),
            _ = signals.interrupt.recv() => stop.cut(),
            // They ask for what has no meaning any more.
            _ = signals.hang_up.recv() => {}
            _ = signals.user.recv() => {}
        }
    }
}
