//! Waits: for signals and for time. A task that waits holds no slot.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{CANCEL, Live, RunError};
use crate::action::{Action, Await};
use crate::event::Event;
use crate::json::Json;
use crate::order::{Receipt, Signal, Status};
use crate::plan::TaskIx;

/// How often the inbox is looked at.
pub(super) const POLL: Duration = Duration::from_millis(500);

impl Live {
    /// A task began to wait: what it waits for may have come already.
    pub(super) fn begin_wait(&mut self, ix: TaskIx) {
        let wait = self.own.state.task(ix).waits();
        let deadline = wait.and_then(|(wait, since)| {
            let seconds = i64::try_from(wait.seconds?).unwrap_or(i64::MAX);
            since.checked_add(SignedDuration::from_secs(seconds)).ok()
        });
        self.waiting.insert(ix, deadline);
        if self.cancelling {
            self.waiting.remove(&ix);
            self.scheduler.wake(ix);
        } else if self.signal_for(ix).is_some() {
            // Seen again at once: the next look at the waits ends it.
            self.waiting.insert(ix, Some(Timestamp::MIN));
        }
    }

    /// Records what is in the inbox, and ends the waits for it.
    pub(super) async fn take_signals(&mut self) -> Result<(), RunError> {
        self.looked = tokio::time::Instant::now();
        let run = self.own.run.clone();
        let inbox = self
            .own
            .store
            .inbox(&run)
            .await
            .map_err(|source| RunError::Store { run: run.clone(), source })?;
        for (token, signal) in inbox {
            let cancel = signal.name.as_str() == CANCEL;
            if !self.own.state.signals().contains(&signal) || !cancel {
                self.record(vec![Event::SignalReceived(Box::new(signal))]).await?;
            }
            let seen = self.own.store.seen(&run, &token).await;
            seen.map_err(|source| RunError::Store { run: run.clone(), source })?;
            if cancel {
                self.cancel();
            }
        }
        self.wake_elapsed().await
    }

    fn cancel(&mut self) {
        self.cancelling = true;
        self.scheduler.cancel();
        for stop in self.stops.values() {
            stop.raise(crate::stop::StopLevel::Graceful);
        }
        for ix in std::mem::take(&mut self.waiting).into_keys() {
            self.scheduler.wake(ix);
        }
    }

    /// Ends the waits whose signal came or whose time has passed.
    pub(super) async fn wake_elapsed(&mut self) -> Result<(), RunError> {
        let now = self.clock.now();
        let waiting: Vec<_> = self.waiting.iter().map(|(ix, deadline)| (*ix, *deadline)).collect();
        for (ix, deadline) in waiting {
            let receipt = match self.signal_for(ix) {
                Some(signal) => {
                    let mut receipt = Receipt::new(Status::Done);
                    receipt.output = signal.payload;
                    receipt.tail = signal.from;
                    receipt
                }
                None if deadline.is_some_and(|deadline| deadline <= now) => Receipt::new(Status::Elapsed),
                None => continue,
            };
            self.end_wait(ix, receipt).await?;
        }
        Ok(())
    }

    async fn end_wait(&mut self, ix: TaskIx, receipt: Receipt) -> Result<(), RunError> {
        let task = self.own.state.plan().task(ix).id.clone();
        let index = self.own.state.task(ix).rounds.last().map_or(0, |round| round.performed() as u32);
        self.record(vec![Event::ActionFinished { task, index, receipt: Box::new(receipt) }]).await?;
        self.waiting.remove(&ix);
        self.scheduler.wake(ix);
        Ok(())
    }

    /// The signal that a task waits for: one that came and that no other wait has used up.
    fn signal_for(&self, ix: TaskIx) -> Option<Signal> {
        let (Await { signal: name, .. }, _) = self.own.state.task(ix).waits()?;
        let name = name.as_ref()?;
        let used = self.own.state.tasks().iter().flat_map(crate::state::TaskState::receipts).filter(
            |(action, receipt)| {
                let waited = matches!(action, Action::Await(wait) if wait.signal.as_ref() == Some(name));
                waited && receipt.status == Status::Done
            },
        );
        self.own.state.signals().iter().filter(|signal| signal.name == *name).nth(used.count()).cloned()
    }
}

/// A signal with nothing in it.
pub(crate) fn cancel_signal() -> Signal {
    let name = crate::id::SignalName::new(CANCEL).expect("a valid name");
    Signal { name, payload: Json::null(), from: String::new() }
}
