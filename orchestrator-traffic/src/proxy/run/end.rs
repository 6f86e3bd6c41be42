//! What a proxy does while it serves, and how it ends.

use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep_until, timeout};

use super::super::control::CLIENTS;
use super::super::desk::{Desk, Order};
use super::super::recorder::Listening;
use super::super::tls::{Tls, TlsError};
use super::super::{Stage, Stop};
use super::start::{Signals, Started};
use super::{Ended, RunError};

/// How often it looks whether the certificate has changed.
const LOOK: Duration = Duration::from_secs(2);
/// How long the last answers over the control socket may take.
const ANSWER: Duration = Duration::from_secs(1);
/// How long the last lines of the access log may take.
const FLUSH: Duration = Duration::from_secs(5);

/// Serves until it ends.
pub(super) async fn serve(started: Started, drain: Duration) -> Result<Ended, RunError> {
    let Started {
        desk, stop, workers, tls, listening, mut orders, beside, mut signals, linger, remark, ..
    } = started;
    let drains = tokio::spawn({
        let desk = desk.clone();
        // Whatever thread a request is on: each ends with its last connection, and drains have to end after that too.
        async move { desk.proxy.live.drain().await }
    });
    let lost = workers.ended();
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let order = loop {
        tokio::select! {
            Some(order) = orders.recv() => break order,
            // With one thread less, clients would wait for it in vain. Whoever keeps this process starts it again.
            () = lost.notified() => {
                stop.cut();
                let joined = spawn_blocking(move || workers.join()).await.map_err(io::Error::other)?;
                joined?;
                return Err(io::Error::other("a thread of the proxy ended").into());
            }
            _ = signals.terminate.recv() => stop_by_signal(&desk, drain),
            _ = signals.interrupt.recv() => stop_by_signal(&desk, drain),
            _ = signals.hang_up.recv() => {
                listening.reopen();
                if let Some(tls) = &tls {
                    reloaded(tls.reload(), &remark);
                }
            }
            _ = signals.user.recv() => listening.reopen(),
            _ = look.tick() => {
                if let Some(looked) = tls.as_ref().and_then(Tls::look) {
                    reloaded(looked, &remark);
                }
            }
        }
    };
    let mut time = Time { left: linger, at_signal: Some(drain) };
    let ended = match order {
        Order::End(drain) => {
            // Where nobody else has them, nobody connects any more.
            desk.sockets.lock().unwrap_or_else(PoisonError::into_inner).serve.clear();
            time = Time { left: drain, at_signal: None };
            Ended::Stopped
        }
        Order::Replaced(pid) => {
            for task in &beside {
                task.abort();
            }
            if let Some(log) = &listening.log {
                log.settle();
            }
            Ended::Replaced(pid)
        }
    };
    let (cut_before, _) = listening.cut();
    stop.drain();
    let joined = spawn_blocking({
        let (desk, stop) = (desk.clone(), stop.clone());
        move || {
            workers.join()?;
            desk.outlive_elder(&stop);
            Ok(())
        }
    });
    let late = finish(joined, &stop, time, &mut orders, &mut signals, &listening).await?;
    drains.abort();
    let told = desk.clone();
    let _ = timeout(ANSWER, spawn_blocking(move || told.take_leave())).await;
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
    // Whoever was cut last is in the access log. A disk that hangs must not keep the process from ending.
    let _ = timeout(FLUSH, spawn_blocking(move || listening.finish())).await;
    Ok(ended)
}

/// Ends as if it was asked to; a successor that is starting decides first whether there is anything to end.
fn stop_by_signal(desk: &Arc<Desk>, drain: Duration) {
    let desk = desk.clone();
    spawn_blocking(move || desk.stop_at_signal(drain));
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

/// How long whoever is left has.
struct Time {
    left: Duration,
    /// The same from the first signal on; none where that was given.
    at_signal: Option<Duration>,
}

impl Time {
    /// A signal came: when what is left is cut; none for at once.
    fn signal(&mut self) -> Option<Instant> {
        self.at_signal.take().map(|left| Instant::now() + left)
    }
}

/// Waits until all threads have ended; cuts what is left when the time is over, or at a second signal. Whether that was needed.
async fn finish(
    mut joined: tokio::task::JoinHandle<io::Result<()>>,
    stop: &Stop,
    mut time: Time,
    orders: &mut mpsc::UnboundedReceiver<Order>,
    signals: &mut Signals,
    listening: &Listening,
) -> Result<bool, RunError> {
    let mut deadline = Instant::now() + time.left;
    loop {
        let signalled = tokio::select! {
            joined = &mut joined => {
                joined.map_err(io::Error::other)??;
                return Ok(stop.stage() == Stage::Cut);
            }
            () = sleep_until(deadline.into()), if stop.stage() < Stage::Cut => { stop.cut(); false }
            Some(order) = orders.recv() => {
                if let Order::End(drain) = order {
                    deadline = deadline.min(Instant::now() + drain);
                }
                false
            }
            _ = signals.terminate.recv() => true,
            _ = signals.interrupt.recv() => true,
            // Nobody connects any more, so the certificate has no meaning; who is left is still written down.
            _ = signals.hang_up.recv() => { listening.reopen(); false }
            _ = signals.user.recv() => { listening.reopen(); false }
        };
        if signalled {
            match time.signal() {
                Some(end) => deadline = deadline.min(end),
                None => stop.cut(),
            }
        }
    }
}
