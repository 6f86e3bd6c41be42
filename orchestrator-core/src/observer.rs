//! Observers: are told events and progress; can neither fail nor slow a run.

use crate::event::Record;
use crate::progress::Progress;
use crate::state::RunState;

/// Is told what happens. Lives on a thread of its own with a fold of its own.
pub trait Observer: Send {
    /// An event was recorded; `state` has it applied.
    fn event(&mut self, record: &Record, state: &RunState);
    /// A sign of life; may be lost.
    fn progress(&mut self, _progress: &Progress) {}
    /// Called about ten times a second while a run is live, so that clocks on a screen can go on.
    fn tick(&mut self, _state: &RunState) {}
}
