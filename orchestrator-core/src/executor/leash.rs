//! The hold that the asynchronous side has on a command that a worker thread looks after.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};

/// Signals a process group for as long as its id is surely ours.
///
/// The worker lets go before it reaps the leader: until then the kernel keeps the id, after that nothing is signalled.
#[derive(Debug, Default)]
pub(super) struct Leash(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    group: Option<Pid>,
    /// The last signal asked for, so that one from before the spawn is not lost.
    wanted: Option<Signal>,
    sent: bool,
}

impl Held {
    fn send(&mut self) {
        if let (Some(group), Some(signal)) = (self.group, self.wanted) {
            // It can only fail because the group is gone, which is what is wanted.
            self.sent |= kill_process_group(group, signal).is_ok();
        }
    }
}

impl Leash {
    /// Signals the group, now or as soon as there is one.
    pub(super) fn pull(&self, signal: Signal) {
        let mut held = self.held();
        held.wanted = Some(signal);
        held.send();
    }

    /// Whether anything was asked for yet.
    pub(super) fn pulled(&self) -> bool {
        self.held().wanted.is_some()
    }

    /// Whether the group was signalled.
    pub(super) fn signalled(&self) -> bool {
        self.held().sent
    }

    pub(super) fn attach(&self, group: Pid) {
        let mut held = self.held();
        held.group = Some(group);
        held.send();
    }

    /// Lets go of the group, and says whether it was signalled.
    pub(super) fn release(&self) -> bool {
        let mut held = self.held();
        held.group = None;
        held.sent
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
