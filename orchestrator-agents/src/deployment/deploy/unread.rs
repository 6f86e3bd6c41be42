//! An end whose claim cannot be read this time: it is not lost, so the same end is tried again, for a while. Pure.

use orchestrator_core::action::{Action, Await};
use orchestrator_core::order::Status;

use super::known::{Part, Step};
use super::rounds::{Concluded, Course, Round};
use crate::deployment::Ending;

/// Seconds between two tries.
pub(super) const PAUSE: u64 = 5;
/// The most tries of one deployment: minutes where the claim is on this machine, and an hour where each try waits for a host.
pub(super) const TRIES: u32 = 30;

impl Course<'_> {
    /// Whether the claim could not be read, which says nothing of whose it is.
    pub(super) fn is_unread(&self) -> bool {
        let confirmed = self.about(Part::Confirm);
        confirmed
            .first()
            .is_some_and(|receipt| matches!(receipt.status, Status::Failed { transient: true, .. }))
    }

    /// Lets it count when the claim can be read again.
    pub(super) fn finish_later(mut self, why: &str) -> Concluded {
        if let Some(round) = self.once_more() {
            return self.finish(round);
        }
        let why = format!("its claim cannot be read: {why}");
        let round = self.release(Ending::Stuck, &why)?;
        self.more(Step::Undecided(why), round)
    }

    /// Goes back when the claim can be read again.
    pub(super) fn roll_back_later(mut self, why: String, error: &str) -> Concluded {
        if let Some(round) = self.once_more() {
            return self.roll_back_after(round, why);
        }
        let why = format!("{why}; going back failed: its claim cannot be read: {error}");
        let round = self.release(Ending::Stuck, &why)?;
        self.more(Step::Stuck(why), round)
    }

    /// The wait before another try; none where it was tried often enough.
    fn once_more(&mut self) -> Option<Round> {
        if self.known.unread >= TRIES {
            return None;
        }
        self.known.unread += 1;
        let message = format!("the claim of {} to be read again", self.config.environment);
        let wait: Action = Await { signal: None, seconds: Some(PAUSE), message }.into();
        Some(vec![(Part::Wait, wait)])
    }
}
